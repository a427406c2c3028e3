"""Signing up: complete, or nothing is left of it (invariant 5)."""

import asyncio
import hashlib
import json
import time
from datetime import timedelta
from typing import Any

import pytest

from tests.integration.bff.conftest import INVITE, PASSWORD, SECRET, Bff, World, code_now, most
from tests.waiting import until
from toolkit.clerk import ClerkConfig, FrontendClient
from toolkit.database import ANYBODYS, pool
from toolkit.sweep.runner import Sweep, Swept

NEW = "new@example.com"
NOTHING = timedelta(0)


SESSION_OVER = {
    "status": 401,
    "content_type": "application/json",
    "body": json.dumps(
        {"errors": [{"code": "signed_out", "message": "Signed out", "long_message": "You are signed out."}]}
    ),
}


@pytest.fixture
async def bff(world: World) -> Bff:
    await world.switch("signup", "clerk")
    await world.invite()
    return await world.bff()


async def sweep(world: World, *, settle: timedelta = NOTHING, unverified: timedelta = timedelta(1)) -> Swept:
    async with pool(world.url, 2, ANYBODYS) as connections, world.clerk() as clerk:
        return await Sweep(connections.acquire, clerk).round(settle=settle, unverified=unverified)


async def stored(world: World) -> dict[str, Any]:
    """The only signup's row."""
    return dict(await world.connection.fetchrow("SELECT * FROM clerk_migration.signups") or {})


async def nothing_is_left(world: World, uses: int = 1) -> None:
    assert await world.people() == (0, 0)
    assert await world.uses_left() == uses


async def test_signed_up_verified_and_logged_in(world: World, bff: Bff) -> None:
    begun = await bff.sign_up(first_name="Ada", last_name="")
    assert begun.status == 201
    assert begun.content["status"] == "needs_email_verification"
    assert begun.content["sent_to"] == "n***@example.com"
    assert "Set-Cookie" not in begun.headers
    (mail,) = await world.mail(NEW)
    done = await bff.verify(begun.content["signup_id"], mail["code"])
    assert done.status == 200
    assert done.content["user"]["email_verified"]
    assert done.content["user"]["authentication"] == "clerk"
    cookie = done.headers["Set-Cookie"].partition(";")[0]
    assert (await bff.call("GET", "/me", Cookie=cookie)).content["first_name"] == "Ada"
    row = await world.connection.fetchrow("SELECT * FROM users")
    assert row is not None
    assert row.get("hashed_password") is None
    async with world.clerk() as clerk:
        user = await clerk.get_user(row["clerk_id"])
    assert user.external_id == str(row["id"])
    assert user.private_metadata == {"signup": begun.content["signup_id"]}
    assert [email.verified for email in user.email_addresses] == [True]
    assert (await bff.login(NEW)).content["status"] == "complete"
    assert (await bff.login("NEW@Example.com")).content["status"] == "complete", "as Clerk compares"
    assert await world.uses_left() == 0
    ended = await stored(world)
    assert (ended["state"], ended["email"], ended["client_token_cipher"]) == ("verified", None, None)
    assert (await bff.verify(begun.content["signup_id"], mail["code"])).code == "signup_ended"


async def test_an_invite_is_used_as_often_as_it_may(world: World, bff: Bff) -> None:
    replies = await asyncio.gather(*(bff.sign_up(f"new{n}@example.com") for n in range(100)))
    assert sorted(reply.status for reply in replies) == [201] + [422] * 99
    assert {reply.content["errors"][0]["field"] for reply in replies if reply.status == 422} == {"invite"}
    assert await world.people() == (1, 1)
    assert await world.uses_left() == 0


@pytest.mark.parametrize(
    ("changed", "status", "field"),
    [
        ({"invite": "unknown"}, 422, "invite"),
        ({"invite": ""}, 400, "invite"),
        ({"email": "nobody"}, 400, "email"),
        ({"email": "a@b\u0000.example"}, 400, "email"),
        ({"password": "short"}, 422, "password"),
        ({"password": NEW}, 422, "password"),
        ({"password": "password123"}, 422, "password"),
        ({"first_name": "x" * 101}, 400, "first_name"),
    ],
)
async def test_what_cannot_be_taken_is_told_by_field(
    world: World, bff: Bff, changed: dict[str, str], status: int, field: str
) -> None:
    reply = await bff.sign_up(**changed) if "email" not in changed else await bff.sign_up(changed["email"])
    assert (reply.status, [error["field"] for error in reply.content["errors"]]) == (status, [field])
    await nothing_is_left(world)


@pytest.mark.parametrize("where", ["ax", "clerk", "both", "other case"])
async def test_a_taken_address_tells_the_browser_nothing_and_its_owner_all(
    world: World, bff: Bff, where: str
) -> None:
    """Invariant 9."""
    await world.invite("AX-OTHER")
    owner = "Taken@example.com" if where == "other case" else "taken@example.com"
    if where in ("ax", "other case"):
        await world.row(owner)
    elif where == "both":
        await world.migrated("taken@example.com")
    else:
        async with world.clerk() as clerk:
            await clerk.create_user(email_address="taken@example.com", password=PASSWORD)
    people = await world.people()
    fresh, taken = (
        await bff.sign_up("fresh@example.com"),
        await bff.sign_up("taken@example.com", invite="AX-OTHER"),
    )
    for reply in (fresh, taken):
        assert reply.status == 201
        assert set(reply.content) == {"status", "signup_id", "sent_to", "resend_after", "device"}
    assert taken.content["sent_to"] == "t***@example.com"
    (mail,) = await world.mail(owner, "mail")
    assert "log in at https://app.example.com" in mail["text"].replace("\n", " ")
    for invite in (INVITE, "AX-OTHER"):
        assert (await bff.sign_up("third@example.com", invite=invite)).status == 422, "it is used"
    tried = [(await bff.verify(reply.content["signup_id"], "000000")).told for reply in (fresh, taken)]
    assert tried[0] == tried[1]
    await asyncio.sleep(0.2)
    again = [await bff.resend(reply.content["signup_id"]) for reply in (fresh, taken)]
    assert [reply.status for reply in again] == [200, 200]
    await world.mail(owner, "mail", count=2)
    assert (await world.people()) == (people[0] + 1, people[1] + 1), "fresh, and nobody else"
    assert (await sweep(world, unverified=NOTHING)).undone == 2
    assert await world.people() == people
    assert (await world.uses_left(), await world.uses_left("AX-OTHER")) == (1, 1)


async def test_that_an_address_is_taken_is_told_at_the_accounts_own(world: World, bff: Bff) -> None:
    """Invariant 9: an address that is the same to Clerk can be somebody else's mailbox."""
    await world.migrated("ada@gmail.com")
    assert (await bff.sign_up("ada@gmaıl.com")).status == 201
    await world.mail("ada@gmail.com", "mail")
    outbox = await asyncio.to_thread(world.emulator.control, "GET", "outbox")
    assert [mail["to"] for mail in outbox] == ["ada@gmail.com"]


async def add_address(world: World, email: str) -> None:
    """What an attacker does who signs up with an address of somebody else, and goes to Clerk with the password."""
    async with FrontendClient(ClerkConfig.from_environment(world.variables)) as frontend:
        device = frontend.device(None, address=None)
        session = (await device.create_sign_in(NEW, PASSWORD)).session
        assert session is not None
        own = await device.create_email_address(session.id, email)
        await device.prepare_email_address(session.id, own.id)
        await device.verify_email_address(session.id, own.id, (await world.mail(email))[-1]["code"])
    async with world.clerk() as clerk:
        await clerk.update_user((await stored(world))["clerk_id"], primary_email_address_id=own.id)


async def test_another_address_that_is_proven_does_not_prove_the_one_that_signed_up(
    world: World, bff: Bff
) -> None:
    signup_id = (await bff.sign_up()).content["signup_id"]
    await add_address(world, "mallory@example.org")
    assert {(await bff.verify(signup_id, "000000")).code for _ in range(5)} == {"code_invalid"}
    assert (await bff.login(NEW)).content["status"] == "needs_email_verification"
    assert not await world.connection.fetchval("SELECT email_verified_at FROM users")
    swept = await sweep(world, unverified=NOTHING)
    assert (swept.finished, swept.undone) == (0, 1)
    await nothing_is_left(world)


async def test_a_verification_that_failed_is_no_proof(world: World, bff: Bff) -> None:
    await bff.sign_up()
    refusal = {
        "errors": [{"code": "verification_expired", "message": "expired", "long_message": "It has expired."}]
    }
    fault = {"status": 400, "body": json.dumps(refusal), "content_type": "application/json"}
    world.emulator.add_fault({"match": {"path": "*/prepare_verification"}, **fault})
    assert (await bff.login(NEW)).content["status"] == "needs_email_verification"
    assert not await world.connection.fetchval("SELECT email_verified_at FROM users")


@pytest.mark.parametrize("removed", [True, False], ids=["at once", "by a sweep"])
async def test_a_create_that_outlives_its_signup_leaves_nobody(world: World, removed: bool) -> None:
    world.signup["clerk_seconds"] = 20
    await world.switch("signup", "clerk")
    await world.invite()
    bff = await world.bff()
    world.emulator.add_fault({"match": {"path": "/v1/users", "method": "POST"}, "latency_ms": 3000})
    signing_up = asyncio.create_task(bff.sign_up())
    await until(lambda: not world.emulator.is_idle())
    if not removed:
        world.emulator.add_fault(
            {"match": {"path": "/v1/users/*", "method": "DELETE"}, "times": 9, "status": 500}
        )
    assert (await sweep(world)).undone == 1
    assert (await signing_up).code == "signup_ended"
    world.emulator.clear_faults()
    if not removed:
        assert (await world.people(), (await stored(world))["state"]) == ((1, 0), "undoing")
        assert (await sweep(world)).undone == 1
    await nothing_is_left(world)


async def test_an_address_that_ax_gives_away_meanwhile_is_a_taken_one(world: World, bff: Bff) -> None:
    async with (
        world.connection.transaction()
    ):  # the signup sees the row when it writes its own, and not before
        await world.row(NEW)
        signing_up = asyncio.create_task(bff.sign_up())
        await world.people_in_clerk(1)
    assert (await signing_up).content["status"] == "needs_email_verification"
    assert (await world.people(), (await stored(world))["state"]) == ((0, 1), "decoy")
    await world.mail(NEW, "mail")


async def test_a_code_goes_to_the_address_that_signed_up(world: World, bff: Bff) -> None:
    """Also when the signup broke off before its first code."""
    signup_id = (await bff.sign_up()).content["signup_id"]
    await world.connection.execute(
        "UPDATE clerk_migration.signups SET state = 'row_created', email_address_id = NULL"
    )
    assert (await bff.login(NEW)).content["status"] == "needs_email_verification"
    code = (await world.mail(NEW, count=2))[-1]["code"]
    assert (await bff.verify(signup_id, code)).status == 200


@pytest.mark.parametrize("added", ["an address", "a second factor"])
async def test_nobody_finds_a_way_in_that_somebody_else_added(world: World, bff: Bff, added: str) -> None:
    """Whoever signed up with the address may have gone to Clerk before it was proven."""
    signup_id = (await bff.sign_up()).content["signup_id"]
    code = (await world.mail(NEW))[-1]["code"]
    if added == "an address":
        await add_address(world, "mallory@example.org")
    else:
        async with world.clerk() as clerk:
            await clerk.update_user((await stored(world))["clerk_id"], totp_secret=SECRET)
    assert (await bff.verify(signup_id, code)).code == "signup_ended"
    await nothing_is_left(world)
    assert (await stored(world))["reason"] == "not_as_made"


async def prove_elsewhere(world: World, email: str, password: str) -> None:
    """The address's owner resets the password at Clerk."""
    async with FrontendClient(ClerkConfig.from_environment(world.variables)) as frontend:
        device = frontend.device(None, address=None)
        sign_in = await device.begin_sign_in(email)
        (factor,) = (
            factor
            for factor in sign_in.supported_first_factors
            if factor.strategy == "reset_password_email_code"
        )
        await device.prepare_first_factor(sign_in.id, factor)
        (mail,) = await world.mail(email, "reset_password_email_code")
        await device.attempt_first_factor(sign_in.id, "reset_password_email_code", code=mail["code"])
        await device.reset_password(sign_in.id, password)


@pytest.mark.parametrize("who", ["any code", "the password", "a resend", "a sweep"])
async def test_an_address_that_was_proven_elsewhere_lets_nobody_in(world: World, bff: Bff, who: str) -> None:
    """Invariant 10: who signed up may be somebody else than who proved it."""
    signup_id = (await bff.sign_up()).content["signup_id"]
    assert (await bff.verify(signup_id, "000000")).code == "code_invalid"
    await prove_elsewhere(world, NEW, "The-owners-password-1")
    if who == "any code":
        reply = await bff.verify(signup_id, "000000")
        assert (reply.code, reply.headers.get("Set-Cookie")) == ("signup_ended", None)
    elif who == "the password":
        assert (await bff.login(NEW, "The-owners-password-1")).code == "credentials_invalid"
    elif who == "a resend":
        assert (await bff.resend(signup_id)).code == "signup_ended"
        assert (await bff.login(NEW, "The-owners-password-1")).code == "credentials_invalid"
    else:
        assert (await sweep(world, unverified=NOTHING)) == Swept(undone=1)
    await nothing_is_left(world)
    assert (await bff.sign_up()).status == 201, "and the owner signs up"


async def test_an_answer_that_was_lost_is_made_up_for_by_a_login(world: World, bff: Bff) -> None:
    signup_id = (await bff.sign_up()).content["signup_id"]
    (mail,) = await world.mail(NEW)
    world.emulator.add_fault({"match": {"path": "*/attempt_verification"}, "drop": "after"})
    assert (await bff.verify(signup_id, mail["code"])).status == 503
    assert (await bff.resend(signup_id)).code == "signup_ended"
    assert (await bff.login(NEW)).content["user"]["email_verified"]


@pytest.mark.parametrize("where", ["ax", "both"])
async def test_logging_in_after_a_signup_tells_nothing_of_a_taken_address(
    world: World, bff: Bff, where: str
) -> None:
    await world.invite("AX-OTHER")
    await (world.row if where == "ax" else world.migrated)("taken@example.com")
    answers = []
    for email, invite in ((NEW, INVITE), ("taken@example.com", "AX-OTHER")):
        signup_id = (await bff.sign_up(email, invite=invite, password="Another-password-1")).content[
            "signup_id"
        ]
        right = await bff.login(email, "Another-password-1")
        assert right.content["signup_id"] == signup_id
        wrong = await bff.login(email, "wrong")
        assert (await bff.call("DELETE", f"/auth/signup/{signup_id}")).status == 204
        after = await bff.login(email, "Another-password-1")
        answers.append(
            (
                right.status,
                set(right.content),
                right.headers.keys(),
                right.content["status"],
                wrong.told,
                after.told,
            )
        )
    assert answers[0] == answers[1]
    assert answers[0][3] == "needs_email_verification"
    assert not await world.connection.fetchval(
        "SELECT count(*) FROM clerk_migration.signups WHERE password_hash IS NOT NULL"
    )


async def test_an_outage_tells_nothing_of_a_taken_address(world: World, bff: Bff) -> None:
    await world.invite("AX-OTHER")
    await world.row("taken@example.com")
    signups = [
        (await bff.sign_up(email, invite=invite, password="Another-password-1")).content["signup_id"]
        for email, invite in ((NEW, INVITE), ("taken@example.com", "AX-OTHER"))
    ]
    world.emulator.add_fault({"match": {"path": "/v1/*"}, "times": 500, "status": 500})
    for signup_id in signups:
        assert (await bff.verify(signup_id, "000000")).status == 503
        assert (await bff.resend(signup_id)).status == 503
    for email in (NEW, "taken@example.com"):
        assert (await bff.login(email, "Another-password-1")).status == 503


@pytest.mark.parametrize("password", ["short", "password123"])
async def test_a_bad_password_is_told_for_a_taken_address_too(world: World, bff: Bff, password: str) -> None:
    await world.migrated("taken@example.com")
    told = [(await bff.sign_up(email, password=password)).told for email in (NEW, "taken@example.com")]
    assert told[0] == told[1]
    assert told[0][0] == 422
    assert await world.people() == (1, 1)
    assert await world.uses_left() == 1


async def test_clerks_limit_is_told_for_a_taken_address_too(world: World, bff: Bff) -> None:
    """Somebody who uses up Clerk's limit by address before signing up learns nothing by it."""
    await world.migrated("taken@example.com")
    told = []
    for email in (NEW, "taken@example.com"):
        world.emulator.add_fault({"match": {"path": "/v1/client/sign_ins"}, "status": 429})
        told.append((await bff.sign_up(email)).told)
    assert told[0] == told[1]
    assert told[0][0] == 503
    assert await world.people() == (1, 1)
    assert await world.uses_left() == 1


async def test_codes_in_quick_succession_tell_nothing_of_a_taken_address(world: World) -> None:
    """Clerk counts the codes of a fresh address, and knows nothing of a taken one's."""
    del world.limits["signup_code_by_address"]
    world.emulator.settings(rate_limit="production")
    await world.switch("signup", "clerk")
    await world.invite(uses=9)
    await world.row("taken@example.com")
    bff = await world.bff()
    told = []
    for email, address in ((NEW, "203.0.113.7"), ("taken@example.com", "203.0.113.8")):
        signup_id = (await bff.sign_up(email)).content["signup_id"]
        path = f"/auth/signup/{signup_id}/verify"
        told.append(
            [(await bff.call("POST", path, {"code": "000000"}, address=address)).told for _ in range(5)]
        )
    assert told[0] == told[1]
    assert [status for status, _ in told[0]] == [401] * 3 + [429] * 2


async def test_no_answer_comes_sooner_for_a_taken_address(world: World) -> None:
    world.signup["answer_seconds"] = 0.6
    await world.switch("signup", "clerk")
    await world.invite(uses=9)
    await world.row("taken@example.com")
    bff = await world.bff()
    for email in (NEW, "taken@example.com"):
        begun = time.monotonic()
        assert (await bff.sign_up(email)).status == 201
        assert time.monotonic() - begun > 0.6


async def test_logging_in_unverified_leads_to_the_verification(world: World, bff: Bff) -> None:
    await bff.sign_up()
    reply = await bff.login(NEW)
    assert reply.content["status"] == "needs_email_verification"
    assert "ax_session" not in str(reply.headers)
    assert await world.connection.fetchval("SELECT count(*) FROM sessions") == 0
    assert await world.counts() == {("clerk", "unverified"): 1}
    mails = await world.mail(NEW, count=2)
    done = await bff.verify(reply.content["signup_id"], mails[-1]["code"])
    assert done.status == 200
    assert (await bff.login(NEW)).content["status"] == "complete"


async def test_the_code_is_tried_though_its_clerk_session_is_over(world: World, bff: Bff) -> None:
    begun = await bff.sign_up()
    row = await stored(world)
    async with world.clerk() as clerk:
        await clerk.revoke_session(row["clerk_session_id"])
    (mail,) = await world.mail(NEW)
    assert (await bff.verify(begun.content["signup_id"], mail["code"])).status == 200


async def test_a_code_for_a_signup_that_is_over_looks_like_a_wrong_one(world: World, bff: Bff) -> None:
    await bff.sign_up()
    async with world.clerk() as clerk:
        await clerk.update_user((await stored(world))["clerk_id"], totp_secret=SECRET)
    challenge = (await bff.login(NEW)).content["challenge"]["id"]
    await world.connection.execute(
        "UPDATE clerk_migration.signups SET created_at = now() - interval '25 hours'"
    )
    assert (await bff.finish(challenge, code_now())).code == "code_invalid"


async def test_a_row_that_left_its_clerk_user_lets_nobody_in(world: World, bff: Bff) -> None:
    """Invariant 10."""
    begun = await bff.sign_up()
    (mail,) = await world.mail(NEW)
    await world.connection.execute("UPDATE users SET clerk_id = NULL")
    assert (await bff.verify(begun.content["signup_id"], mail["code"])).code == "signup_ended"
    assert await world.connection.fetchval("SELECT count(*) FROM sessions") == 0


async def test_a_code_is_tried_again_after_clerk_ended_a_new_session_at_once(world: World, bff: Bff) -> None:
    signup_id = (await bff.sign_up()).content["signup_id"]
    (mail,) = await world.mail(NEW)
    for path in ("*/attempt_verification", "*/prepare_verification"):
        world.emulator.add_fault({"match": {"path": path}, "times": 2, **SESSION_OVER})
    assert (await bff.verify(signup_id, mail["code"])).code == "code_invalid"
    assert (await bff.resend(signup_id)).status == 200, "as a decoy's"
    assert (await bff.verify(signup_id, mail["code"])).status == 200


async def test_a_code_is_sent_again_after_a_pause_and_tried_a_few_times(world: World) -> None:
    world.limits["signup_pause_by_signup"] = most(1, 1_000_000)
    world.limits["signup_code_by_signup"] = most(4, 1_000_000)
    await world.switch("signup", "clerk")
    await world.invite()
    bff = await world.bff()
    begun = await bff.sign_up()
    signup_id = begun.content["signup_id"]
    assert begun.content["resend_after"] == 1_000_000
    refused = await bff.resend(signup_id)
    assert (refused.status, int(refused.headers["Retry-After"]) > 1) == (429, True)
    await world.mail(NEW, count=1)
    codes = [(await bff.verify(signup_id, "000000")).code for _ in range(5)]
    assert codes == ["code_invalid"] * 4 + ["too_many_attempts"]


async def test_a_mailbox_is_not_filled_by_a_stranger(world: World) -> None:
    world.limits["signup_pause_by_signup"] = most(1, 0.001)
    world.limits["signup_send_by_signup"] = most(2, 1_000_000)
    await world.switch("signup", "clerk")
    await world.invite("AX-OTHER")
    await world.invite()
    await world.row("taken@example.com")
    bff = await world.bff()
    for email, invite in ((NEW, INVITE), ("taken@example.com", "AX-OTHER")):
        signup_id = (await bff.sign_up(email, invite=invite)).content["signup_id"]
        again = [(await bff.resend(signup_id)).status for _ in range(3)]
        assert again == [200, 200, 429]


async def test_a_signup_is_abandoned_by_who_began_it(world: World, bff: Bff) -> None:
    """As for a mistyped address; one that is taken looks no different."""
    await world.row("taken@example.com")
    for email in (NEW, "taken@example.com"):
        signup_id = (await bff.sign_up(email)).content["signup_id"]
        assert await world.uses_left() == 0
        assert (await bff.call("DELETE", f"/auth/signup/{signup_id}")).status == 204
        assert await world.uses_left() == 1
        again = await bff.call("DELETE", f"/auth/signup/{signup_id}")
        assert (again.code, (await bff.verify(signup_id, "123456")).code) == ("signup_ended", "signup_ended")
    assert await world.people() == (0, 1)
    assert (await stored(world))["reason"] == "abandoned"


async def test_who_is_verified_is_not_abandoned(world: World, bff: Bff) -> None:
    signup_id = (await bff.sign_up()).content["signup_id"]
    (mail,) = await world.mail(NEW)
    assert (await bff.verify(signup_id, mail["code"])).status == 200
    assert (await bff.call("DELETE", f"/auth/signup/{signup_id}")).code == "signup_ended"
    assert (await bff.call("DELETE", "/auth/signup/0")).code == "signup_ended"
    assert (await bff.login(NEW)).content["status"] == "complete"
    assert await world.uses_left() == 0


async def test_abandoned_while_clerk_is_out_is_undone_there_later(world: World, bff: Bff) -> None:
    signup_id = (await bff.sign_up()).content["signup_id"]
    world.emulator.add_fault({"match": {"path": "/v1/users*"}, "times": 100, "status": 401})
    assert (await bff.call("DELETE", f"/auth/signup/{signup_id}")).status == 204
    world.emulator.clear_faults()
    assert (await world.people(), await world.uses_left()) == ((1, 0), 1)
    assert (await sweep(world)).undone == 1
    assert await world.people() == (0, 0)


async def test_signing_up_again_and_again_does_not_fill_a_mailbox(world: World) -> None:
    world.limits["signup_by_email"] = most(2, 1_000_000)
    await world.switch("signup", "clerk")
    await world.invite()
    await world.row("taken@example.com")
    bff = await world.bff()
    for email in (NEW, "taken@example.com"):
        assert (await bff.sign_up(email, invite="AX-NONE")).code == "fields_invalid"
        for _ in range(2):
            signup_id = (await bff.sign_up(email.upper())).content["signup_id"]
            assert (await bff.call("DELETE", f"/auth/signup/{signup_id}")).status == 204
        assert (await bff.sign_up(email)).code == "too_many_attempts"
        assert await world.uses_left() == 1


async def test_the_answer_to_the_right_code_is_lost(world: World, bff: Bff) -> None:
    begun = await bff.sign_up()
    (mail,) = await world.mail(NEW)
    world.emulator.add_fault({"match": {"path": "*/attempt_verification"}, "drop": "after"})
    assert (await bff.verify(begun.content["signup_id"], mail["code"])).status == 503
    kept = await world.connection.fetchval("SELECT code_hash FROM clerk_migration.signups")
    guesses = (mail["code"], f"{begun.content['signup_id']} {mail['code']}")
    assert kept not in [hashlib.sha256(guess.encode()).digest() for guess in guesses], "invariant 8"
    assert (await bff.verify(begun.content["signup_id"], mail["code"])).status == 200


async def test_a_right_code_whose_answer_was_lost_stays_right_while_clerk_looks_at_none(
    world: World, bff: Bff
) -> None:
    signup_id = (await bff.sign_up()).content["signup_id"]
    (mail,) = await world.mail(NEW)
    world.emulator.add_fault({"match": {"path": "*/attempt_verification"}, "drop": "after"})
    assert (await bff.verify(signup_id, mail["code"])).status == 503
    world.emulator.add_fault({"match": {"path": "*/attempt_verification"}, "status": 429})
    assert (await bff.verify(signup_id, mail["code"])).code == "code_invalid"
    assert (await bff.verify(signup_id, mail["code"])).status == 200


async def test_a_code_that_clerk_did_not_look_at_proves_nothing(world: World, bff: Bff) -> None:
    signup_id = (await bff.sign_up()).content["signup_id"]
    world.emulator.add_fault({"match": {"path": "*/attempt_verification"}, "status": 429})
    assert (await bff.verify(signup_id, "000000")).code == "code_invalid"
    await prove_elsewhere(world, NEW, "The-owners-password-1")
    assert (await bff.verify(signup_id, "000000")).code == "signup_ended"
    await nothing_is_left(world)


async def test_the_session_ends_right_after_the_right_code(world: World, bff: Bff) -> None:
    begun = await bff.sign_up()
    (mail,) = await world.mail(NEW)
    world.emulator.add_fault({"match": {"path": "/v1/me", "method": "GET"}, **SESSION_OVER})
    assert (await bff.verify(begun.content["signup_id"], mail["code"])).code == "code_invalid"
    assert (await bff.verify(begun.content["signup_id"], mail["code"])).status == 200


async def test_a_signup_that_only_clerk_knows_to_be_verified_is_finished(world: World, bff: Bff) -> None:
    begun = await bff.sign_up()
    (mail,) = await world.mail(NEW)
    world.emulator.add_fault({"match": {"path": "*/attempt_verification"}, "drop": "after"})
    await bff.verify(begun.content["signup_id"], mail["code"])
    assert (await sweep(world, unverified=NOTHING)).finished == 1
    assert (await bff.login(NEW)).content["user"]["email_verified"]


async def test_a_signup_that_is_never_verified_is_undone(world: World, bff: Bff) -> None:
    begun = await bff.sign_up()
    assert await sweep(world) == Swept()
    await world.connection.execute(
        "UPDATE clerk_migration.signups SET created_at = created_at - interval '24 hours'"
    )
    assert (await bff.verify(begun.content["signup_id"], "000000")).code == "signup_ended"
    assert (await sweep(world)).undone == 1
    await nothing_is_left(world)
    ended = await stored(world)
    assert (ended["state"], ended["reason"], ended["email"]) == ("undone", "never_verified", None)
    assert (await bff.login(NEW)).code == "credentials_invalid"


STEPS = {
    "the user": "/v1/users",
    "the ticket": "/v1/sign_in_tokens",
    "the sign-in": "/v1/client/sign_ins",
    "who it is": "/v1/me",
    "the code": "*/prepare_verification",
}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"drop": "before"}, id="down"),
        pytest.param({"drop": "after"}, id="answer lost"),
        pytest.param({"status": 500}, id="5xx"),
        pytest.param({"status": 429}, id="429"),
        pytest.param({"body": "<html>Welcome</html>"}, id="HTML"),
    ],
)
async def test_a_step_that_fails_leaves_nothing(
    world: World, bff: Bff, step: str, fault: dict[str, Any]
) -> None:
    """Invariant 5."""
    world.emulator.add_fault(
        {
            "match": {"path": STEPS[step], "method": "GET" if step == "who it is" else "POST"},
            "times": 50,
            **fault,
        }
    )
    reply = await bff.sign_up()
    world.emulator.clear_faults()
    assert reply.status == 503, reply
    assert await world.uses_left() == 1, "at once"
    assert await world.connection.fetchval("SELECT count(*) FROM users") == 0
    await sweep(world)
    await nothing_is_left(world)
    assert (await stored(world))["state"] == "undone"
    assert (await bff.sign_up()).status == 201, "and it may be tried again"


async def test_what_cannot_be_undone_in_clerk_is_undone_later(world: World, bff: Bff) -> None:
    world.emulator.add_fault({"match": {"path": "/v1/sign_in_tokens"}, "times": 50, "status": 500})
    world.emulator.add_fault(
        {"match": {"path": "/v1/users/*", "method": "DELETE"}, "times": 50, "status": 500}
    )
    assert (await bff.sign_up()).status == 503
    assert (await world.people(), await world.uses_left()) == ((1, 0), 1)
    assert (await sweep(world)).left == 1
    world.emulator.clear_faults()
    assert (await sweep(world)).undone == 1
    await nothing_is_left(world)


async def test_nobody_waits_long_for_what_clerk_has_to_undo(world: World) -> None:
    world.signup["clerk_seconds"] = 30
    await world.switch("signup", "clerk")
    await world.invite()
    bff = await world.bff()
    signup_id = (await bff.sign_up()).content["signup_id"]
    world.emulator.add_fault({"match": {"path": "/v1/users*"}, "times": 50, "latency_ms": 60_000})
    async with asyncio.timeout(50):
        assert (await bff.call("DELETE", f"/auth/signup/{signup_id}")).status == 204
    assert ((await stored(world))["state"], await world.uses_left()) == ("undoing", 1)
    world.emulator.clear_faults()
    assert (await sweep(world)).undone == 1
    await nothing_is_left(world)


async def test_a_create_that_arrives_late_is_waited_for(world: World, bff: Bff) -> None:
    world.emulator.add_fault({"match": {"path": "/v1/users", "method": "POST"}, "latency_ms": 3000})
    reply = await bff.sign_up()
    assert reply.status == 503
    assert (await stored(world))["state"] == "undoing"
    assert (await sweep(world, settle=timedelta(minutes=2))).left == 1
    await world.people_in_clerk(1)
    assert (await sweep(world, settle=timedelta(minutes=2))).undone == 1
    await nothing_is_left(world)


async def test_without_clerk_nobody_signs_up_and_nothing_is_taken(world: World) -> None:
    await world.switch("signup", "clerk")
    await world.invite()
    bff = await world.bff(CLERK_SECRET_KEY=None)
    assert (await bff.sign_up()).code == "authentication_unavailable"
    assert await world.uses_left() == 1
    assert await stored(world) == {}, "nothing to undo, either"


async def test_a_running_bff_sweeps_by_itself(world: World) -> None:
    world.signup["sweep_seconds"] = 0.5
    await world.switch("signup", "clerk")
    await world.invite()
    bff = await world.bff()
    begun = await bff.sign_up()
    assert begun.status == 201
    await world.connection.execute(
        "UPDATE clerk_migration.signups SET state = 'row_created', updated_at = now() - interval '1 hour'"
    )
    await world.people_in_clerk(0)
    await nothing_is_left(world)
