"""What may happen to a login, on both systems: a test a cell of the table in docs/login.md."""

import asyncio
import contextlib
import socket
from functools import partial
from typing import Any

import asyncpg
import pytest

from bff.proof.challenges import ATTEMPTS
from tests.integration.bff.conftest import PASSWORD, Bff, World, code_now, wrong_code
from tests.integration.bff.test_sessions import KEY, api_key
from tests.waiting import until
from toolkit.clerk.breaker import OPEN_SECONDS

CLIENT = {"path": "/v1/client/*"}


async def hang_up(bff: Bff, path: str, body: str) -> None:
    """Send a request and close the connection without waiting for the answer."""

    def send() -> None:
        with socket.create_connection(("127.0.0.1", bff.port)) as connection:
            head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
            connection.sendall(f"{head}\r\n\r\n{body}".encode())

    await asyncio.to_thread(send)


async def has_session(world: World) -> bool:
    return bool(await world.connection.fetchval("SELECT count(*) FROM sessions"))


async def test_a_client_that_goes_away_in_the_middle_of_a_login(world: World) -> None:
    email, bff = await world.add(), await world.bff()
    await hang_up(bff, "/auth/login", f'{{"email": "{email}", "password": "{PASSWORD}"}}')
    await until(partial(has_session, world))
    assert (await bff.login(email)).status == 200


async def test_a_client_that_goes_away_in_the_middle_of_a_challenge(world: World) -> None:
    email, bff = await world.add(totp=True), await world.bff()
    challenge = (await bff.login(email)).content["challenge"]["id"]
    body = f'{{"challenge_id": "{challenge}", "method": "totp", "code": "{code_now()}"}}'
    await hang_up(bff, "/auth/login/second-factor", body)
    await until(partial(has_session, world))
    assert (await bff.finish(challenge, code_now())).code == "challenge_expired"
    assert await world.connection.fetchval("SELECT count(*) FROM sessions") == 1
    assert (await bff.login(email)).content["status"] == "needs_second_factor"


async def test_a_bff_killed_between_the_steps(world: World) -> None:
    email, bff = await world.add(totp=True), await world.bff()
    challenge = (await bff.login(email)).content["challenge"]["id"]
    bff.kill()
    again = await world.bff()
    assert (await again.finish(challenge, code_now())).content["status"] == "complete"


async def test_a_bff_killed_with_live_sessions(world: World) -> None:
    email, bff = await world.add(), await world.bff()
    token = await bff.token(email)
    bff.kill()
    assert await (await world.bff()).signed_in(token)


async def test_two_replicas_take_turns(world: World) -> None:
    email, one, two = await world.add(totp=True), await world.bff(), await world.bff()
    challenge = (await one.login(email, delivery="bearer")).content["challenge"]["id"]
    done = await two.finish(challenge, code_now())
    token = done.content["token"]
    assert await one.signed_in(token)
    assert (await two.call("POST", "/auth/logout", token=token)).status == 204
    assert not await one.signed_in(token)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"drop": "before"}, id="down"),
        pytest.param({"latency_ms": 60_000}, id="slow"),
        pytest.param({"status": 500}, id="5xx"),
        pytest.param({"status": 503}, id="503"),
        pytest.param({"body": "<html>Bad gateway</html>", "status": 502}, id="HTML 502"),
    ],
)
async def test_clerk_out_refuses_logins_at_once_and_nothing_else(world: World, fault: dict[str, Any]) -> None:
    """Invariants 3 and 6."""
    await world.migrated()
    await api_key(world, await world.id_of("clerk@example.com"))
    bff = await world.bff()
    token = await bff.token("clerk@example.com")
    world.emulator.add_fault({"match": CLIENT, "times": 100, **fault})
    async with asyncio.timeout(30):
        reply = await bff.login("clerk@example.com")
    assert (reply.status, reply.code) == (503, "authentication_unavailable")
    assert int(reply.headers["Retry-After"]) >= 1
    assert await bff.signed_in(token)
    assert (await bff.call("GET", "/me", token=KEY)).status == 200
    assert (await bff.call("GET", "/readyz")).status == 200
    world.emulator.clear_faults()


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"body": "garbage", "content_type": "text/plain"}, id="garbage"),
        pytest.param({"body": "<html>Welcome</html>"}, id="HTML"),
        pytest.param({"body": "<html>Not you</html>", "status": 403}, id="HTML 403"),
        pytest.param({"body": '{"response": null}', "content_type": "application/json"}, id="other JSON"),
    ],
)
async def test_what_is_no_answer_of_clerks(world: World, fault: dict[str, Any]) -> None:
    """It may be about one person, and looks like a wrong password (invariant 9). If Clerk says nothing else, it is out."""
    await world.migrated()
    bff = await world.bff()
    wrong = (await bff.login("clerk@example.com", "wrong")).told
    world.emulator.add_fault({"match": CLIENT, "times": 100, **fault})
    assert (await bff.login("clerk@example.com")).told == wrong
    world.emulator.clear_faults()
    world.emulator.add_fault({"match": {"path": "/v1/*"}, "times": 100, **fault})
    assert (await (await world.bff()).login("clerk@example.com")).status == 503, (
        "it never heard anything else"
    )
    world.emulator.clear_faults()


async def test_clerk_slow_in_each_of_several_calls_is_refused_in_time(world: World) -> None:
    """A device on which somebody is signed in takes three calls: sign in, sign out, sign in.

    Each of them is quick enough for itself, so that only a deadline for all of them refuses.
    """
    await world.migrated()
    bff = await world.bff()
    device = (await bff.login("clerk@example.com", delivery="bearer")).content["device"]
    await asyncio.to_thread(world.emulator.settings, latency_ms=900)
    reply = await bff.login("clerk@example.com", delivery="bearer", device=device)
    await asyncio.to_thread(world.emulator.settings, latency_ms=0)
    assert (reply.status, reply.code) == (503, "authentication_unavailable")


async def test_a_database_that_is_not_migrated_is_not_ready(world: World) -> None:
    await world.connection.execute("DROP TABLE clerk_migration.devices")
    bff = await world.bff()
    assert (await bff.call("GET", "/readyz")).code == "database_unavailable"
    assert "python -m toolkit migrate" in bff.log.read_text()


async def test_the_breaker_opens_and_clerk_comes_back(world: World) -> None:
    await world.migrated()
    bff = await world.bff()
    world.emulator.add_fault({"match": CLIENT, "times": 5, "status": 500})
    for _ in range(5):
        assert (await bff.login("clerk@example.com")).status == 503
    before = sum(world.emulator.stats()["requests"]["POST /v1/client/sign_ins"].values())
    assert (await bff.login("clerk@example.com")).status == 503, "it is open, though Clerk is back"
    assert sum(world.emulator.stats()["requests"]["POST /v1/client/sign_ins"].values()) == before
    assert "bff_clerk_circuit_open 1.0" in (await bff.call("GET", "/metrics")).content
    await asyncio.sleep(OPEN_SECONDS)
    assert (await bff.login("clerk@example.com")).status == 200
    assert "bff_clerk_circuit_open 0.0" in (await bff.call("GET", "/metrics")).content


async def test_clerk_out_in_the_middle_of_a_challenge(world: World) -> None:
    await world.migrated(totp=True)
    bff = await world.bff()
    challenge = (await bff.login("clerk@example.com")).content["challenge"]["id"]
    world.emulator.add_fault({"match": CLIENT, "status": 500})
    assert (await bff.finish(challenge, code_now())).code == "authentication_unavailable"
    assert (await bff.finish(challenge, code_now())).content["status"] == "complete"


async def test_what_clerk_is_not_asked_is_no_attempt_at_a_challenge(world: World) -> None:
    await world.migrated(totp=True)
    bff = await world.bff()
    challenge = (await bff.login("clerk@example.com")).content["challenge"]["id"]
    world.emulator.add_fault({"match": CLIENT, "times": 5, "status": 500})
    for _ in range(5):
        assert (await bff.login("clerk@example.com")).status == 503
    for _ in range(ATTEMPTS + 1):
        assert (await bff.finish(challenge, code_now())).code == "authentication_unavailable", (
            "the breaker is open"
        )
    await asyncio.sleep(OPEN_SECONDS)
    assert (await bff.finish(challenge, code_now())).content["status"] == "complete"


async def test_codes_that_clerk_does_not_look_at_are_no_attempts_at_a_challenge(world: World) -> None:
    await asyncio.to_thread(world.emulator.settings, rate_limit="production")
    await world.migrated(totp=True)
    bff = await world.bff()
    challenge = (await bff.login("clerk@example.com")).content["challenge"]["id"]
    tried = [(await bff.finish(challenge, wrong_code())).status for _ in range(ATTEMPTS)]
    assert tried == [401] * ATTEMPTS
    await asyncio.to_thread(world.emulator.settings, rate_limit="off")
    assert (await bff.finish(challenge, code_now())).content["status"] == "complete"


async def test_no_clerk_configuration_at_all(world: World) -> None:
    await world.migrated()
    await api_key(world, await world.id_of("clerk@example.com"))
    bff = await world.bff(
        CLERK_SECRET_KEY=None,
        CLERK_PUBLISHABLE_KEY=None,
        CLERK_API_URL=None,
        CLERK_FRONTEND_API_URL=None,
        CLERK_PROXY_URL=None,
    )
    assert (await bff.login("clerk@example.com")).code == "authentication_unavailable"
    assert (await bff.call("GET", "/me", token=KEY)).status == 200
    assert (await bff.call("GET", "/readyz")).content["clerk"] == "not_configured"


async def let_in(world: World, *, nobody: bool = False) -> None:
    """Open the database to everybody, or end all connections and let nobody in."""
    server, _, name = world.url.rpartition("/")
    other = await asyncpg.connect(f"{server}/postgres")
    await other.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {'false' if nobody else 'true'}")
    if nobody:
        await other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
    await other.close()


async def test_postgres_gone_and_back(world: World) -> None:
    email, bff = await world.add(), await world.bff()
    token = await bff.token(email)
    await api_key(world, await world.connection.fetchval("SELECT id::text FROM users"))
    await let_in(world, nobody=True)
    for reply in (
        await bff.login(email),
        await bff.call("GET", "/auth/session", token=token),
        await bff.call("GET", "/me", token=KEY),
        await bff.call("GET", "/readyz"),
    ):
        assert (reply.status, reply.code) == (503, "database_unavailable")
    assert (await bff.call("GET", "/healthz")).status == 200
    await let_in(world)
    assert await bff.signed_in(token)
    assert (await bff.login(email)).status == 200
    assert (await bff.call("GET", "/me", token=KEY)).status == 200


async def test_a_bff_that_starts_before_postgres_is_there(world: World) -> None:
    email = await world.add()
    await let_in(world, nobody=True)
    bff = await world.bff()
    assert (await bff.call("GET", "/readyz")).status == 503
    await let_in(world)
    assert (await bff.login(email)).status == 200


async def test_a_bff_ends_in_order(world: World) -> None:
    email, bff = await world.add(), await world.bff()
    await bff.login(email)
    bff.stop()
    assert bff.process.returncode == 0
    assert "Traceback" not in bff.log.read_text()
    with contextlib.suppress(OSError):
        assert not await bff.signed_in("x")
