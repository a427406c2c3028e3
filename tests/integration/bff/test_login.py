"""Logging in, over HTTP, against a BFF process. tests/integration/legacy has the same for users whom AX checks."""

import asyncio
import json
import time
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from tests.integration.bff.conftest import PASSWORD, Bff, World, code_now, most, wrong_code
from tests.waiting import until
from toolkit.clerk.breaker import FAILURES


async def test_the_right_password_makes_a_session(world: World) -> None:
    email, bff = await world.add(), await world.bff()
    reply = await bff.login(email)
    assert (reply.status, reply.content["status"]) == (200, "complete")
    assert reply.content["user"]["authentication"] == world.system
    cookie = reply.headers["Set-Cookie"]
    assert cookie.startswith("__Host-ax_session=")
    assert {"HttpOnly", "Secure", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    assert reply.content["token"] is None
    shown = await bff.call("GET", "/auth/session", Cookie=cookie.split(";")[0])
    assert shown.content["user"]["email"] == email
    stored = await world.connection.fetchrow("SELECT * FROM sessions")
    assert stored is not None
    assert cookie.split(";")[0].split("=")[1].encode() not in bytes(stored["token_hash"])
    assert (stored["clerk_session_id"] is not None) == (world.system == "clerk")
    assert await world.counts() == {(world.system, "success"): 1}


async def test_whoever_is_refused_learns_nothing(world: World) -> None:
    """Invariant 9."""
    world.login["failure_seconds"] = 0.4
    email, bff = await world.add(), await world.bff()
    await world.row("disabled@example.com", disabled_at=datetime.now(UTC))
    replies = []
    for address, password in (
        (email, "wrong"),
        ("nobody@example.com", PASSWORD),
        ("disabled@example.com", PASSWORD),
    ):
        begun = time.monotonic()
        replies.append((await bff.login(address, password)).told)
        assert time.monotonic() - begun >= 0.4, "no answer comes sooner, whatever it took"
    assert replies[0][0] == 401
    assert replies[0][1]["code"] == "credentials_invalid"
    assert replies == [replies[0]] * 3


async def test_locked_banned_and_deleted_look_like_a_wrong_password(world: World) -> None:
    """Invariant 9."""
    bff = await world.bff()
    told = []
    for state in ("locked", "banned", "deleted", "wrong"):
        email = f"{state}@example.com"
        clerk_id = await world.migrated(email)
        async with world.clerk() as clerk:
            if state == "banned":
                await clerk.ban_user(clerk_id)
            if state == "deleted":
                await clerk.delete_user(clerk_id)
        if state == "locked":
            await asyncio.to_thread(world.emulator.settings, lockout_attempts=1)
            await bff.login(email, "wrong")
        told.append((await bff.login(email, "wrong" if state == "wrong" else PASSWORD)).told)
        await asyncio.to_thread(world.emulator.settings, lockout_attempts=100)
    assert told == [told[0]] * 4
    counts = await world.counts()
    assert {outcome for _, outcome in counts} == {"wrong_password", "locked", "banned", "not_in_clerk"}


def refusal(status: int, code: str) -> dict[str, object]:
    """A fault: Clerk refuses to begin a sign-in."""
    return {
        "match": {"path": "/v1/client/sign_ins"},
        "status": status,
        "body": json.dumps({"errors": [{"code": code, "message": "", "long_message": "", "meta": {}}]}),
        "content_type": "application/json",
    }


@pytest.mark.parametrize("compromised_sign_in", ["new_password", "refused"])
async def test_a_compromised_password_leads_to_a_reset(world: World, compromised_sign_in: str) -> None:
    clerk_id, bff = await world.migrated(), await world.bff()
    world.emulator.settings(compromised_sign_in=compromised_sign_in)
    await world.compromise(clerk_id)
    reply = await bff.login("clerk@example.com")
    assert (reply.status, reply.content["status"]) == (200, "needs_new_password")
    assert "Set-Cookie" not in reply.headers
    assert await world.connection.fetchval("SELECT count(*) FROM sessions") == 0


@pytest.mark.parametrize(
    ("status", "code", "answer"),
    [
        (422, "form_password_or_identifier_incorrect", 401),
        (403, "user_deactivated", 401),
        (400, "verification_failed", 401),
        (422, "form_password_pwned", 200),
        (422, "password_reset_required", 200),
        (401, "proxy_request_invalid_secret_key", 503),
        (400, "native_api_disabled", 503),
        (403, "a_code_of_tomorrow", 401),
        (401, "a_code_of_tomorrow", 401),
    ],
)
async def test_what_clerk_refuses_a_sign_in_with(world: World, status: int, code: str, answer: int) -> None:
    await world.migrated()
    bff = await world.bff()
    world.emulator.add_fault(refusal(status, code))
    reply = await bff.login("clerk@example.com")
    assert reply.status == answer
    assert answer != 200 or reply.content["status"] == "needs_new_password"
    assert answer != 401 or reply.code == "credentials_invalid"
    assert await world.connection.fetchval("SELECT count(*) FROM sessions") == 0


async def test_the_second_factor_is_asked_for_and_a_code_works_once(world: World) -> None:
    """Invariant 2."""
    email, bff = await world.add(totp=True), await world.bff()
    first = await bff.login(email)
    assert first.content["status"] == "needs_second_factor"
    assert [way["method"] for way in first.content["challenge"]["methods"]] == ["totp"]
    assert "ax_session" not in first.headers.get("Set-Cookie", "")
    challenge = first.content["challenge"]["id"]
    assert (await bff.finish(challenge, wrong_code())).code == "code_invalid"
    code = code_now()
    done = await bff.finish(challenge, code)
    assert (done.status, done.content["status"]) == (200, "complete")
    assert (await bff.finish(challenge, code)).code == "challenge_expired"
    second = await bff.login(email)
    assert (await bff.finish(second.content["challenge"]["id"], code)).code == "code_invalid"


async def test_a_code_by_text_message(world: World) -> None:
    await world.phones("+4915112345678")
    bff = await world.bff()
    first = (await bff.login("clerk@example.com")).content
    assert first["challenge"]["methods"][0] == {"method": "sms", "to": "+4*******78"}
    assert first["challenge"]["sent_to"] == "+4*******78"
    challenge, code = (
        first["challenge"]["id"],
        (await world.mail("+4915112345678", "phone_code", count=2))[-1]["code"],
    )
    wrong = "000000" if code != "000000" else "111111"
    assert (await bff.finish(challenge, wrong, "sms")).code == "code_invalid"
    assert (await bff.finish(challenge, code, "totp")).code == "request_invalid"
    done = await bff.finish(challenge, code, "sms")
    assert (done.status, done.content["status"]) == (200, "complete")


async def test_a_text_message_goes_to_the_number_that_was_chosen(world: World) -> None:
    await world.phones("+4915112345678", "+4915198765432", totp=True)
    bff = await world.bff()
    challenge = (await bff.login("clerk@example.com")).content["challenge"]
    numbers = [way["to"] for way in challenge["methods"] if way["method"] == "sms"]
    assert (sorted(numbers), challenge["sent_to"]) == (["+4*******32", "+4*******78"], None)
    before = len(await world.mail("+4915198765432", "phone_code"))
    body = {"challenge_id": challenge["id"], "method": "sms", "to": "+4*******32"}
    sent = await bff.call("POST", "/auth/login/second-factor/prepare", body)
    assert (sent.status, sent.content) == (200, {"method": "sms", "to": "+4*******32"})
    messages = await world.mail("+4915198765432", "phone_code", count=before + 1)
    done = await bff.finish(challenge["id"], messages[-1]["code"], "sms")
    assert (done.status, done.content["status"]) == (200, "complete")
    unknown = {**body, "to": "+4*******99"}
    assert (await bff.call("POST", "/auth/login/second-factor/prepare", unknown)).code == "challenge_expired"


async def test_wrong_codes_are_few(world: World) -> None:
    email, bff = await world.add(totp=True), await world.bff()
    challenge = (await bff.login(email)).content["challenge"]["id"]
    for _ in range(5):
        assert (await bff.finish(challenge, wrong_code())).code == "code_invalid"
    assert (await bff.finish(challenge, code_now())).code == "challenge_expired"


async def test_a_challenge_expires(world: World) -> None:
    email, bff = await world.add(totp=True), await world.bff()
    challenge = (await bff.login(email)).content["challenge"]["id"]
    await world.connection.execute("UPDATE clerk_migration.challenges SET expires_at = now()")
    assert (await bff.finish(challenge, code_now())).code == "challenge_expired"


async def test_two_at_once_finish_a_challenge_once(world: World) -> None:
    email, bff = await world.add(totp=True), await world.bff()
    challenge, code = (await bff.login(email)).content["challenge"]["id"], code_now()
    replies = await asyncio.gather(*(bff.finish(challenge, code) for _ in range(4)))
    assert sorted(reply.status for reply in replies) == [200, 401, 401, 401]
    assert await world.connection.fetchval("SELECT count(*) FROM sessions") == 1


async def test_a_backup_code_works_once(world: World) -> None:
    await world.migrated(totp=True, backup_codes=["one", "two"])
    bff = await world.bff()
    for status in (200, 401):
        first = await bff.login("clerk@example.com")
        assert {way["method"] for way in first.content["challenge"]["methods"]} == {"totp", "backup_code"}
        reply = await bff.finish(first.content["challenge"]["id"], "one", "backup_code")
        assert reply.status == status


async def test_a_new_device_needs_the_emailed_code_and_is_known_afterwards(world: World) -> None:
    await asyncio.to_thread(world.emulator.settings, client_trust=True)
    await world.migrated()
    bff = await world.bff()
    first = await bff.login("clerk@example.com", delivery="bearer")
    challenge = first.content["challenge"]
    assert (first.content["status"], challenge["sent_to"]) == (
        "needs_client_trust",
        challenge["methods"][0]["to"],
    )
    outbox = await asyncio.to_thread(world.emulator.control, "GET", "outbox?to=clerk@example.com")
    done = await bff.finish(challenge["id"], outbox[-1]["code"], "email")
    assert done.content["status"] == "complete"
    again = await bff.login("clerk@example.com", delivery="bearer", device=first.content["device"])
    assert again.content["status"] == "complete", "the device is known, also in single-session mode"
    assert (await bff.login("clerk@example.com")).content["status"] == "needs_client_trust"


async def give_grace(world: World) -> str:
    """A user as the import leaves one behind; the Clerk id."""
    await asyncio.to_thread(world.emulator.settings, client_trust=True)
    clerk_id = await world.migrated(bypass_client_trust=True)
    await world.connection.execute("INSERT INTO clerk_migration.device_graces VALUES ($1)", clerk_id)
    return clerk_id


async def is_asked_again(world: World, clerk_id: str) -> bool:
    """Whether Clerk asks for a code on other devices, and the grace is over here, too."""
    user = await asyncio.to_thread(world.emulator.get, f"/v1/users/{clerk_id}")
    runs = await world.connection.fetchval("SELECT count(*) FROM clerk_migration.device_graces")
    return not user["bypass_client_trust"] and not runs


async def test_a_grace_ends_with_the_first_login_and_its_device_is_known(world: World) -> None:
    clerk_id = await give_grace(world)
    bff = await world.bff()
    assert (await bff.login("clerk@example.com", password="wrong")).status == 401
    assert not await is_asked_again(world, clerk_id)
    first = await bff.login("clerk@example.com", delivery="bearer")
    assert first.content["status"] == "complete", "nobody is mailed a code"
    await until(partial(is_asked_again, world, clerk_id))
    again = await bff.login("clerk@example.com", delivery="bearer", device=first.content["device"])
    assert again.content["status"] == "complete"
    assert (await bff.login("clerk@example.com")).content["status"] == "needs_client_trust"


async def test_a_grace_that_clerk_does_not_end_runs_until_the_next_login(world: World) -> None:
    clerk_id = await give_grace(world)
    bff = await world.bff()
    fault = {"match": {"method": "PATCH", "path": "/v1/users/*"}, "status": 422}
    await asyncio.to_thread(world.emulator.add_fault, fault)
    assert (await bff.login("clerk@example.com")).content["status"] == "complete"
    await until(lambda: "device grace not ended" in bff.log.read_text())
    assert await world.connection.fetchval("SELECT count(*) FROM clerk_migration.device_graces") == 1
    assert (await bff.login("clerk@example.com")).content["status"] == "complete"
    await until(partial(is_asked_again, world, clerk_id))


async def test_somebody_elses_clerk_user_is_not_believed(world: World) -> None:
    """Invariant 10."""
    await world.migrated()
    stranger = await world.migrated("stranger@example.com")
    bff = await world.bff()
    await asyncio.to_thread(world.emulator.settings, sign_in_as=stranger)
    assert (await bff.login("clerk@example.com")).code == "credentials_invalid"
    assert await world.connection.fetchval("SELECT count(*) FROM sessions") == 0
    assert await world.counts() == {("clerk", "different_user"): 1}


async def test_limits_by_account_and_address_are_shared_by_replicas(world: World) -> None:
    world.limit_logins(4)
    world.limits["sign_in_by_address"] = most(6, 1_000_000)
    replicas = [await world.bff(), await world.bff()]
    for number in range(4):
        reply = await replicas[number % 2].login("a@example.com", address=f"203.0.113.{number}")
        assert reply.code == "credentials_invalid"
    refused = await replicas[0].login("a@example.com", address="203.0.113.9")
    assert (refused.status, refused.code) == (429, "too_many_attempts")
    assert int(refused.headers["Retry-After"]) > 0
    codes = [
        (await replicas[n % 2].login(f"b{n}@example.com", address="198.51.100.1")).code for n in range(7)
    ]
    assert codes == ["credentials_invalid"] * 6 + ["too_many_attempts"]
    assert await world.counts() == {("legacy", "unknown"): 10, ("legacy", "limited"): 2}


async def test_clerks_own_limit_looks_like_a_wrong_password(world: World) -> None:
    """Invariant 9: whoever uses it up at Clerk itself would otherwise learn who is there."""
    await asyncio.to_thread(world.emulator.settings, rate_limit="production")
    await world.migrated()
    bff = await world.bff()
    told = [(await bff.login("clerk@example.com", "wrong")).told for _ in range(6)]
    assert told == [(await bff.login("nobody@example.com")).told] * 6
    assert (await bff.login("clerk@example.com", address="203.0.113.7")).status == 200
    assert (await world.counts())["clerk", "unexplained"] == 1


@pytest.mark.parametrize(
    "fault", [{"status": 429}, {"status": 403, "body": "<html>Not you</html>"}], ids=["429", "HTML"]
)
async def test_an_odd_answer_to_everybody_is_an_outage(world: World, fault: dict[str, Any]) -> None:
    await world.migrated()
    bff = await world.bff()
    assert (await bff.login("clerk@example.com")).status == 200
    world.emulator.add_fault({"match": {"path": "/v1/client/sign_ins"}, "times": 100, **fault})
    statuses = [
        (await bff.login("clerk@example.com", address=f"203.0.113.{number}")).status for number in range(7)
    ]
    assert statuses == [401] * (FAILURES - 1) + [503] * 3
    world.emulator.clear_faults()


async def test_who_has_the_password_does_not_get_to_try_all_codes(world: World) -> None:
    """Invariant 2."""
    world.limits["code_by_user"] = most(7, 1_000_000)
    email, bff = await world.add(totp=True), await world.bff()
    replies = []
    for number in range(2):
        challenge = (await bff.login(email, address=f"203.0.113.{number}")).content["challenge"]["id"]
        for attempt in range(4):
            address = f"198.51.100.{4 * number + attempt}"
            replies.append((await bff.finish(challenge, wrong_code(), address=address)).code)
    assert replies == ["code_invalid"] * 7 + ["too_many_attempts"]
    assert await world.counts() == {
        (world.system, "challenged"): 2,
        (world.system, "wrong_code"): 7,
        (world.system, "limited"): 1,
    }


async def test_a_device_that_somebody_planted_is_not_taken(world: World) -> None:
    await asyncio.to_thread(world.emulator.settings, client_trust=True)
    await world.migrated()
    bff = await world.bff()
    first = await bff.login("clerk@example.com", delivery="bearer", device="planted")
    assert first.content["device"] not in (None, "planted")


async def failures(world: World, bff: Bff, count: int, **more: Any) -> None:
    """So many wrong passwords, each from another address."""
    for number in range(count):
        reply = await bff.login("clerk@example.com", "wrong", address=f"203.0.113.{number}", **more)
        assert reply.code == "credentials_invalid"


async def test_a_stranger_does_not_have_clerk_lock_the_owner(world: World) -> None:
    """Clerk locks after ten failures; it is asked about four from devices that the owner is not known on."""
    await asyncio.to_thread(world.emulator.settings, lockout_attempts=10)
    world.limit_logins(1000)
    await world.migrated()
    bff = await world.bff()
    device = (await bff.login("clerk@example.com", delivery="bearer")).content["device"]
    await failures(world, bff, 12)
    assert (await bff.login("clerk@example.com")).code == "credentials_invalid", "not from just anywhere"
    counts = await world.counts()
    assert (counts["clerk", "wrong_password"], counts["clerk", "guarded"]) == (4, 9)
    at_home = await bff.login("clerk@example.com", delivery="bearer", device=device)
    assert at_home.content["status"] == "complete"
    assert (await bff.login("clerk@example.com")).status == 200, "the count begins anew"


async def test_not_on_a_known_device_either_is_clerk_asked_until_it_locks(world: World) -> None:
    await asyncio.to_thread(world.emulator.settings, lockout_attempts=10)
    world.limit_logins(1000)
    await world.migrated()
    bff = await world.bff()
    device = (await bff.login("clerk@example.com", delivery="bearer")).content["device"]
    await failures(world, bff, 12, device=device)
    counts = await world.counts()
    assert (counts["clerk", "wrong_password"], counts["clerk", "guarded"]) == (9, 3)


async def test_strangers_at_once_do_not_have_clerk_lock_the_owner(world: World) -> None:
    await asyncio.to_thread(world.emulator.settings, lockout_attempts=10)
    world.limit_logins(1000)
    await world.migrated()
    bff = await world.bff()
    await asyncio.gather(
        *(bff.login("clerk@example.com", "wrong", address=f"203.0.113.{n}") for n in range(20))
    )
    assert (await world.counts())["clerk", "wrong_password"] == 4


async def test_wrong_codes_count_towards_the_lock_too(world: World) -> None:
    await asyncio.to_thread(world.emulator.settings, lockout_attempts=10)
    await world.migrated(totp=True)
    bff = await world.bff()
    challenge = (await bff.login("clerk@example.com")).content["challenge"]["id"]
    for number in range(5):
        address = f"203.0.113.{number}"
        assert (await bff.finish(challenge, wrong_code(), address=address)).code == "code_invalid"
    counts = await world.counts()
    assert (counts["clerk", "wrong_code"], counts["clerk", "guarded"]) == (4, 1)


async def test_an_outage_counts_towards_no_lock(world: World) -> None:
    await world.migrated()
    await world.migrated("other@example.com")
    bff = await world.bff()
    for _ in range(7):
        world.emulator.add_fault({"match": {"path": "/v1/client/sign_ins"}, "times": 1, "status": 500})
        assert (await bff.login("clerk@example.com")).status == 503
        assert (await bff.login("other@example.com")).status == 200  # and the breaker stays closed
    assert (await bff.login("clerk@example.com")).status == 200


async def test_two_at_once_use_a_backup_code_once(world: World) -> None:
    await world.migrated(totp=True, backup_codes=["one", "two"])
    bff = await world.bff()
    challenges = [(await bff.login("clerk@example.com")).content["challenge"]["id"] for _ in range(3)]
    replies = await asyncio.gather(*(bff.finish(challenge, "one", "backup_code") for challenge in challenges))
    assert [reply.status for reply in replies].count(200) == 1


async def test_another_code_comes_after_a_pause_unless_it_goes_elsewhere(world: World) -> None:
    world.limits["code_pause_by_challenge"] = most(1, 1_000_000)
    await world.phones("+4915112345678", "+4915198765432")
    bff = await world.bff()
    challenge = (await bff.login("clerk@example.com")).content["challenge"]
    others = [method["to"] for method in challenge["methods"] if method["to"] != challenge["sent_to"]]
    path = "/auth/login/second-factor/prepare"
    body = {"challenge_id": challenge["id"], "method": "sms"}
    assert (await bff.call("POST", path, {**body, "to": challenge["sent_to"]})).code == "too_many_attempts"
    assert (await bff.call("POST", path, {**body, "to": others[0]})).status == 200
    assert (await bff.call("POST", path, {**body, "to": others[0]})).code == "too_many_attempts"


async def test_a_stranger_with_patience_does_not_have_clerk_lock_the_owner_either(world: World) -> None:
    """Clerk's count does not go down by itself."""
    await asyncio.to_thread(world.emulator.settings, lockout_attempts=10)
    world.limit_logins(1000)
    await world.migrated()
    bff = await world.bff()
    device = (await bff.login("clerk@example.com", delivery="bearer")).content["device"]
    await failures(world, bff, 6)
    await world.connection.execute(
        "UPDATE clerk_migration.attempts SET times = array(SELECT t - interval '2 hours' FROM unnest(times) AS t)"
    )
    await failures(world, bff, 6)
    at_home = await bff.login("clerk@example.com", delivery="bearer", device=device)
    assert at_home.content["status"] == "complete"


async def test_a_password_alone_makes_no_device_a_known_one(world: World) -> None:
    """Who has the password and not the factor must not use up what is left to the owner's devices."""
    await asyncio.to_thread(world.emulator.settings, lockout_attempts=10)
    await world.migrated(totp=True)
    bff = await world.bff()
    first = (await bff.login("clerk@example.com", delivery="bearer")).content
    owner = (await bff.finish(first["challenge"]["id"], await world.fresh_code())).content["device"]
    device = None
    for number in range(3):
        given: dict[str, str] = {} if device is None else {"device": device}
        reply = await bff.login("clerk@example.com", delivery="bearer", **given)
        if reply.status == 401:  # Clerk is not asked any more
            break
        device = reply.content["device"]
        for attempt in range(4):
            address = f"203.0.113.{4 * number + attempt}"
            await bff.finish(reply.content["challenge"]["id"], wrong_code(), address=address)
    assert (await world.counts())["clerk", "wrong_code"] == 4
    begun = await bff.login("clerk@example.com", delivery="bearer", device=owner)
    done = await bff.finish(begun.content["challenge"]["id"], await world.fresh_code())
    assert done.content["status"] == "complete"


async def test_what_clerk_leaves_unanswered_is_forgiven_a_few_times(world: World) -> None:
    """It may have counted what it was asked: nobody gets it to lock the owner by way of lost answers."""
    await asyncio.to_thread(world.emulator.settings, lockout_attempts=10)
    world.limit_logins(1000)
    await world.migrated()
    await world.migrated("other@example.com")
    bff = await world.bff()
    device = (await bff.login("clerk@example.com", delivery="bearer")).content["device"]
    for number in range(12):
        match = {"path": "/v1/client/sign_ins"}
        world.emulator.add_fault({"match": match, "times": 1, "drop": "after"})
        await bff.login("clerk@example.com", "wrong", address=f"203.0.113.{number}")
        world.emulator.clear_faults()
        assert (await bff.login("other@example.com")).status == 200  # and the breaker stays closed
    counts = await world.counts()
    assert (counts["clerk", "unavailable"], counts["clerk", "guarded"]) == (8, 4)
    at_home = await bff.login("clerk@example.com", delivery="bearer", device=device)
    assert at_home.content["status"] == "complete"


async def test_whoever_has_the_password_uses_up_no_codes_on_a_known_device(world: World) -> None:
    world.limits["code_by_user"] = most(2, 1_000_000)
    await world.migrated(totp=True)
    bff = await world.bff()
    first = (await bff.login("clerk@example.com", delivery="bearer")).content
    owner = (await bff.finish(first["challenge"]["id"], await world.fresh_code())).content["device"]
    challenge = (await bff.login("clerk@example.com")).content["challenge"]["id"]
    codes = [(await bff.finish(challenge, wrong_code())).code for _ in range(2)]
    assert codes == ["code_invalid", "too_many_attempts"]
    begun = (await bff.login("clerk@example.com", delivery="bearer", device=owner)).content
    code = await world.fresh_code()
    body = {
        "challenge_id": begun["challenge"]["id"],
        "method": "totp",
        "code": code,
        "device": begun["device"],
    }
    assert (await bff.call("POST", "/auth/login/second-factor", body)).status == 200
