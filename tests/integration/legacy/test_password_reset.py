"""Resetting a password that AX keeps."""

import asyncio
import hashlib
import re

import pytest

from tests.integration.bff import test_password_reset as resets
from tests.integration.bff.conftest import PASSWORD, Bff, wrong_code
from tests.integration.bff.test_password_reset import NEW, NOBODY, complete, kinds, send, shape, verify
from tests.integration.legacy.conftest import LegacyWorld
from tests.waiting import until

EMAIL = "legacy@example.com"


async def begin(bff: Bff, email: str = EMAIL, **more: object) -> str:
    return await resets.begin(bff, email, **more)


async def code(world: LegacyWorld, email: str = EMAIL, *, count: int = 1) -> str:
    """The code of the newest mail, once there are `count` with one."""

    async def codes() -> list[str]:
        mails = await world.mail(email, "mail", count=count)
        return [found[0] for mail in mails if (found := re.findall(r"\b\d{6}\b", mail["text"]))]

    async def enough() -> bool:
        return len(await codes()) >= count

    async def can_be_tried() -> bool:
        return len(await world.reset_state()) > 50

    await until(enough)
    await until(can_be_tried)
    return (await codes())[-1]


async def proven(world: LegacyWorld, bff: Bff) -> str:
    """A reset whose code came back."""
    reset_id = await begin(bff)
    assert (await verify(bff, reset_id, await code(world))).content["status"] == "needs_new_password"
    return reset_id


async def test_a_forgotten_password_is_replaced_and_everybody_is_out(world: LegacyWorld) -> None:
    await world.legacy()
    bff = await world.bff()
    before = await bff.token(EMAIL)
    done = await complete(bff, await proven(world, bff))
    assert (done.content["status"], done.content["user"]["authentication"]) == ("complete", "legacy")
    assert await bff.signed_in(done.content["token"])
    assert not await bff.signed_in(before)
    assert (await bff.login(EMAIL, NEW)).status == 200
    assert (await bff.login(EMAIL, PASSWORD)).code == "credentials_invalid"
    assert await kinds(world) == ["password_reset", "other_sessions_ended"]
    assert len(await world.mail(EMAIL, "mail", count=2)) == 2, "the code, and that it was done"
    assert await world.connection.fetchval("SELECT count(*) FROM password_reset_codes") == 0


async def test_the_second_factor_is_asked_for_before_there_is_a_session(world: LegacyWorld) -> None:
    """Invariant 2."""
    await world.legacy(totp=True)
    bff = await world.bff()
    before = await world.token(bff, EMAIL)
    asked = await complete(bff, await proven(world, bff))
    assert asked.content["status"] == "needs_second_factor"
    assert not await bff.signed_in(before)
    challenge = asked.content["challenge"]["id"]
    assert (await bff.finish(challenge, wrong_code())).code == "code_invalid"
    done = await bff.finish(challenge, await world.fresh_code())
    assert await bff.signed_in(done.content["token"])


async def test_everybody_is_answered_alike(world: LegacyWorld) -> None:
    """Invariant 9."""
    await world.migrated()
    await world.legacy()
    await world.legacy("disabled@example.com")
    await world.connection.execute(
        "UPDATE users SET disabled_at = now() WHERE email = 'disabled@example.com'"
    )
    bff = await world.bff()
    told = []
    for email in (NOBODY, EMAIL, "clerk@example.com", "disabled@example.com"):
        begun = await bff.call("POST", "/auth/password/reset", {"email": email})
        reset_id = begun.content["reset_id"]
        if email == EMAIL:
            await code(world)
        wrong = [await verify(bff, reset_id, wrong_code()) for _ in range(6)]
        told.append([shape(reply) for reply in (begun, *wrong, await complete(bff, reset_id))])
    assert all(other == told[0] for other in told)


async def test_a_code_is_no_secret_of_the_table_and_works_once(world: LegacyWorld) -> None:
    """Invariant 8."""
    await world.legacy()
    bff = await world.bff()
    reset_id = await begin(bff)
    sent = await code(world)
    kept = await world.connection.fetchrow(
        "SELECT c.*, extract(epoch FROM expires_at - created_at) / 60 AS minutes FROM password_reset_codes AS c"
    )
    assert kept is not None
    assert sent not in str(kept)
    guesses = (sent, f"{kept['user_id']} {sent}", f"{kept['id']} {sent}")
    assert kept["code_hash"] not in [hashlib.sha256(guess.encode()).digest() for guess in guesses]
    assert kept["minutes"] == 15
    assert sent not in bff.log.read_text()
    replies = await asyncio.gather(*(verify(bff, reset_id, sent) for _ in range(3)))
    assert sorted(reply.status for reply in replies) == [200, 401, 401]


async def test_a_stranger_takes_no_code_and_no_attempt_from_the_owner(world: LegacyWorld) -> None:
    """Whoever begins another reset for the address has another code sent; the owner's reset takes it."""
    await world.legacy()
    bff = await world.bff()
    mine = await begin(bff)
    old = await code(world)
    strangers = await begin(bff)
    new = await code(world, count=2)
    for _ in range(5):
        assert (await verify(bff, strangers, wrong_code())).code == "code_invalid"
    assert (await verify(bff, strangers, new)).code == "challenge_expired"
    assert (await verify(bff, mine, old)).code == "code_invalid"
    assert (await verify(bff, mine, new)).status == 200
    assert (await complete(bff, mine)).content["status"] == "complete"


async def test_a_code_that_came_back_in_one_reset_opens_no_other(world: LegacyWorld) -> None:
    await world.legacy()
    bff = await world.bff()
    mine = await begin(bff)
    await code(world)
    strangers = await begin(bff)
    sent = await code(world, count=2)
    assert (await verify(bff, mine, sent)).status == 200
    assert (await verify(bff, strangers, sent)).code == "code_invalid"
    assert (await complete(bff, strangers)).code == "challenge_expired"
    assert (await complete(bff, mine)).content["status"] == "complete"


async def test_a_code_expires_and_another_one_is_sent(world: LegacyWorld) -> None:
    await world.legacy()
    bff = await world.bff()
    reset_id = await begin(bff)
    sent = await code(world)
    await world.connection.execute("UPDATE password_reset_codes SET expires_at = now()")
    assert (await verify(bff, reset_id, sent)).code == "code_invalid"
    before = await world.reset_state()
    assert (await send(bff, reset_id)).status == 204

    async def is_sent() -> bool:
        return await world.reset_state() != before

    await until(is_sent)
    assert (await verify(bff, reset_id, await code(world, count=2))).status == 200


async def test_one_code_of_a_user_lives_at_a_time(world: LegacyWorld) -> None:
    await world.legacy()
    bff = await world.bff()
    first = await begin(bff)
    old = await code(world)
    second = await begin(bff)
    new = await code(world, count=2)
    assert await world.connection.fetchval("SELECT count(*) FROM password_reset_codes") == 1
    assert (await verify(bff, first, old)).code == "code_invalid"
    assert (await verify(bff, second, new)).status == 200
    third = await begin(bff)
    assert (await verify(bff, third, await code(world, count=3))).status == 200
    assert (await complete(bff, second)).status == 200, "whose code came back is not held up by the next"
    assert (await complete(bff, third, PASSWORD)).code == "challenge_expired"


async def test_many_codes_at_once_leave_one(world: LegacyWorld) -> None:
    await world.legacy()
    bff = await world.bff()
    await asyncio.gather(*(begin(bff) for _ in range(5)))
    await code(world, count=5)
    assert await world.connection.fetchval("SELECT count(*) FROM password_reset_codes") == 1


async def test_what_is_not_taken_is_told_and_it_goes_on(world: LegacyWorld) -> None:
    await world.legacy()
    bff = await world.bff()
    before, reset_id = await bff.token(EMAIL), await proven(world, bff)
    for password, fault in (("x" * 7, "too_short"), ("x" * 73, "too_long")):
        refused = await complete(bff, reset_id, password)
        assert [(error["field"], error["code"]) for error in refused.content["errors"]] == [
            ("new_password", fault)
        ]
    assert await bff.signed_in(before)
    assert (await complete(bff, reset_id)).content["status"] == "complete"


async def test_a_reset_is_good_for_one_password(world: LegacyWorld) -> None:
    await world.legacy()
    bff = await world.bff()
    reset_id = await proven(world, bff)
    done = await asyncio.gather(*(complete(bff, reset_id, f"{NEW} {number}") for number in range(2)))
    assert sorted(reply.status for reply in done) == [200, 401]
    logins = [(await bff.login(EMAIL, f"{NEW} {number}")).status for number in range(2)]
    assert logins == [reply.status for reply in done]


async def test_replicas_take_turns(world: LegacyWorld) -> None:
    await world.legacy()
    one, two, three = [await world.bff() for _ in range(3)]
    reset_id = await begin(one)
    assert (await verify(two, reset_id, await code(world))).status == 200
    assert (await complete(three, reset_id)).content["status"] == "complete"


async def test_no_text_message_is_sent(world: LegacyWorld) -> None:
    await world.legacy()
    bff = await world.bff()
    reset_id = await begin(bff, method="sms")
    assert (await verify(bff, reset_id, "123456")).code == "code_invalid"
    await until(lambda: "was not sent" in bff.log.read_text())
    assert await world.connection.fetchval("SELECT count(*) FROM password_reset_codes") == 0


async def test_a_straggler_who_is_moved_before_the_code_comes_back_goes_on_through_clerk(
    world: LegacyWorld,
) -> None:
    """Invariant 3: the code from before opens nothing."""
    await world.legacy()
    bff = await world.bff()
    reset_id = await begin(bff)
    old = await code(world)
    await world.move(EMAIL)
    assert (await verify(bff, reset_id, old)).code == "code_invalid"
    sent = await resets.code(world, EMAIL)
    assert (await verify(bff, reset_id, old)).code == "code_invalid"
    assert (await verify(bff, reset_id, sent)).status == 200
    done = await complete(bff, reset_id)
    assert done.content["user"]["authentication"] == "clerk"
    assert [(await bff.login(EMAIL, password)).status for password in (NEW, PASSWORD)] == [200, 401]


async def test_a_straggler_who_is_moved_after_that_is_told_so_and_goes_on_through_clerk(
    world: LegacyWorld,
) -> None:
    """Invariant 3: the code from before opens nothing."""
    await world.legacy()
    bff = await world.bff()
    reset_id = await proven(world, bff)
    await world.move(EMAIL)
    anew = await complete(bff, reset_id)
    assert (anew.status, anew.content["status"]) == (200, "needs_code")
    assert (await bff.login(EMAIL, NEW)).code == "credentials_invalid"
    sent = await resets.code(world, EMAIL)
    assert (await verify(bff, anew.content["reset_id"], sent)).status == 200
    done = await complete(bff, anew.content["reset_id"])
    assert done.content["user"]["authentication"] == "clerk"
    assert [(await bff.login(EMAIL, password)).status for password in (NEW, PASSWORD)] == [200, 401]
    assert await kinds(world) == ["password_reset", "other_sessions_ended"]


@pytest.mark.parametrize("proven_before", [False, True])
async def test_with_the_switch_off_no_password_is_reset(world: LegacyWorld, proven_before: bool) -> None:
    await world.legacy()
    bff = await world.bff()
    reset_id = await proven(world, bff) if proven_before else await begin(bff)
    sent = await code(world)
    await world.switch("legacy_login", "off")
    if proven_before:
        assert (await complete(bff, reset_id)).code == "challenge_expired"
    else:
        assert (await verify(bff, reset_id, sent)).code == "code_invalid"
    await world.switch("legacy_login", "on")
    assert (await bff.login(EMAIL)).status == 200


async def test_whoever_is_disabled_meanwhile_sets_nothing(world: LegacyWorld) -> None:
    await world.legacy()
    bff = await world.bff()
    reset_id = await proven(world, bff)
    await world.connection.execute("UPDATE users SET disabled_at = now()")
    assert (await complete(bff, reset_id)).code == "challenge_expired"
    await world.connection.execute("UPDATE users SET disabled_at = NULL")
    assert (await bff.login(EMAIL)).status == 200


async def test_a_new_password_and_what_is_told_of_it_are_one(world: LegacyWorld) -> None:
    """Invariant 7: what can't be written down is not done, and nobody is told that it was."""
    await world.legacy()
    bff = await world.bff()
    before, reset_id = await bff.token(EMAIL), await proven(world, bff)
    async with world.nothing_written_down():
        assert (await complete(bff, reset_id)).status >= 500
    assert [(await bff.login(EMAIL, password)).status for password in (NEW, PASSWORD)] == [401, 200]
    await world.settle_changes()
    assert await bff.signed_in(before)
    assert await kinds(world) == []
    assert (await complete(bff, reset_id)).content["status"] == "complete"
    assert not await bff.signed_in(before)
    assert await kinds(world) == ["password_reset", "other_sessions_ended"]
