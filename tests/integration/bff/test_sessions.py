"""Sessions and API keys: AX's own, whatever Clerk does."""

import asyncio
import hashlib

import pytest

from tests.integration.bff.conftest import Bff, World
from tests.waiting import until

KEY = "ax_" + "k" * 43


async def api_key(world: World, user_id: str, **columns: object) -> None:
    await world.connection.execute(
        "INSERT INTO api_keys (user_id, name, key_hash) VALUES ($1::text::uuid, 'k', $2)",
        user_id,
        hashlib.sha256(KEY.encode()).digest(),
    )


async def test_a_session_ends_when_it_is_revoked(world: World) -> None:
    email, bff = await world.add(), await world.bff()
    first, second = await bff.token(email), await bff.token(email)
    listed = (await bff.call("GET", "/auth/sessions", token=first)).content["sessions"]
    assert [session["current"] for session in listed].count(True) == 1
    other = next(session for session in listed if not session["current"])
    reply = await bff.call("DELETE", f"/auth/sessions/{other['id']}", token=first)
    assert (reply.status, await bff.signed_in(first), await bff.signed_in(second)) == (204, True, False)
    assert (await bff.call("DELETE", f"/auth/sessions/{other['id']}", token=first)).code == "not_found"
    assert (await bff.call("DELETE", "/auth/sessions/nonsense", token=first)).code == "not_found"


async def test_nobody_ends_anothers_session(world: World) -> None:
    email, other = await world.add(), await world.add("other@example.com")
    bff = await world.bff()
    mine, others = await bff.token(email), await bff.token(other)
    listed = (await bff.call("GET", "/auth/sessions", token=others)).content["sessions"]
    reply = await bff.call("DELETE", f"/auth/sessions/{listed[0]['id']}", token=mine)
    assert (reply.code, await bff.signed_in(others)) == ("not_found", True)


async def test_a_session_ends_when_the_user_is_disabled_or_all_are_revoked(world: World) -> None:
    email, bff = await world.add(), await world.bff()
    token = await bff.token(email)
    await world.connection.execute("UPDATE users SET disabled_at = now()")
    assert not await bff.signed_in(token)
    await world.connection.execute("UPDATE users SET disabled_at = NULL")
    assert not await bff.signed_in(token), "it does not come back with the account"
    token = await bff.token(email)
    await world.connection.execute("UPDATE users SET disabled_at = NULL, updated_at = now()")
    assert await bff.signed_in(token)
    await world.connection.execute("UPDATE sessions SET revoked_at = now()")
    assert not await bff.signed_in(token)


async def test_expiry_slides_and_ends(world: World) -> None:
    email, bff = await world.add(), await world.bff()
    token = await bff.token(email)
    await world.connection.execute(
        "UPDATE sessions SET last_used_at = now() - interval '1 hour', expires_at = now() + interval '1 minute'"
    )
    assert await bff.signed_in(token)
    assert await world.connection.fetchval("SELECT expires_at > now() + interval '13 days' FROM sessions")
    await world.connection.execute(
        "UPDATE sessions SET last_used_at = now() - interval '1 hour', max_expires_at = now() + interval '1 second'"
    )
    assert await bff.signed_in(token)
    assert await world.connection.fetchval("SELECT expires_at = max_expires_at FROM sessions")
    await world.connection.execute("UPDATE sessions SET expires_at = now()")
    assert not await bff.signed_in(token)


async def test_logging_out_ends_the_session_in_clerk_and_does_not_wait(world: World) -> None:
    clerk_id = await world.migrated()
    bff = await world.bff(constants={"bff.parts.CLERK_SECONDS": 60})
    token = await bff.token("clerk@example.com")
    async with world.clerk() as clerk:

        async def statuses() -> list[str]:
            return [session.status for session in await clerk.list_sessions(user_id=clerk_id)]

        async def ended() -> bool:
            return await statuses() == ["ended"]

        hanging = {"match": {"method": "POST", "path": "/v1/client/*"}, "latency_ms": 4000}
        await asyncio.to_thread(world.emulator.add_fault, hanging)
        assert (await bff.call("POST", "/auth/logout", token=token)).status == 204
        assert not await bff.signed_in(token)
        assert await statuses() == ["active"], "it isn't waited for"
        await until(ended)


async def test_what_clerk_has_of_a_session_is_encrypted(world: World) -> None:
    """Invariant 8."""
    await world.migrated()
    bff = await world.bff()
    token = await bff.token("clerk@example.com")
    kept = await world.connection.fetchval("SELECT clerk_client_token_cipher FROM sessions")
    device = await world.connection.fetchval("SELECT client_token_cipher FROM clerk_migration.devices")
    assert b"eyJ" not in bytes(kept)
    assert b"eyJ" not in bytes(device)
    log = bff.log.read_text()
    for secret in (token, "her long password", "eyJ"):
        assert secret not in log


@pytest.mark.parametrize(
    ("origin", "accepted"),
    [
        ("own", True),
        (None, False),
        ("https://evil.example", False),
        ("null", False),
    ],
)
async def test_a_cookie_needs_a_matching_origin(world: World, origin: str | None, accepted: bool) -> None:
    email, bff = await world.add(), await world.bff()
    cookie = (await bff.login(email)).headers["Set-Cookie"].split(";")[0]
    headers = {"Cookie": cookie}
    if origin is not None:
        headers["Origin"] = bff.url.replace("http:", "https:") if origin == "own" else origin
    reply = await bff.call("POST", "/auth/logout", **headers)
    assert reply.status == (204 if accepted else 403)
    assert await signed_in_by(bff, cookie) is not accepted


async def signed_in_by(bff: Bff, cookie: str) -> bool:
    return (await bff.call("GET", "/auth/session", Cookie=cookie)).status == 200


async def test_nobodys_page_logs_a_visitor_in(world: World) -> None:
    email, bff = await world.add(), await world.bff()
    reply = await bff.login(email, Origin="https://evil.example")
    assert (reply.status, reply.code) == (403, "origin_mismatch")


async def test_api_keys_and_sessions_tell_who_one_is(world: World) -> None:
    email, bff = await world.add(), await world.bff()
    user_id = await world.id_of(email)
    await api_key(world, user_id)
    token = await bff.token(email)
    by_key, by_session = (
        await bff.call("GET", "/me", token=KEY),
        await bff.call("GET", "/me", token=token),
    )
    assert by_key.content == by_session.content
    assert by_key.content["id"] == user_id
    assert (await bff.call("GET", "/auth/session", token=KEY)).code == "session_required"
    assert (await bff.call("GET", "/me", token="ax_nonsense")).code == "session_required"
    assert (await bff.call("GET", "/me")).code == "session_required"
    for change in ("revoked_at = now()", "revoked_at = NULL, expires_at = now()"):
        await world.connection.execute(f"UPDATE api_keys SET {change}")  # noqa: S608
        assert (await bff.call("GET", "/me", token=KEY)).status == 401
    await world.connection.execute("UPDATE api_keys SET revoked_at = NULL, expires_at = NULL")
    await world.connection.execute("UPDATE users SET disabled_at = now()")
    assert (await bff.call("GET", "/me", token=KEY)).status == 401


async def test_whoever_is_logged_in_at_the_application_before_stays_so(world: World) -> None:
    """Its cookie has another name, which is guarded as the BFF's own is."""
    world.session["former_cookie"] = "sid"
    email, bff = await world.add(), await world.bff()
    before = {"Cookie": f"sid={await bff.token(email)}"}
    assert (await bff.call("GET", "/auth/session", **before)).status == 200
    assert (await bff.call("POST", "/auth/logout", **before)).code == "origin_mismatch"
    assert (await bff.call("POST", "/auth/logout", Origin=bff.url, **before)).status == 204
    assert (await bff.call("GET", "/auth/session", **before)).code == "session_required"
