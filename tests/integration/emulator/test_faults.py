"""Faults on request: each happens as often as it was asked for, to the requests that were meant."""

import asyncio
import time
from typing import Any

import aiohttp
import pytest

from tests.emulator import Emulator
from tests.integration.emulator.conftest import Api

COUNT = "/v1/users/count"


async def test_a_status_is_answered_so_many_times_in_place_of_the_effect(
    api: Api, emulator: Emulator
) -> None:
    emulator.add_fault({"match": {"method": "POST", "path": "/v1/users*"}, "times": 2, "status": 503})
    for _ in range(2):
        reply = await api.create()
        assert reply.refusal == (503, "internal_clerk_error", None)
        assert reply.headers["Retry-After"] == "1"
    assert emulator.stats()["users"] == 0
    assert emulator.faults() == []
    await api.created()
    assert emulator.stats()["requests"]["POST /v1/users"] == {"200": 1, "503": 2}


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 409, 422, 429, 500, 502, 504])
async def test_any_status_can_be_had(api: Api, emulator: Emulator, status: int) -> None:
    emulator.add_fault({"match": {"path": COUNT}, "status": status})
    reply = await api.call("GET", COUNT)
    assert reply.refusal[0] == status
    assert ("Retry-After" in reply.headers) == (status == 429)


async def test_a_fault_takes_its_time(api: Api, emulator: Emulator) -> None:
    for fault in ({"latency_ms": 200}, {"latency_ms": 200, "status": 500}):
        emulator.add_fault({"match": {"path": COUNT}, **fault})
        begun = time.monotonic()
        reply = await api.call("GET", COUNT)
        assert time.monotonic() - begun >= 0.2
        assert reply.status == fault.get("status", 200)
    assert emulator.faults() == [], "whoever asks next is answered at once"


@pytest.mark.parametrize(("drop", "users"), [("before", 0), ("after", 1)])
async def test_a_connection_drops_without_an_answer(
    api: Api, emulator: Emulator, drop: str, users: int
) -> None:
    emulator.add_fault({"match": {"method": "POST", "path": "/v1/users"}, "drop": drop})
    with pytest.raises(aiohttp.ClientConnectionError):
        await api.create(external_id="ax-1")
    assert emulator.stats()["users"] == users
    assert len(await api.ids(("external_id", "ax-1"))) == users
    assert (await api.create(external_id="ax-1")).status == (422 if users else 200)


async def test_a_drop_after_the_effect_is_after_it_is_written(api: Api, emulator: Emulator) -> None:
    emulator.add_fault({"match": {"path": "/v1/users"}, "times": 20, "drop": "after"})
    replies = await asyncio.gather(
        *(api.create(f"u{n}@example.com") for n in range(20)), return_exceptions=True
    )
    assert all(isinstance(reply, aiohttp.ClientConnectionError) for reply in replies)
    assert emulator.stats()["users"] == 20


async def test_only_what_is_meant_is_hit(api: Api, emulator: Emulator) -> None:
    user = await api.created()
    emulator.add_fault({"match": {"method": "patch", "path": "/v1/users/*"}, "status": 500})
    assert (await api.call("GET", f"/v1/users/{user['id']}")).status == 200
    assert (await api.call("PATCH", f"/v1/users/{user['id']}", {"first_name": "A"})).status == 500
    emulator.add_fault({"match": {"path": "/v1/users/*/ban"}, "status": 500})
    assert (await api.call("POST", f"/v1/users/{user['id']}/unban")).status == 200
    assert (await api.call("POST", f"/v1/users/{user['id']}/ban")).status == 500
    emulator.add_fault({"status": 500})
    assert (await api.call("GET", "/v1/environment", headers={})).status == 500


async def test_faults_wait_their_turn(api: Api, emulator: Emulator) -> None:
    emulator.add_fault({"times": 2, "status": 500})
    emulator.add_fault({"status": 429})
    assert [fault["times"] for fault in emulator.faults()] == [2, 1]
    assert (await api.call("GET", COUNT)).status == 500
    assert [fault["times"] for fault in emulator.faults()] == [1, 1]
    assert [(await api.call("GET", COUNT)).status for _ in range(3)] == [500, 429, 200]


async def test_faults_can_be_called_off(api: Api, emulator: Emulator) -> None:
    emulator.add_fault({"times": 100, "status": 500})
    emulator.clear_faults()
    assert emulator.faults() == []
    assert (await api.call("GET", COUNT)).status == 200


@pytest.mark.parametrize(
    ("fault", "named"),
    [
        ({"status": 200}, "status"),
        ({"status": "soon"}, "status"),
        ({"status": 500, "times": 0}, "times"),
        ({"drop": "sometimes"}, "drop"),
        ({"latency_ms": -1}, "latency_ms"),
        ({"status": 500, "chance": 0.5}, "chance"),
        ({"status": 500, "match": {"host": "x"}}, "match.host"),
        ({}, "nothing to go wrong"),
        ([], "JSON object"),
    ],
)
async def test_a_fault_that_makes_no_sense(api: Api, emulator: Emulator, fault: Any, named: str) -> None:
    reply = await api.call("POST", "/_sandbox/faults", fault)
    assert reply.status == 400
    assert named in reply.content["error"]
    assert emulator.faults() == []
