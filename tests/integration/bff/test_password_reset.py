"""Resetting a password that was forgotten, or that must be replaced."""

import asyncio
import json
from typing import Any

import pytest

from tests.door import Door
from tests.integration.bff.conftest import PASSWORD, SECRET, Bff, Reply, World, most, wrong_code
from tests.waiting import until
from toolkit.clerk import ClerkConfig, FrontendClient

NEW = "another long password"
EMAIL = "clerk@example.com"
NOBODY = "nobody@example.com"
SIGNED_UP = "new@example.com"
NUMBER = "+4915112345678"
OTHER_NUMBER = "+4915112345679"
PURPOSE = "reset_password_email_code"


async def begin(bff: Bff, email: str = EMAIL, **more: Any) -> str:
    """A reset; its id."""
    begun = await bff.call("POST", "/auth/password/reset", {"email": email, **more})
    assert begun.status == 202, begun
    return str(begun.content["reset_id"])


async def send(bff: Bff, reset_id: str) -> Reply:
    return await bff.call("POST", "/auth/password/reset/send", {"reset_id": reset_id})


async def verify(bff: Bff, reset_id: str, code: str, **more: str) -> Reply:
    return await bff.call("POST", "/auth/password/reset/verify", {"reset_id": reset_id, "code": code}, **more)


async def complete(bff: Bff, reset_id: str, password: str = NEW, **more: Any) -> Reply:
    body = {"reset_id": reset_id, "new_password": password, "delivery": "bearer", **more}
    return await bff.call("POST", "/auth/password/reset/complete", body)


async def code(world: World, to: str = EMAIL, *, count: int = 1, purpose: str = PURPOSE) -> str:
    """The code that was sent, once what it is tried with is known here."""
    sent = (await world.mail(to, purpose, count=count))[-1]["code"]
    await until(
        lambda: world.connection.fetchval(
            "SELECT bool_or(octet_length(state_cipher) > 100) FROM clerk_migration.challenges WHERE purpose = 'reset'"
        )
    )
    return str(sent)


async def proven(world: World, bff: Bff, email: str = EMAIL) -> str:
    """A reset whose code came back."""
    reset_id = await begin(bff, email)
    right = await verify(bff, reset_id, await code(world, email))
    assert right.content["status"] == "needs_new_password", right
    return reset_id


def another(code: str) -> str:
    """A code that is not this one."""
    return f"{(int(code) + 1) % 1_000_000:06d}"


def shape(reply: Reply) -> tuple[object, ...]:
    """What can be learned from an answer: all but what differs from one to the next."""
    content = reply.content or {}
    changing = {name: len(str(content[name])) for name in ("reset_id", "expires_at") if name in content}
    return reply.status, {**content, **changing, "request_id": None}, sorted(reply.headers.keys())


async def outage(world: World, bff: Bff, calls: int) -> None:
    """Clerk does not answer, for so many calls in a row."""
    for _ in range(calls):
        world.emulator.add_fault({"match": {"path": "/v1/client/sign_ins"}, "status": 503})
        assert (await bff.login(EMAIL)).code == "authentication_unavailable"


async def kinds(world: World) -> list[str]:
    records = await world.connection.fetch("SELECT kind FROM clerk_migration.security_events ORDER BY id")
    return [record["kind"] for record in records]


async def test_a_forgotten_password_is_replaced_and_everybody_is_out(world: World) -> None:
    await world.migrated()
    bff = await world.bff()
    before = await bff.token(EMAIL)
    done = await complete(bff, await proven(world, bff))
    assert done.content["status"] == "complete"
    assert await bff.signed_in(done.content["token"])
    assert not await bff.signed_in(before)
    assert (await bff.login(EMAIL, NEW)).status == 200
    assert (await bff.login(EMAIL, PASSWORD)).code == "credentials_invalid"
    assert await kinds(world) == ["password_reset", "other_sessions_ended"]
    (mail,) = await world.mail(EMAIL, "mail")
    assert "password" in mail["subject"].lower()


async def test_nobody_is_in_by_a_session_in_clerk_from_before(world: World) -> None:
    clerk_id = await world.migrated()
    bff = await world.bff()
    await bff.token(EMAIL)
    assert (await complete(bff, await proven(world, bff))).status == 200
    async with world.clerk() as clerk:
        assert len(await clerk.list_sessions(clerk_id, status="active")) == 1


async def test_the_session_is_handed_over_as_a_cookie_and_counts_as_proven(world: World) -> None:
    await world.migrated()
    bff = await world.bff()
    done = await complete(bff, await proven(world, bff), delivery="cookie")
    assert "token" not in done.content or done.content["token"] is None
    cookies = done.headers.getall("Set-Cookie")
    (session,) = [cookie.split(";")[0] for cookie in cookies if "session" in cookie]
    token = session.partition("=")[2]
    assert (await bff.call("POST", "/auth/mfa/totp", token=token)).status == 201


async def test_the_second_factor_is_asked_for_before_there_is_a_session(world: World) -> None:
    """Invariant 2."""
    await world.migrated(totp=True)
    bff = await world.bff()
    before = await world.token(bff, EMAIL)
    asked = await complete(bff, await proven(world, bff))
    assert asked.content["status"] == "needs_second_factor"
    assert not await bff.signed_in(before)
    challenge = asked.content["challenge"]["id"]
    assert (await bff.finish(challenge, wrong_code())).code == "code_invalid"
    done = await bff.finish(challenge, await world.fresh_code())
    assert await bff.signed_in(done.content["token"])


async def test_nobody_finishes_a_login_that_the_old_password_began(world: World) -> None:
    await world.migrated(totp=True)
    bff = await world.bff()
    begun = (await bff.login(EMAIL)).content["challenge"]["id"]
    assert (await complete(bff, await proven(world, bff))).content["status"] == "needs_second_factor"
    assert (await bff.finish(begun, await world.fresh_code())).code == "challenge_expired"


@pytest.mark.parametrize("changed_by", ["a change", "a reset"])
async def test_who_began_a_reset_does_not_learn_that_the_password_was_changed(
    world: World, changed_by: str
) -> None:
    """Invariant 9: it goes on as one for an address that nobody has does, and the code that was sent before opens nothing."""
    await world.migrated()
    bff = await world.bff()
    strangers, nobodys = await begin(bff), await begin(bff, NOBODY)
    sent = await code(world)
    if changed_by == "a change":
        body = {"current_password": PASSWORD, "new_password": NEW}
        token = await bff.token(EMAIL)
        assert (await bff.call("POST", "/auth/password/change", body, token=token)).status == 204
    else:
        mine = await begin(bff)
        assert (await verify(bff, mine, await code(world, count=2))).status == 200
        assert (await complete(bff, mine)).status == 200
    mails = len(await world.mail(EMAIL, PURPOSE))
    told = []
    for reset_id in (strangers, nobodys):
        answers = [
            await verify(bff, reset_id, sent),
            await send(bff, reset_id),
            await complete(bff, reset_id),
        ]
        answers += [await verify(bff, reset_id, wrong_code()) for _ in range(5)]
        told.append([shape(reply) for reply in answers])
    assert told[0] == told[1]
    assert [status for status, *_ in told[0]] == [401, 204, 401, 401, 401, 401, 401, 401]
    assert len(await world.mail(EMAIL, PURPOSE)) == mails


async def test_everybody_is_answered_alike(world: World) -> None:
    """Invariant 9."""
    await world.migrated()
    await world.row("disabled@example.com", clerk_id="user_1")
    await world.connection.execute(
        "UPDATE users SET disabled_at = now() WHERE email = 'disabled@example.com'"
    )
    await world.row("gone@example.com", clerk_id="user_2")
    bff = await world.bff()
    told = []
    for email in (EMAIL, NOBODY, "disabled@example.com", "gone@example.com", "not an address"):
        begun = await bff.call("POST", "/auth/password/reset", {"email": email})
        reset_id = begun.content["reset_id"]
        await asyncio.sleep(0.05)  # the pause between two codes, which is short here
        answers = [begun, await send(bff, reset_id)]
        answers += [await verify(bff, reset_id, wrong_code()) for _ in range(6)]
        answers.append(await complete(bff, reset_id))
        told.append([shape(reply) for reply in answers])
    for other in told[1:]:
        assert other == told[0]


async def test_a_disabled_account_gets_no_code(world: World) -> None:
    await world.migrated()
    await world.migrated("disabled@example.com")
    await world.connection.execute(
        "UPDATE users SET disabled_at = now() WHERE email = 'disabled@example.com'"
    )
    bff = await world.bff()
    await begin(bff, "disabled@example.com")
    await begin(bff)
    await code(world)
    outbox = await asyncio.to_thread(world.emulator.control, "GET", "outbox")
    assert {mail["to"] for mail in outbox} == {EMAIL}


async def test_an_account_that_is_disabled_meanwhile_is_over(world: World) -> None:
    await world.migrated()
    bff = await world.bff()
    reset_id = await proven(world, bff)
    await world.connection.execute("UPDATE users SET disabled_at = now()")
    assert (await complete(bff, reset_id)).code == "challenge_expired"


async def test_five_wrong_codes_end_it(world: World) -> None:
    await world.migrated()
    bff = await world.bff()
    for email in (EMAIL, NOBODY):
        reset_id = await begin(bff, email)
        codes = [(await verify(bff, reset_id, wrong_code())).code for _ in range(6)]
        assert codes == ["code_invalid"] * 5 + ["challenge_expired"]
    assert (await verify(bff, reset_id, await code(world))).code == "challenge_expired"


async def test_a_code_that_has_expired_at_clerk_is_wrong(world: World) -> None:
    await world.migrated()
    bff = await world.bff()
    reset_id = await begin(bff)
    sent = await code(world)
    await asyncio.to_thread(world.emulator.advance, 11 * 60)
    assert (await verify(bff, reset_id, sent)).code == "code_invalid"
    await send(bff, reset_id)
    assert (await verify(bff, reset_id, await code(world, count=2))).status == 200


async def test_it_is_over_after_a_while(world: World) -> None:
    await world.migrated()
    bff = await world.bff()
    done = await proven(world, bff)
    reset_id = await begin(bff)
    await world.connection.execute("UPDATE clerk_migration.challenges SET expires_at = now()")
    assert (await verify(bff, reset_id, "123456")).code == "challenge_expired"
    assert (await send(bff, reset_id)).code == "challenge_expired"
    assert (await complete(bff, done)).code == "challenge_expired"


async def test_nothing_is_set_before_the_code_came_back(world: World) -> None:
    await world.migrated()
    bff = await world.bff()
    reset_id = await begin(bff)
    await code(world)
    assert (await complete(bff, reset_id)).code == "challenge_expired"
    assert not any("reset_password" in request for request in world.emulator.stats()["requests"])
    assert (await bff.login(EMAIL)).status == 200


async def test_a_reset_is_good_for_one_password(world: World) -> None:
    await world.migrated()
    bff = await world.bff()
    reset_id = await proven(world, bff)
    done = await asyncio.gather(*(complete(bff, reset_id, f"{NEW} {number}") for number in range(2)))
    assert sorted(reply.status for reply in done) == [200, 401]
    assert (await complete(bff, reset_id)).code == "challenge_expired"
    logins = [(await bff.login(EMAIL, f"{NEW} {number}")).status for number in range(2)]
    assert logins == [reply.status for reply in done], "the password of whom it was told that it is set"


@pytest.mark.parametrize(
    ("password", "fault"),
    [
        pytest.param("short", "form_password_length_too_short", id="short"),
        pytest.param("iloveyou", "form_password_pwned", id="pwned"),
        pytest.param(PASSWORD, "form_new_password_matches_current", id="reused"),
    ],
)
async def test_what_clerk_does_not_take_is_told_and_it_goes_on(
    world: World, password: str, fault: str
) -> None:
    await world.migrated()
    bff = await world.bff()
    before = await bff.token(EMAIL)
    reset_id = await proven(world, bff)
    refused = await complete(bff, reset_id, password)
    assert [(error["field"], error["code"]) for error in refused.content["errors"]] == [
        ("new_password", fault)
    ]
    assert await bff.signed_in(before)
    assert await kinds(world) == []
    assert (await complete(bff, reset_id)).content["status"] == "complete"


async def test_new_passwords_that_are_not_taken_keep_nobody_from_the_next(world: World) -> None:
    """With the limits as they are shipped."""
    del world.limits["reset_code_by_address"]
    await world.migrated()
    bff = await world.bff()
    reset_id = await proven(world, bff)
    assert [(await complete(bff, reset_id, f"short{n}")).status for n in range(4)] == [422] * 4
    assert (await complete(bff, reset_id)).status == 200


async def test_new_passwords_are_limited_by_reset(world: World) -> None:
    world.limits["reset_password_by_reset"] = most(1, 1_000_000)
    await world.migrated()
    bff = await world.bff()
    reset_id = await proven(world, bff)
    assert [(await complete(bff, reset_id, "short")).status for _ in range(2)] == [422, 429]
    other = await begin(bff)
    assert (await verify(bff, other, await code(world, count=2))).status == 200
    assert (await complete(bff, other)).status == 200


async def test_who_clerk_lets_try_later_is_told_so(world: World) -> None:
    await world.migrated()
    bff = await world.bff()
    reset_id = await proven(world, bff)
    world.emulator.add_fault({"match": {"path": "*/reset_password"}, "status": 429})
    limited = await complete(bff, reset_id)
    assert (limited.code, limited.headers["Retry-After"]) == ("too_many_attempts", "1")
    assert (await complete(bff, reset_id)).status == 200


async def test_another_code_is_sent_after_a_pause(world: World) -> None:
    world.limits["code_pause_by_challenge"] = most(1, 1_000_000)
    await world.migrated()
    bff = await world.bff()
    assert (await send(bff, await begin(bff))).code == "too_many_attempts"
    assert (await send(bff, await begin(bff, NOBODY))).code == "too_many_attempts"


async def test_the_newest_code_counts(world: World) -> None:
    await world.migrated()
    bff = await world.bff()
    reset_id = await begin(bff)
    await code(world)
    assert (await send(bff, reset_id)).status == 204
    newest = await code(world, count=2)
    await until(world.emulator.is_idle)
    assert (await verify(bff, reset_id, newest)).status == 200


async def test_a_code_that_is_on_its_way_does_not_undo_the_one_that_came_back(world: World) -> None:
    await world.migrated()
    bff = await world.bff()
    reset_id = await begin(bff)
    sent = await code(world)
    world.emulator.add_fault({"match": {"path": "/v1/client/sign_ins"}, "latency_ms": 1000})
    assert (await send(bff, reset_id)).status == 204
    assert (await verify(bff, reset_id, sent)).status == 200
    await world.mail(EMAIL, PURPOSE, count=2)
    await until(world.emulator.is_idle)
    await asyncio.sleep(0.2)  # for the answer to be written down, if it were
    assert (await complete(bff, reset_id)).content["status"] == "complete"


async def test_a_code_goes_to_the_phone_if_that_is_wanted_and_there_is_one(world: World) -> None:
    await world.phone_to_reset_with(NUMBER)
    await world.migrated("without@example.com")
    bff = await world.bff()
    reset_id = await begin(bff, method="sms")
    sent = await code(world, NUMBER, purpose="reset_password_phone_code")
    without = await begin(bff, "without@example.com", method="sms")
    assert (await verify(bff, without, "123456")).code == "code_invalid"
    assert (await verify(bff, reset_id, sent)).status == 200
    assert (await complete(bff, reset_id)).content["status"] == "complete"


async def test_nobodys_phone_is_flooded_by_resets(world: World) -> None:
    world.limits["phone_code_by_user"] = most(2, 1_000_000)
    await world.phone_to_reset_with(NUMBER)
    bff = await world.bff()
    for _ in range(3):
        await begin(bff, method="sms")
    await until(lambda: "was not sent" in bff.log.read_text())
    assert len(await world.mail(NUMBER, "reset_password_phone_code", count=2)) == 2
    await begin(bff)
    await world.mail(EMAIL, PURPOSE)
    added = await bff.call("POST", "/auth/mfa/phones", {"number": OTHER_NUMBER}, token=await bff.token(EMAIL))
    assert added.status == 201, "what strangers use up is not what the owner may do"


async def test_replicas_take_turns(world: World) -> None:
    await world.migrated()
    one, two, three = [await world.bff() for _ in range(3)]
    reset_id = await begin(one)
    assert (await verify(two, reset_id, await code(world))).status == 200
    assert (await complete(three, reset_id)).content["status"] == "complete"


async def test_with_clerk_out_nobody_can_tell_who_has_an_account(world: World) -> None:
    await world.migrated()
    bff = await world.bff()
    world.emulator.add_fault({"times": 100, "status": 503})
    assert await begin(bff)
    assert await begin(bff, NOBODY)


async def test_with_clerk_out_no_code_is_looked_at_and_none_is_lost(world: World) -> None:
    """Invariant 3: nor is the digest in the row."""
    await world.migrated()
    bff = await world.bff()
    reset_id = await begin(bff)
    sent = await code(world)
    world.emulator.add_fault({"match": {"path": "/v1/client/*"}, "times": 100, "drop": "before"})
    for _ in range(4):
        assert (await verify(bff, reset_id, sent)).code == "authentication_unavailable"
    world.emulator.clear_faults()

    async def is_right() -> bool:
        return (await verify(bff, reset_id, sent)).status == 200

    await until(is_right)
    world.emulator.add_fault({"times": 100, "status": 503})
    assert (await complete(bff, reset_id)).code == "authentication_unavailable"


async def test_an_answer_to_a_code_that_is_lost_is_looked_up(world: World) -> None:
    await world.migrated()
    bff = await world.bff()
    reset_id = await begin(bff)
    sent = await code(world)
    world.emulator.add_fault({"match": {"path": "*/attempt_first_factor"}, "drop": "after"})
    assert (await verify(bff, reset_id, sent)).status == 200
    assert (await complete(bff, reset_id)).content["status"] == "complete"


async def test_a_right_code_whose_answer_cannot_be_looked_up_is_right_when_clerk_is_back(
    world: World,
) -> None:
    await world.migrated()
    bff = await world.bff()
    reset_id = await begin(bff)
    sent = await code(world)
    world.emulator.add_fault({"match": {"path": "*/attempt_first_factor"}, "times": 100, "drop": "after"})
    world.emulator.add_fault(
        {"match": {"path": "/v1/client/sign_ins/*", "method": "GET"}, "times": 100, "status": 503}
    )
    assert (await verify(bff, reset_id, sent)).code == "authentication_unavailable"
    world.emulator.clear_faults()
    assert (await verify(bff, reset_id, another(sent))).code == "code_invalid", (
        "that it was right helps no other"
    )
    assert (await verify(bff, reset_id, sent)).content["status"] == "needs_new_password"
    assert (await complete(bff, reset_id)).status == 200


async def test_a_code_that_never_reached_clerk_is_tried_again(world: World) -> None:
    await world.migrated()
    bff = await world.bff()
    reset_id = await begin(bff)
    sent = await code(world)
    world.emulator.add_fault({"match": {"path": "*/attempt_first_factor"}, "times": 100, "drop": "before"})
    world.emulator.add_fault(
        {"match": {"path": "/v1/client/sign_ins/*", "method": "GET"}, "times": 100, "status": 503}
    )
    assert (await verify(bff, reset_id, sent)).code == "authentication_unavailable"
    world.emulator.clear_faults()
    assert (await verify(bff, reset_id, sent)).content["status"] == "needs_new_password"


async def test_an_answer_to_a_new_password_that_is_lost_is_looked_up(world: World) -> None:
    await world.migrated()
    bff = await world.bff()
    before, reset_id = await bff.token(EMAIL), await proven(world, bff)
    world.emulator.add_fault({"match": {"path": "*/reset_password"}, "drop": "after"})
    assert (await complete(bff, reset_id)).content["status"] == "complete"
    assert not await bff.signed_in(before)


@pytest.mark.parametrize("drop", ["before", "after"])
async def test_what_became_of_a_reset_that_nobody_finished_is_found_out(world: World, drop: str) -> None:
    """Invariant 7: who had a session is out, also when the BFF dies before it hears from Clerk."""
    await world.migrated()
    bff = await world.bff()
    before, reset_id = await bff.token(EMAIL), await proven(world, bff)
    world.emulator.add_fault({"match": {"path": "*/reset_password"}, "times": 100, "drop": drop})
    world.emulator.add_fault(
        {"match": {"path": "/v1/client/sign_ins/*", "method": "GET"}, "times": 100, "status": 503}
    )
    assert (await complete(bff, reset_id)).code == "authentication_unavailable"
    assert await bff.signed_in(before)
    world.emulator.clear_faults()
    await world.settle_changes()
    assert await bff.signed_in(before) is (drop == "before")
    assert ("password_reset" in await kinds(world)) is (drop == "after")


async def test_an_operator_sees_what_comes_of_resets(world: World) -> None:
    world.limits["reset_code_by_user"] = most(1, 1_000_000)
    await world.migrated()
    bff = await world.bff()
    await begin(bff, NOBODY)
    reset_id = await proven(world, bff)
    await begin(bff)
    await until(lambda: "was not sent" in bff.log.read_text())
    assert (await complete(bff, reset_id)).status == 200
    (told,) = [json.loads(line) for line in bff.log.read_text().splitlines() if "was not sent" in line]
    assert (told["user_id"], told["reason"]) == (await world.id_of(EMAIL), "limited")
    assert {
        outcome: await bff.metric(f'bff_resets_total{{outcome="{outcome}"}}')
        for outcome in ("begun", "sent", "not_sent", "proven", "completed")
    } == {"begun": 3, "sent": 1, "not_sent": 1, "proven": 1, "completed": 1}


async def test_an_operator_sees_that_it_is_not_known_what_came_of_a_reset(world: World) -> None:
    await world.migrated()
    bff = await world.bff({"bff.changes.SECONDS": 0.1})
    reset_id = await proven(world, bff)
    world.emulator.add_fault({"match": {"path": "*/reset_password"}, "times": 100, "drop": "after"})
    world.emulator.add_fault(
        {"match": {"path": "/v1/client/sign_ins/*", "method": "GET"}, "times": 100, "status": 503}
    )
    assert (await complete(bff, reset_id)).status == 503
    world.emulator.add_fault({"match": {"path": "/v1/users/*"}, "times": 1000, "status": 503})

    async def unsettled(count: int) -> None:
        async def so() -> bool:
            return await bff.metric("bff_changes_unsettled") == count

        await until(so)

    await unsettled(1)
    await world.connection.execute("UPDATE clerk_migration.changes SET look_at = now()")
    await until(lambda: "it is not known yet" in bff.log.read_text())
    world.emulator.clear_faults()
    await world.settle_changes()
    await unsettled(0)


@pytest.mark.parametrize("refused", ["429", "breaker", "connection"])
async def test_a_lost_answer_stays_lost_if_it_cannot_be_looked_up(world: World, refused: str) -> None:
    """Invariant 7: Clerk was asked for the new password, whatever it is to be asked afterwards."""
    await world.migrated()
    async with Door(world.emulator.port) as door:
        bff = await world.bff(CLERK_FRONTEND_API_URL=door.url)
        before, reset_id = await bff.token(EMAIL), await proven(world, bff)
        if refused == "breaker":
            await outage(world, bff, 4)
        world.emulator.add_fault({"match": {"path": "*/reset_password"}, "drop": "after", "latency_ms": 500})
        if refused == "429":
            world.emulator.add_fault(
                {"match": {"path": "/v1/client/sign_ins/*", "method": "GET"}, "times": 100, "status": 429}
            )
        completing = asyncio.create_task(complete(bff, reset_id))
        await until(lambda: not world.emulator.is_idle())
        if refused == "connection":
            await door.shut()
        assert (await completing).code == "authentication_unavailable"
    await until(world.emulator.is_idle)
    world.emulator.clear_faults()
    await world.settle_changes()
    assert not await bff.signed_in(before)
    assert "password_reset" in await kinds(world)


async def test_a_code_that_clerk_looked_at_is_an_attempt_also_if_its_answer_cannot_be_looked_up(
    world: World,
) -> None:
    await world.migrated()
    async with Door(world.emulator.port) as door:
        bff = await world.bff(CLERK_FRONTEND_API_URL=door.url)
        reset_id = await begin(bff)
        await code(world)
        world.emulator.add_fault(
            {"match": {"path": "*/attempt_first_factor"}, "drop": "after", "latency_ms": 500}
        )
        trying = asyncio.create_task(verify(bff, reset_id, wrong_code()))
        await until(lambda: not world.emulator.is_idle())
        await door.shut()
        assert (await trying).code == "authentication_unavailable"
    assert await world.connection.fetchval("SELECT attempts FROM clerk_migration.challenges") == 1


async def test_somebody_elses_clerk_user_is_not_reset(world: World) -> None:
    """Invariant 10: the address leads to another user than the row."""
    other = await world.migrated("other@example.com")
    await world.connection.execute("DELETE FROM users")
    await world.row(EMAIL, clerk_id=other)
    async with world.clerk() as clerk:
        await clerk.create_user(email_address=EMAIL, password=PASSWORD)
    bff = await world.bff()
    reset_id = await begin(bff)
    assert (await verify(bff, reset_id, "123456")).code == "code_invalid"
    await until(lambda: "another address in clerk" in bff.log.read_text())
    assert await asyncio.to_thread(world.emulator.control, "GET", f"outbox?to={EMAIL}") == []


async def test_a_stranger_does_not_have_clerk_lock_the_owner(world: World) -> None:
    await asyncio.to_thread(world.emulator.settings, lockout_attempts=10)
    await world.migrated()
    bff = await world.bff()
    device = (await bff.login(EMAIL, delivery="bearer")).content["device"]
    for _ in range(3):
        reset_id = await begin(bff)
        for _ in range(5):
            await verify(bff, reset_id, "000000")
    assert (await bff.login(EMAIL, device=device, delivery="bearer")).status == 200


STRANGER = "198.51.100.9"


async def intrude(bff: Bff, reset_id: str, address: str = STRANGER) -> None:
    """As many wrong passwords and wrong codes of a reset as somebody likes to try from one network."""
    for _ in range(6):
        await bff.login(EMAIL, "wrong", address=address)
    for _ in range(5):
        assert (await verify(bff, reset_id, "000000", address=address)).code == "code_invalid"


async def test_a_stranger_with_one_network_leaves_codes_to_the_owners_reset(world: World) -> None:
    await asyncio.to_thread(world.emulator.settings, lockout_attempts=10)
    await world.migrated()
    bff = await world.bff()
    await intrude(bff, await begin(bff))
    mine = await begin(bff)
    sent = await code(world, count=2)
    assert (await verify(bff, mine, "000000")).code == "code_invalid", "the owner may be wrong once, too"
    assert (await verify(bff, mine, sent)).status == 200
    assert (await complete(bff, mine)).status == 200


async def test_all_strangers_together_leave_a_guess_to_a_known_device(world: World) -> None:
    await asyncio.to_thread(world.emulator.settings, lockout_attempts=10)
    await world.migrated()
    bff = await world.bff()
    device = (await bff.login(EMAIL, delivery="bearer")).content["device"]
    for number in range(4):
        await intrude(bff, await begin(bff), f"198.51.100.{number}")
    assert (await bff.login(EMAIL, device=device, delivery="bearer")).status == 200


async def test_wrong_codes_of_resets_keep_nobody_from_logging_in(world: World) -> None:
    await asyncio.to_thread(world.emulator.settings, lockout_attempts=10)
    await world.migrated()
    bff = await world.bff()
    for number in range(4):
        reset_id = await begin(bff)
        for _ in range(5):
            await verify(bff, reset_id, "000000", address=f"198.51.100.{number}")
    assert (await bff.login(EMAIL)).status == 200


async def test_whoever_tried_all_passwords_that_they_remembered_may_reset_theirs(world: World) -> None:
    await asyncio.to_thread(world.emulator.settings, lockout_attempts=10)
    await world.migrated()
    bff = await world.bff()
    for _ in range(6):
        await bff.login(EMAIL, "wrong")
    assert (await bff.login(EMAIL)).code == "credentials_invalid", "nobody is asked any more"
    assert (await complete(bff, await proven(world, bff))).status == 200
    assert (await bff.login(EMAIL, NEW)).status == 200


async def test_with_a_leaked_password_nobody_fills_the_owners_mailbox(world: World) -> None:
    world.limits["reset_code_by_user"] = most(2, 1_000_000)
    await world.compromise(await world.migrated())
    bff = await world.bff()
    sent = [(await bff.login(EMAIL)).content["sent_to"] is not None for _ in range(3)]
    assert sent == [True, True, False]
    assert (await bff.call("POST", "/auth/password/reset", {"email": EMAIL})).status == 202
    await until(lambda: bff.log.read_text().count("was not sent") == 2)


async def test_a_right_code_and_a_new_password_begin_the_count_of_failures_anew(world: World) -> None:
    await asyncio.to_thread(world.emulator.settings, lockout_attempts=10)
    await world.migrated()
    bff = await world.bff()
    for _ in range(3):
        await bff.login(EMAIL, "wrong")
    assert (await complete(bff, await proven(world, bff))).status == 200
    for _ in range(3):
        await bff.login(EMAIL, "wrong")
    assert (await bff.login(EMAIL, NEW)).status == 200


async def test_resets_of_one_account_are_limited_also_of_one_that_is_not_there(world: World) -> None:
    world.limits["reset_by_account"] = most(2, 1_000_000)
    await world.migrated()
    bff = await world.bff()
    for email in (EMAIL, NOBODY):
        codes = [
            (await bff.call("POST", "/auth/password/reset", {"email": form})).status
            for form in (email, email.upper(), email)
        ]
        assert codes == [202, 202, 429]


async def test_no_stranger_uses_up_what_counts_on_a_known_device(world: World) -> None:
    world.limits["reset_by_account"] = most(1, 1_000_000)
    await world.migrated()
    bff = await world.bff()
    device = (await bff.login(EMAIL, delivery="bearer")).content["device"]
    await begin(bff)
    again = await bff.call(
        "POST", "/auth/password/reset", {"email": EMAIL}, Cookie=f"__Host-ax_device={device}", Origin=bff.url
    )
    assert again.status == 202


async def test_a_password_that_must_be_replaced_leads_into_a_reset(world: World) -> None:
    clerk_id = await world.migrated()
    await world.compromise(clerk_id)
    bff = await world.bff()
    begun = await bff.login(EMAIL)
    assert (begun.status, begun.content["status"]) == (200, "needs_new_password")
    assert begun.content["sent_to"] == "c****@example.com"
    reset_id = begun.content["reset_id"]
    assert (await verify(bff, reset_id, await code(world))).status == 200
    assert (await complete(bff, reset_id)).content["status"] == "complete"


async def test_a_leaked_password_leads_into_a_reset(world: World) -> None:
    await world.migrated()
    bff = await world.bff()
    await asyncio.to_thread(world.emulator.settings, reject_pwned_at_sign_in=True, pwned_passwords=[PASSWORD])
    begun = await bff.login(EMAIL)
    assert (begun.status, begun.content["status"]) == (200, "needs_new_password")
    assert (await verify(bff, begun.content["reset_id"], await code(world))).status == 200


async def test_a_re_authentication_leads_into_it_too(world: World) -> None:
    clerk_id = await world.migrated()
    bff = await world.bff()
    token = await bff.token(EMAIL)
    await world.compromise(clerk_id)
    begun = await bff.reauthenticate(token)
    assert begun.content["status"] == "needs_new_password"
    assert begun.content["sent_to"] == "c****@example.com"


async def add_address(world: World, address: str) -> None:
    """As whoever signed up may do at Clerk itself, with the password that they chose."""
    async with FrontendClient(ClerkConfig.from_environment(world.variables)) as frontend:
        device = frontend.device(None, address=None)
        session = (await device.create_sign_in(SIGNED_UP, PASSWORD)).session
        assert session is not None
        added = await device.create_email_address(session.id, address)
        await device.prepare_email_address(session.id, added.id)
        await device.verify_email_address(session.id, added.id, (await world.mail(address))[-1]["code"])


@pytest.mark.parametrize("added", ["nothing", "an address", "a second factor"])
async def test_a_reset_ends_a_signup_that_waits_for_its_code(world: World, added: str) -> None:
    """It proves the mailbox; whoever signed up with the address finds no way in that they added."""
    await world.invite()
    bff = await world.bff()
    await world.switch("signup", "clerk")
    signup_id = (await bff.sign_up(SIGNED_UP)).content["signup_id"]
    if added == "an address":
        await add_address(world, "mallory@example.org")
    clerk_id = await world.connection.fetchval("SELECT clerk_id FROM users")
    if added == "a second factor":
        async with world.clerk() as clerk:
            await clerk.update_user(clerk_id, totp_secret=SECRET)
    done = await complete(bff, await proven(world, bff, SIGNED_UP))
    assert (done.content["status"], done.content["user"]["email_verified"]) == ("complete", True)
    async with world.clerk() as clerk:
        user = await clerk.get_user(clerk_id)
        assert len(await clerk.list_sessions(clerk_id, status="active")) == 1
    assert [email.email_address for email in user.email_addresses] == [SIGNED_UP]
    assert not user.two_factor_enabled
    assert await world.connection.fetchval("SELECT state FROM clerk_migration.signups") == "verified"
    assert (await bff.verify(signup_id, "123456")).code == "signup_ended"
    assert (await bff.login(SIGNED_UP, NEW)).content["status"] == "complete"
    assert (await bff.login(SIGNED_UP, PASSWORD)).code == "credentials_invalid"


async def test_a_text_message_proves_no_mailbox(world: World) -> None:
    """Whoever signed up with somebody else's address may have added their own number to the user at Clerk."""
    await world.invite()
    await asyncio.to_thread(world.emulator.settings, phone_number=True, phone_number_identifies=True)
    bff = await world.bff()
    await world.switch("signup", "clerk")
    await bff.sign_up(SIGNED_UP)
    await world.add_phone(NUMBER, SIGNED_UP)
    await begin(bff, SIGNED_UP, method="sms")
    await until(lambda: "was not sent" in bff.log.read_text())
    assert await world.mail(NUMBER, "reset_password_phone_code", count=0) == []


async def test_a_reset_by_text_message_ends_no_signup(world: World) -> None:
    """Not either if its code came back: the signup was there before, and only a mail proves its mailbox."""
    await world.phone_to_reset_with(NUMBER)
    bff = await world.bff()
    reset_id = await begin(bff, method="sms")
    sent = await code(world, NUMBER, purpose="reset_password_phone_code")
    assert (await verify(bff, reset_id, sent)).status == 200
    await world.connection.execute(
        "INSERT INTO clerk_migration.signups (state, user_id, invite_id, email, delivery, clerk_id) "
        "SELECT 'code_sent', id, 'an invite', email, 'cookie', clerk_id FROM users"
    )
    assert (await complete(bff, reset_id)).code == "challenge_expired"
    assert (await bff.login(EMAIL, NEW)).code == "credentials_invalid"
    assert await world.connection.fetchval("SELECT state FROM clerk_migration.signups") == "code_sent"


async def test_a_code_goes_to_the_address_of_the_row_alone(world: World) -> None:
    """Not to another one that the user has in Clerk."""
    async with world.clerk() as clerk:
        made = await clerk.create_user(email_address="first@example.com", password=PASSWORD)
        await clerk.create_email(made.id, EMAIL, verified=True)
    await world.row(EMAIL, clerk_id=made.id)
    bff = await world.bff()
    assert (await complete(bff, await proven(world, bff))).status == 200
    assert await world.mail("first@example.com", PURPOSE, count=0) == []


async def test_what_cannot_be_taken_out_undoes_the_signup(world: World) -> None:
    await world.invite()
    await asyncio.to_thread(world.emulator.settings, phone_number=True)
    bff = await world.bff()
    await world.switch("signup", "clerk")
    await bff.sign_up(SIGNED_UP)
    async with FrontendClient(ClerkConfig.from_environment(world.variables)) as frontend:
        device = frontend.device(None, address=None)
        session = (await device.create_sign_in(SIGNED_UP, PASSWORD)).session
        assert session is not None
        await device.create_phone_number(session.id, NUMBER)
    assert (await complete(bff, await proven(world, bff, SIGNED_UP))).code == "challenge_expired"
    assert await world.people() == (0, 0)
    assert await world.uses_left() == 1
