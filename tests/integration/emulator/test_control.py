"""The control API, and a state that survives a restart and a kill."""

import asyncio
import json
import sqlite3
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.emulator import CONFORM, Emulator, check_conformance
from tests.integration.emulator.conftest import PASSWORD, SECRET, Api
from tests.waiting import until


@asynccontextmanager
async def connected(emulator: Emulator) -> AsyncIterator[Api]:
    async with aiohttp.ClientSession() as session:
        yield Api(session, emulator)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"rate_limit": "fast"}, "rate_limit"),
        ({"latency_ms": -1}, "latency_ms"),
        ({"latency_ms": 60_001}, "latency_ms"),
        ({"latency_jitter_ms": "some"}, "latency_jitter_ms"),
        ({"user_quota": -1}, "user_quota"),
        ({"traffic": 1e9}, "traffic"),
        ({"password": "perhaps"}, "password"),
        ({"required": ["shoe_size"]}, "required"),
        ({"speed": 1, "colour": "red"}, "speed"),
        ("text", "JSON object"),
    ],
)
async def test_settings_that_make_no_sense_change_nothing(
    api: Api, emulator: Emulator, changes: Any, named: str
) -> None:
    before = emulator.settings()
    reply = await api.call("POST", "/_sandbox/settings", changes)
    assert reply.status == 400
    assert named in reply.content["error"]
    assert emulator.settings() == before


async def test_settings_change_one_by_one(api: Api, emulator: Emulator) -> None:
    before = emulator.settings()
    assert emulator.settings(latency_ms=5) == {**before, "latency_ms": 5}
    assert (await api.call("GET", "/_sandbox/settings")).content == {**before, "latency_ms": 5}


async def test_what_is_not_there_is_said(api: Api) -> None:
    for method, path in (("GET", "/_sandbox/weather"), ("DELETE", "/_sandbox/settings")):
        reply = await api.call(method, path)
        assert reply.status == 404
        assert path in reply.content["error"]


async def environment(api: Api) -> dict[str, Any]:
    return dict((await api.call("GET", "/v1/environment", headers={})).content)


async def test_the_environment_shows_the_settings(api: Api, emulator: Emulator) -> None:
    async def shown() -> tuple[dict[str, Any], dict[str, Any]]:
        content = await environment(api)
        return content["user_settings"]["attributes"], content["auth_config"]

    attributes, config = await shown()
    assert attributes["authenticator_app"]["enabled"]
    assert attributes["authenticator_app"]["second_factors"] == ["totp"]
    assert config["second_factors"] == ["totp", "backup_code"]
    assert config["password"] == "required"
    emulator.settings(
        authenticator_app=False, backup_code=False, password=False, username=True, required=["first_name"]
    )
    attributes, config = await shown()
    assert not attributes["authenticator_app"]["enabled"]
    assert not attributes["backup_code"]["enabled"]
    assert not attributes["password"]["enabled"]
    assert attributes["username"]["enabled"]
    assert attributes["first_name"]["required"]
    assert not attributes["last_name"]["required"]
    assert config["second_factors"] == []
    assert config["password"] == "off"


async def test_the_environment_tells_whether_a_message_is_a_second_factor(
    api: Api, emulator: Emulator
) -> None:
    for enabled in (False, True):
        emulator.settings(phone_number=enabled)
        content = await environment(api)
        assert ("phone_code" in content["auth_config"]["second_factors"]) is enabled
        number = content["user_settings"]["attributes"]["phone_number"]
        assert (number["enabled"], number["used_for_second_factor"]) == (enabled, enabled)
        assert not number["used_for_first_factor"]
    assert (number["second_factors"], number["verifications"]) == (["phone_code"], ["phone_code"])


async def test_the_environment_tells_when_users_are_locked(api: Api, emulator: Emulator) -> None:
    emulator.settings(lockout_attempts=7, lockout_seconds=1800)
    told = (await environment(api))["user_settings"]["attack_protection"]["user_lockout"]
    assert told == {"enabled": True, "max_attempts": 7, "duration_in_minutes": 30}


async def test_statistics_count_by_operation_and_status(api: Api, emulator: Emulator) -> None:
    user = await api.created()
    await api.create()
    for _ in range(3):
        await api.call("GET", f"/v1/users/{user['id']}")
    await api.call("GET", "/v1/users/user_none")
    stats = emulator.stats()
    assert stats["users"] == 1
    assert stats["requests"] == {
        "GET /v1/users/{user_id}": {"200": 3, "404": 1},
        "POST /v1/users": {"200": 1, "422": 1},
    }
    assert 10 < stats["peak_memory_mib"] < 500


async def test_traffic_is_what_went_over_the_wire(api: Api, emulator: Emulator) -> None:
    user = await api.created(first_name="Ada")
    await api.call("GET", "/v1/users", query=[("limit", "5")])
    await api.call("GET", "/v1/environment", headers={})
    lines = traffic(emulator)
    assert [(line["api"], line["method"], line["path"], line["status"]) for line in lines] == [
        ("bapi", "POST", "/v1/users", 200),
        ("bapi", "GET", "/v1/users", 200),
        ("fapi", "GET", "/v1/environment", 200),
    ]
    assert lines[0]["body"]["first_name"] == "Ada"
    assert lines[0]["content_type"] == "application/json"
    assert lines[0]["response"] == user
    assert (lines[1]["query"], lines[1]["body"], lines[1]["response"]) == ({"limit": "5"}, None, [user])


async def test_the_latest_traffic_is_kept(api: Api, emulator: Emulator) -> None:
    emulator.settings(traffic=3)
    for number in range(5):
        await api.created(f"u{number}@example.com")
    assert [line["body"]["email_address"] for line in traffic(emulator)] == [
        [f"u{number}@example.com"] for number in (2, 3, 4)
    ]
    emulator.settings(traffic=0)
    assert traffic(emulator) == []


@pytest.mark.skipif(not CONFORM.is_file(), reason="Clerk's description is not at hand")
async def test_traffic_that_does_not_conform_is_found_out(
    api: Api, emulator: Emulator, tmp_path: Path
) -> None:
    await api.created()
    (line,) = traffic(emulator)
    recorded = tmp_path / "traffic.jsonl"
    recorded.write_text(json.dumps(line))
    assert check_conformance(recorded) is None
    del line["response"]["two_factor_enabled"]
    recorded.write_text(json.dumps(line))
    assert "two_factor_enabled" in str(check_conformance(recorded))


async def test_nothing_was_sent_to_anybody(api: Api) -> None:
    await api.created()
    assert (await api.call("GET", "/_sandbox/outbox")).content == []
    assert (await api.call("GET", "/_sandbox/outbox", query=[("to", "ada@example.com")])).content == []


async def test_reset_forgets_everything(api: Api, emulator: Emulator) -> None:
    user = await api.created(external_id="ax-1")
    session = (await api.call("POST", "/v1/sessions", {"user_id": user["id"]})).content
    emulator.settings(rate_limit="development", latency_ms=1)
    emulator.add_fault({"times": 5, "status": 500})
    emulator.reset()
    assert (emulator.stats()["users"], emulator.stats()["requests"], emulator.faults()) == (0, {}, [])
    assert (emulator.settings()["rate_limit"], emulator.settings()["latency_ms"]) == ("off", 0)
    assert traffic(emulator) == []
    assert (await api.call("GET", f"/v1/sessions/{session['id']}")).status == 404
    await api.created(external_id="ax-1")


async def test_a_request_that_waits_is_in_flight_until_a_reset_drops_it(api: Api, emulator: Emulator) -> None:
    emulator.settings(latency_ms=60_000)
    waiting = asyncio.create_task(api.create())
    await until(lambda: not emulator.is_idle())
    emulator.reset()
    with pytest.raises(aiohttp.ClientConnectionError):
        await waiting
    assert emulator.is_idle()
    assert emulator.stats()["users"] == 0


@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_the_state_survives(traffic_file: Path, tmp_path: Path, end: str) -> None:
    state = ("--state", str(tmp_path / "state.sqlite"))
    emulator = Emulator(traffic_file, *state, "--rate-limit", "off")
    async with connected(emulator) as api:
        replies = await asyncio.gather(*(api.create(f"u{n}@example.com") for n in range(50)))
        user = await api.created(external_id="ax-1", password=PASSWORD, totp_secret=SECRET)
        session = (await api.call("POST", "/v1/sessions", {"user_id": user["id"]})).content
        gone = replies[0].content["id"]
        await api.call("DELETE", f"/v1/users/{gone}")
    emulator.settings(latency_ms=7, required=["first_name"])
    getattr(emulator, end)()

    emulator = Emulator(traffic_file, *state)
    try:
        settings = emulator.settings()
        assert settings["rate_limit"] == "off"  # not what the command says now
        assert (settings["latency_ms"], settings["required"]) == (7, ["first_name"])
        assert emulator.stats()["users"] == 50
        async with connected(emulator) as api:
            assert (await api.call("GET", f"/v1/users/{user['id']}")).content == user
            assert (await api.call("GET", f"/v1/sessions/{session['id']}")).content == session
            assert (await api.call("GET", f"/v1/users/{gone}")).status == 404
            reply = await api.call("POST", f"/v1/users/{user['id']}/verify_password", {"password": PASSWORD})
            assert reply.status == 200
            refused = await api.create("U1@example.com", first_name="Ada")
            assert refused.refusal == (422, "form_identifier_exists", "email_address")
    finally:
        emulator.stop()


async def test_settings_and_a_reset_survive_a_kill_at_once(traffic_file: Path, tmp_path: Path) -> None:
    state = ("--state", str(tmp_path / "state.sqlite"))
    emulator = Emulator(traffic_file, *state)
    async with connected(emulator) as api:
        await api.created()
    emulator.settings(latency_ms=7)
    emulator.kill()
    emulator = Emulator(traffic_file, *state)
    assert emulator.settings()["latency_ms"] == 7
    emulator.reset()
    emulator.kill()
    emulator = Emulator(traffic_file, *state)
    assert (emulator.stats()["users"], emulator.settings()["latency_ms"]) == (0, 0)
    emulator.stop()


async def test_what_was_answered_survives_a_kill_amid_work(traffic_file: Path, tmp_path: Path) -> None:
    state = tmp_path / "state.sqlite"
    emulator = Emulator(traffic_file, "--state", str(state), "--rate-limit", "off")
    answered: set[str] = set()
    amid = asyncio.Event()

    async def work(api: Api, worker: int) -> None:
        for number in range(1000):
            answered.add((await api.created(f"w{worker}.{number}@example.com"))["id"])
            if len(answered) >= 300:
                amid.set()

    async with connected(emulator) as api:
        workers = [asyncio.create_task(work(api, worker)) for worker in range(16)]
        await amid.wait()
        emulator.kill()
        ended = await asyncio.gather(*workers, return_exceptions=True)
    assert all(isinstance(error, aiohttp.ClientError) for error in ended)
    with sqlite3.connect(state) as connection:
        written = {row[0] for row in connection.execute("SELECT id FROM users")}
        (counted,) = connection.execute("SELECT value FROM counters WHERE name = 'users'").fetchone()
        (addresses,) = connection.execute("SELECT count(*) FROM emails").fetchone()
    connection.close()
    assert answered <= written
    assert len(written) == counted == addresses


def traffic(emulator: Emulator) -> list[dict[str, Any]]:
    with urllib.request.urlopen(f"{emulator.url}/_sandbox/traffic", timeout=60) as answer:
        return [json.loads(line) for line in answer]
