"""Proving once more who one is, in a session that one has."""

import asyncio

from tests.integration.bff.conftest import Bff, World, most, wrong_code


async def begin_totp(bff: Bff, token: str) -> int:
    """What a step that needs recent proof answers."""
    return (await bff.call("POST", "/auth/mfa/totp", token=token)).status


async def test_a_login_is_recent_proof_for_ten_minutes(world: World) -> None:
    email, bff = await world.add(), await world.bff()
    token = await bff.token(email)
    assert await begin_totp(bff, token) == 201
    await world.age_proofs()
    refused = await bff.call("POST", "/auth/mfa/totp", token=token)
    assert (refused.status, refused.code, refused.content["methods"]) == (
        403,
        "reauthentication_required",
        ["password"],
    )
    assert (await bff.reauthenticate(token, "wrong")).content["errors"][0]["field"] == "password"
    assert await begin_totp(bff, token) == 403
    assert (await bff.reauthenticate(token)).content["status"] == "complete"
    assert await begin_totp(bff, token) == 201


async def test_the_second_factor_is_asked_for_too(world: World) -> None:
    """Invariant 2."""
    email, bff = await world.add(totp=True), await world.bff()
    token = await world.token(bff, email)
    await world.age_proofs()
    begun = await bff.reauthenticate(token)
    assert begun.content["status"] == "needs_second_factor"
    challenge = begun.content["challenge"]["id"]
    removed = await bff.call("DELETE", "/auth/mfa/totp", token=token)
    assert removed.code == "reauthentication_required", "the password alone is not enough"
    assert (await bff.prove(token, challenge, wrong_code())).code == "code_invalid"
    assert (await bff.finish(challenge, await world.fresh_code())).code == "challenge_expired", (
        "it is no login's"
    )
    assert (await bff.prove(token, challenge, await world.fresh_code())).content["status"] == "complete"
    assert (await bff.call("DELETE", "/auth/mfa/totp", token=token)).status == 204


async def test_a_challenge_is_finished_in_its_own_session_alone(world: World) -> None:
    email, bff = await world.add(totp=True), await world.bff()
    tokens = [await world.token(bff, email) for _ in range(2)]
    challenge = (await bff.reauthenticate(tokens[0])).content["challenge"]["id"]
    assert (await bff.prove(tokens[1], challenge, await world.fresh_code())).code == "challenge_expired"


async def test_whoever_took_a_session_does_not_get_to_try_passwords(world: World) -> None:
    world.limits["reauthentication_by_session"] = most(3, 1_000_000)
    email, bff = await world.add(), await world.bff()
    token = await bff.token(email)
    codes = [(await bff.reauthenticate(token, "wrong")).code for _ in range(4)]
    assert codes == ["fields_invalid"] * 3 + ["too_many_attempts"]


async def test_it_needs_a_session(world: World) -> None:
    bff = await world.bff()
    assert (await bff.reauthenticate("nonsense")).code == "session_required"


async def test_a_session_from_before_the_move_gets_one_in_clerk(world: World) -> None:
    await world.migrated()
    bff = await world.bff()
    token = await bff.token("clerk@example.com")
    await world.connection.execute(
        "UPDATE sessions SET clerk_session_id = NULL, clerk_client_token_cipher = NULL,"
        " clerk_client_token_nonce = NULL"
    )
    assert (await bff.call("GET", "/auth/mfa", token=token)).code == "reauthentication_required"
    assert (await bff.reauthenticate(token)).content["status"] == "complete"
    assert (await bff.call("GET", "/auth/mfa", token=token)).content["totp"] is False
    assert await world.connection.fetchval("SELECT clerk_session_id IS NOT NULL FROM sessions")
    assert await world.connection.fetchval("SELECT count(*) FROM sessions") == 1, "it mints nothing"


async def test_the_session_in_clerk_that_stood_behind_it_is_ended(world: World) -> None:
    clerk_id = await world.migrated()
    await asyncio.to_thread(world.emulator.settings, single_session_mode=False)
    bff = await world.bff()
    token = await bff.token("clerk@example.com")
    await bff.reauthenticate(token)
    async with world.clerk() as clerk:
        for _ in range(100):
            states = sorted(session.status for session in await clerk.list_sessions(user_id=clerk_id))
            if states == ["active", "ended"]:
                break
            await asyncio.sleep(0.1)
    assert states == ["active", "ended"]


async def test_with_clerk_out_nothing_is_proven(world: World) -> None:
    """Invariant 3."""
    await world.migrated()
    bff = await world.bff()
    token = await bff.token("clerk@example.com")
    await world.age_proofs()
    world.emulator.add_fault({"match": {"path": "/v1/client/*"}, "times": 100, "status": 503})
    assert (await bff.reauthenticate(token)).code == "authentication_unavailable"
    world.emulator.clear_faults()
    assert await begin_totp(bff, token) == 403


async def test_whoever_took_a_session_leaves_guesses_to_the_owner(world: World) -> None:
    """Clerk's ten are for all: with the session's cookies somebody gets to try seven."""
    await asyncio.to_thread(world.emulator.settings, lockout_attempts=10)
    await world.migrated()
    bff = await world.bff()
    owner = (await bff.login("clerk@example.com", delivery="bearer")).content
    for _ in range(9):
        body = {"password": "wrong", "device": owner["device"]}
        reply = await bff.call("POST", "/auth/reauthenticate", body, token=owner["token"])
        assert reply.code == "fields_invalid"
    traffic = (await asyncio.to_thread(world.emulator.traffic)).splitlines()
    assert len([line for line in traffic if "form_password_incorrect" in line]) == 7
    again = await bff.login("clerk@example.com", device=owner["device"], delivery="bearer")
    assert again.content["status"] == "complete"


async def test_a_session_that_is_ended_meanwhile_is_not_proven(world: World) -> None:
    await world.migrated()
    bff = await world.bff()
    token = await bff.token("clerk@example.com")
    match = {"path": "/v1/client/sign_ins"}
    world.emulator.add_fault({"match": match, "times": 1, "latency_ms": 700})
    proving = asyncio.create_task(bff.reauthenticate(token))
    await asyncio.sleep(0.3)
    await world.connection.execute("UPDATE sessions SET revoked_at = now()")
    assert (await proving).code == "session_required"
