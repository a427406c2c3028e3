"""Logging in as AX checks it: what holds for users of Clerk, and what only legacy knows."""

import asyncio
import time

import pyotp

from tests.integration.bff.conftest import PASSWORD, SECRET, code_now
from tests.integration.bff.test_hardening import (
    test_the_limit_by_account_does_not_tell_whether_there_is_one,
    test_who_is_over_the_limit_by_address_does_not_use_up_somebody_elses_account,
)
from tests.integration.bff.test_login import (
    test_a_challenge_expires,
    test_the_right_password_makes_a_session,
    test_the_second_factor_is_asked_for_and_a_code_works_once,
    test_two_at_once_finish_a_challenge_once,
    test_who_has_the_password_does_not_get_to_try_all_codes,
    test_whoever_is_refused_learns_nothing,
    test_wrong_codes_are_few,
)
from tests.integration.legacy.conftest import LegacyWorld

__all__ = [
    "test_a_challenge_expires",
    "test_the_limit_by_account_does_not_tell_whether_there_is_one",
    "test_the_right_password_makes_a_session",
    "test_the_second_factor_is_asked_for_and_a_code_works_once",
    "test_two_at_once_finish_a_challenge_once",
    "test_who_has_the_password_does_not_get_to_try_all_codes",
    "test_who_is_over_the_limit_by_address_does_not_use_up_somebody_elses_account",
    "test_whoever_is_refused_learns_nothing",
    "test_wrong_codes_are_few",
]


async def test_the_legacy_digest_of_a_migrated_user_opens_nothing(world: LegacyWorld) -> None:
    """Invariant 3."""
    await world.moved(old_password="the old password")
    bff = await world.bff()
    assert (await bff.login("clerk@example.com", "the old password")).code == "credentials_invalid"
    off = await world.bff(CLERK_SECRET_KEY=None, CLERK_PUBLISHABLE_KEY=None)
    assert (await off.login("clerk@example.com", "the old password")).code == "authentication_unavailable"
    world.emulator.add_fault({"match": {"path": "/v1/client/*"}, "times": 100, "status": 503})
    reply = await bff.login("clerk@example.com", "the old password")
    world.emulator.clear_faults()
    assert (reply.status, reply.code) == (503, "authentication_unavailable")
    assert int(reply.headers["Retry-After"]) >= 1


async def test_with_the_switch_off_nobody_logs_in_without_clerk(world: LegacyWorld) -> None:
    await world.migrated()
    await world.legacy(totp=True)
    await world.legacy("plain@example.com")
    bff = await world.bff()
    session = await bff.token("plain@example.com")
    challenge = (await bff.login("legacy@example.com")).content["challenge"]["id"]
    await world.switch("legacy_login", "off")
    wrong = (await bff.login("plain@example.com", "wrong")).told
    assert (await bff.login("plain@example.com")).told == wrong
    assert (await bff.login("nobody@example.com")).told == wrong
    assert (await bff.finish(challenge, code_now())).code == "challenge_expired"
    assert (await bff.login("clerk@example.com")).status == 200
    assert await bff.signed_in(session)
    assert (await world.counts())["legacy", "legacy_off"] == 2
    await world.switch("legacy_login", "on")
    assert (await bff.login("plain@example.com")).status == 200


async def test_a_user_moved_to_clerk_between_the_steps_begins_anew(world: LegacyWorld) -> None:
    """Invariant 3."""
    await world.legacy(totp=True)
    bff = await world.bff()
    challenge = (await bff.login("legacy@example.com")).content["challenge"]["id"]
    await world.connection.execute("UPDATE users SET clerk_id = 'user_1'")
    assert (await bff.finish(challenge, code_now())).code == "challenge_expired"


async def test_a_password_changed_between_the_steps_ends_the_login(world: LegacyWorld) -> None:
    """Invariant 4."""
    await world.legacy(totp=True)
    bff = await world.bff()
    challenge = (await bff.login("legacy@example.com")).content["challenge"]["id"]
    await world.connection.execute("UPDATE users SET hashed_password = 'another'")
    assert (await bff.finish(challenge, code_now())).code == "challenge_expired"


async def test_a_user_without_a_digest_is_refused(world: LegacyWorld) -> None:
    await world.row("nothing@example.com")
    bff = await world.bff()
    wrong = (await bff.login("nobody@example.com")).told
    assert (await bff.login("nothing@example.com", "")).code == "request_invalid"
    assert (await bff.login("nothing@example.com")).told == wrong


async def test_a_code_finishes_one_of_two_challenges(world: LegacyWorld) -> None:
    """A code works once, also at the same moment."""
    email, bff = await world.add(totp=True), await world.bff()
    challenges = [(await bff.login(email)).content["challenge"]["id"] for _ in range(3)]
    code = code_now()
    replies = await asyncio.gather(*(bff.finish(challenge, code) for challenge in challenges))
    assert sorted(reply.status for reply in replies) == [200, 401, 401]
    assert {reply.code for reply in replies if reply.status == 401} == {"code_invalid"}
    kept = await world.connection.fetchrow("SELECT * FROM clerk_migration.spent_codes")
    assert code not in str(kept)


async def test_a_code_that_is_older_than_one_that_was_used_is_used_up_with_it(world: LegacyWorld) -> None:
    email, bff = await world.add(totp=True), await world.bff()
    authenticator, now = pyotp.TOTP(SECRET), time.time()
    newer, older = authenticator.at(now + 30), authenticator.at(now)
    replies = [
        await bff.finish((await bff.login(email)).content["challenge"]["id"], code) for code in (newer, older)
    ]
    assert (replies[0].status, replies[1].code) == (200, "code_invalid")


async def test_a_code_works_once_also_across_the_move(world: LegacyWorld) -> None:
    """And across a move back."""
    await world.legacy(totp=True)
    bff, code = await world.bff(), code_now()

    async def finish() -> str | int:
        challenge = (await bff.login("legacy@example.com")).content["challenge"]["id"]
        reply = await bff.finish(challenge, code)
        return reply.status if reply.status == 200 else reply.code

    assert await finish() == 200
    async with world.clerk() as clerk:
        made = await clerk.create_user(
            email_address="legacy@example.com", password=PASSWORD, totp_secret=SECRET
        )
    await world.connection.execute("UPDATE users SET clerk_id = $1", made.id)
    assert await finish() == "code_invalid"
    code = await world.fresh_code()
    assert await finish() == 200
    await world.connection.execute("UPDATE users SET clerk_id = NULL")
    assert await finish() == "code_invalid"


async def test_a_device_that_is_known_on_legacy_is_known_after_the_move(world: LegacyWorld) -> None:
    """So no stranger shuts out whoever was just moved."""
    await asyncio.to_thread(world.emulator.settings, lockout_attempts=10)
    world.limit_logins(1000)
    user_id = await world.legacy("somebody@example.com")
    bff = await world.bff()
    device = (await bff.login("somebody@example.com", delivery="bearer")).content["device"]
    async with world.clerk() as clerk:
        made = await clerk.create_user(email_address="somebody@example.com", password=PASSWORD)
    await world.connection.execute("UPDATE users SET clerk_id = $1 WHERE id = $2", made.id, user_id)
    for number in range(12):
        address = f"203.0.113.{number}"
        assert (await bff.login("somebody@example.com", "wrong", address=address)).status == 401
    assert (await bff.login("somebody@example.com")).code == "credentials_invalid", "not from just anywhere"
    at_home = await bff.login("somebody@example.com", delivery="bearer", device=device)
    assert at_home.content["status"] == "complete"
