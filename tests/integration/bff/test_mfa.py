"""Second factors of users in Clerk: set up, tried out, taken away."""

import asyncio
from typing import Any

import pyotp
import pytest

from tests.integration.bff.conftest import Bff, Reply, World, most
from tests.waiting import until

EMAIL = "clerk@example.com"
NUMBER = "+4915112345678"


class Owner:
    """Somebody who is logged in and manages their second factors."""

    def __init__(self, world: World, bff: Bff, token: str) -> None:
        self.world, self.bff, self.token = world, bff, token

    async def ask(self, method: str, path: str, body: object = None) -> Reply:
        return await self.bff.call(method, f"/auth{path}", body, token=self.token)

    async def enrolled(self) -> dict[str, Any]:
        return dict((await self.ask("GET", "/mfa")).content)

    async def begin_totp(self) -> tuple[str, pyotp.TOTP]:
        begun = await self.ask("POST", "/mfa/totp")
        assert begun.status == 201, begun
        return begun.content["enrolment_id"], pyotp.TOTP(begun.content["secret"])

    async def finish(self, enrolment_id: str, code: str, what: str = "totp", **more: Any) -> Reply:
        body = {"enrolment_id": enrolment_id, "code": code, **more}
        return await self.ask("POST", f"/mfa/{what}/verify", body)

    async def prove(self, authenticator: pyotp.TOTP) -> None:
        """Prove password and authenticator once more: Clerk wants the new factor before it is taken away."""
        begun = await self.bff.reauthenticate(self.token)
        challenge = begun.content["challenge"]["id"]
        code = await self.world.fresh_code(authenticator.secret)
        assert (await self.bff.prove(self.token, challenge, code)).status == 200

    async def events(self) -> list[str]:
        return [event["kind"] for event in (await self.ask("GET", "/events")).content["events"]]


@pytest.fixture
async def owner(world: World) -> Owner:
    await asyncio.to_thread(world.emulator.settings, phone_number=True)
    email, bff = await world.add(), await world.bff()
    return Owner(world, bff, await bff.token(email))


async def test_an_authenticator_is_set_up_used_and_removed(owner: Owner) -> None:
    enrolment_id, authenticator = await owner.begin_totp()
    wrong = "000000" if authenticator.now() != "000000" else "111111"
    assert (await owner.finish(enrolment_id, wrong)).code == "code_invalid"
    assert not (await owner.enrolled())["totp"], "not before its first code"
    done = await owner.finish(enrolment_id, authenticator.now())
    assert done.status == 200
    assert (await owner.enrolled())["totp"]
    assert (await owner.finish(enrolment_id, authenticator.now())).code == "challenge_expired"
    await owner.prove(authenticator)
    assert (await owner.ask("POST", "/mfa/totp")).code == "method_enrolled"
    assert (await owner.ask("DELETE", "/mfa/totp")).status == 204
    assert not (await owner.enrolled())["totp"]
    assert (await owner.ask("DELETE", "/mfa/totp")).code == "not_found"
    assert await owner.events() == ["totp_removed", "totp_added"]


async def test_what_is_to_be_scanned_is_what_is_to_be_typed(owner: Owner) -> None:
    begun = (await owner.ask("POST", "/mfa/totp")).content
    assert pyotp.parse_uri(begun["uri"]).secret == begun["secret"]
    assert begun["qr"].startswith('<svg xmlns="http://www.w3.org/2000/svg"'), "a document of its own"


async def test_backup_codes_come_with_the_first_factor_and_work_once(owner: Owner) -> None:
    enrolment_id, authenticator = await owner.begin_totp()
    codes = (await owner.finish(enrolment_id, authenticator.now())).content["backup_codes"]
    assert len(set(codes)) == 10
    for status in (200, 401):
        first = await owner.bff.login("somebody@example.com")
        done = await owner.bff.finish(first.content["challenge"]["id"], codes[0], "backup_code")
        assert done.status == status
    await owner.prove(authenticator)
    new = (await owner.ask("POST", "/mfa/backup-codes", {})).content["backup_codes"]
    assert not set(new) & set(codes)
    first = await owner.bff.login("somebody@example.com")
    assert (await owner.bff.finish(first.content["challenge"]["id"], codes[1], "backup_code")).status == 401
    assert await owner.events() == ["backup_codes_made", "totp_added"]


async def test_a_number_is_added_used_made_the_default_and_removed(owner: Owner) -> None:
    begun = await owner.ask("POST", "/mfa/phones", {"number": NUMBER})
    assert (begun.status, begun.content["sent_to"]) == (201, "+4*******78")
    enrolment_id = begun.content["enrolment_id"]
    assert (await owner.finish(enrolment_id, "000000", "phones")).code == "code_invalid"
    (message,) = await owner.world.mail(NUMBER, "phone_code")
    assert (await owner.finish(enrolment_id, message["code"], "phones")).status == 200
    (phone,) = (await owner.enrolled())["phones"]
    assert (phone["number"], phone["second_factor"]) == ("+4*******78", True)
    first = await owner.bff.login("somebody@example.com")
    assert first.content["challenge"]["sent_to"] == "+4*******78"
    sent = await owner.world.mail(NUMBER, "phone_code", count=2)
    done = await owner.bff.finish(first.content["challenge"]["id"], sent[-1]["code"], "sms")
    assert done.status == 200
    assert (await owner.ask("DELETE", f"/mfa/phones/{phone['id']}")).code == "reauthentication_required"
    challenge = (await owner.bff.reauthenticate(owner.token)).content["challenge"]["id"]
    sent = await owner.world.mail(NUMBER, "phone_code", count=3)
    assert (await owner.bff.prove(owner.token, challenge, sent[-1]["code"], "sms")).status == 200
    assert (await owner.ask("POST", f"/mfa/phones/{phone['id']}/default")).status == 204
    assert (await owner.ask("DELETE", f"/mfa/phones/{phone['id']}")).status == 204
    assert (await owner.enrolled())["phones"] == []
    assert (await owner.ask("DELETE", f"/mfa/phones/{phone['id']}")).code == "not_found"
    assert (await owner.bff.login("somebody@example.com")).content["status"] == "complete"


@pytest.mark.parametrize("number", ["0151", "+49", "+49 151", "4915112345678", "+" + "1" * 20])
async def test_what_is_no_number_is_told_beside_its_field(owner: Owner, number: str) -> None:
    reply = await owner.ask("POST", "/mfa/phones", {"number": number})
    assert (reply.status, reply.content["errors"][0]["field"]) == (400, "number")


async def test_a_number_whose_code_was_never_typed_may_be_added_again(owner: Owner) -> None:
    for count in (1, 2):
        begun = await owner.ask("POST", "/mfa/phones", {"number": NUMBER})
        assert begun.status == 201
        sent = await owner.world.mail(NUMBER, "phone_code", count=count)
        await asyncio.sleep(0.05)  # the pause between two messages, which is short here
    assert (await owner.finish(begun.content["enrolment_id"], sent[-1]["code"], "phones")).status == 200


async def test_another_text_message_comes_after_a_pause_and_not_often(world: World) -> None:
    world.limits["phone_pause_by_number"] = most(1, 1_000_000)
    world.limits["phone_code_by_user"] = most(2, 1_000_000)
    await asyncio.to_thread(world.emulator.settings, phone_number=True)
    email, bff = await world.add(), await world.bff()
    owner = Owner(world, bff, await bff.token(email))
    begun = await owner.ask("POST", "/mfa/phones", {"number": NUMBER})
    again = await owner.ask("POST", "/mfa/phones/resend", {"enrolment_id": begun.content["enrolment_id"]})
    assert again.code == "too_many_attempts"
    numbers = [
        (await owner.ask("POST", "/mfa/phones", {"number": f"+49151123456{n}0"})).status for n in (1, 2)
    ]
    assert numbers == [201, 429]


async def test_an_enrolment_is_finished_in_the_session_that_it_began_in(owner: Owner) -> None:
    enrolment_id, authenticator = await owner.begin_totp()
    other = Owner(owner.world, owner.bff, await owner.bff.token("somebody@example.com"))
    assert (await other.finish(enrolment_id, authenticator.now())).code == "challenge_expired"
    assert not (await owner.enrolled())["totp"]


async def test_codes_of_an_enrolment_are_few(owner: Owner) -> None:
    enrolment_id, authenticator = await owner.begin_totp()
    wrong = "000000" if authenticator.now() != "000000" else "111111"
    for _ in range(5):
        assert (await owner.finish(enrolment_id, wrong)).code == "code_invalid"
    assert (await owner.finish(enrolment_id, authenticator.now())).code == "challenge_expired"


async def test_two_at_once_finish_an_enrolment_once(owner: Owner) -> None:
    enrolment_id, authenticator = await owner.begin_totp()
    code = authenticator.now()
    replies = await asyncio.gather(*(owner.finish(enrolment_id, code) for _ in range(4)))
    assert sorted(reply.status for reply in replies)[0] == 200
    assert [reply.status for reply in replies].count(200) == 1
    assert (await owner.events()).count("totp_added") == 1


async def test_other_sessions_end_if_one_asks_for_it(owner: Owner) -> None:
    others = [await owner.bff.token("somebody@example.com") for _ in range(2)]
    await owner.bff.reauthenticate(owner.token)  # each login took the place of the one before in Clerk
    enrolment_id, authenticator = await owner.begin_totp()
    done = await owner.finish(enrolment_id, authenticator.now(), sign_out_others=True)
    assert done.status == 200
    assert [await owner.bff.signed_in(token) for token in (*others, owner.token)] == [False, False, True]
    assert set(await owner.events()) == {"totp_added", "other_sessions_ended"}


async def test_who_proved_a_password_alone_does_not_turn_the_factor_off(owner: Owner) -> None:
    """Invariant 2: another session's proof is from before there was a second factor."""
    other = Owner(owner.world, owner.bff, await owner.bff.token("somebody@example.com"))
    await owner.bff.reauthenticate(owner.token)
    enrolment_id, authenticator = await owner.begin_totp()
    await owner.finish(enrolment_id, authenticator.now())
    assert (await other.ask("DELETE", "/mfa/totp")).code == "reauthentication_required"
    assert (await owner.enrolled())["totp"]


async def test_the_owner_is_told_by_mail(owner: Owner) -> None:
    enrolment_id, authenticator = await owner.begin_totp()
    await owner.finish(enrolment_id, authenticator.now())
    (mail,) = await owner.world.mail("somebody@example.com", "mail")
    assert "authenticator" in mail["text"]
    assert authenticator.secret not in mail["text"]


async def test_nothing_secret_is_stored_or_logged(owner: Owner) -> None:
    """Invariant 8."""
    enrolment_id, authenticator = await owner.begin_totp()
    codes = (await owner.finish(enrolment_id, authenticator.now())).content["backup_codes"]
    log = await asyncio.to_thread(owner.bff.log.read_text)
    rows = str(await owner.world.connection.fetch("SELECT * FROM clerk_migration.challenges"))
    rows += str(await owner.world.connection.fetch("SELECT * FROM clerk_migration.security_events"))
    for secret in (authenticator.secret, enrolment_id, authenticator.now(), *codes):
        assert secret not in log
        assert secret not in rows


async def test_a_method_that_the_instance_does_not_have(owner: Owner) -> None:
    await asyncio.to_thread(owner.world.emulator.settings, authenticator_app=False)
    assert (await owner.ask("POST", "/mfa/totp")).code == "method_unavailable"


@pytest.mark.parametrize("path", ["/mfa", "/events"])
async def test_they_need_a_session(world: World, path: str) -> None:
    bff = await world.bff()
    assert (await bff.call("GET", f"/auth{path}")).code == "session_required"


async def test_with_clerk_out_nothing_changes(owner: Owner) -> None:
    enrolment_id, authenticator = await owner.begin_totp()
    owner.world.emulator.add_fault({"match": {"path": "/v1/me*"}, "times": 100, "status": 503})
    for _ in range(3):
        assert (await owner.finish(enrolment_id, authenticator.now())).code == "authentication_unavailable"
    owner.world.emulator.clear_faults()
    assert await owner.bff.signed_in(owner.token)
    assert await owner.events() == []
    assert (await owner.finish(enrolment_id, authenticator.now())).status == 200


def lose(owner: Owner, path: str, method: str, times: int = 1) -> None:
    """Have Clerk do what it is asked, and its answer be lost."""
    match = {"path": path, "method": method}
    owner.world.emulator.add_fault({"match": match, "times": times, "drop": "after"})


async def test_an_answer_that_is_lost_is_asked_for_again(owner: Owner) -> None:
    """The backup codes went with it: there are others."""
    enrolment_id, authenticator = await owner.begin_totp()
    lose(owner, "/v1/me/totp/attempt_verification", "POST")
    assert (await owner.finish(enrolment_id, authenticator.now())).code == "authentication_unavailable"
    assert await owner.events() == []
    begun = await owner.bff.reauthenticate(owner.token)  # Clerk wants the new factor before it makes codes
    code = await owner.world.fresh_code(authenticator.secret)
    assert (await owner.bff.prove(owner.token, begun.content["challenge"]["id"], code)).status == 200
    done = await owner.finish(enrolment_id, authenticator.now())
    assert (done.status, len(done.content["backup_codes"])) == (200, 10)
    assert await owner.events() == ["totp_added"]
    first = await owner.bff.login("somebody@example.com")
    code = done.content["backup_codes"][0]
    assert (await owner.bff.finish(first.content["challenge"]["id"], code, "backup_code")).status == 200
    assert (await owner.finish(enrolment_id, authenticator.now())).code == "challenge_expired"


async def test_a_number_whose_answer_was_lost(owner: Owner) -> None:
    begun = await owner.ask("POST", "/mfa/phones", {"number": NUMBER})
    (message,) = await owner.world.mail(NUMBER, "phone_code")
    lose(owner, "/v1/me/phone_numbers/*/attempt_verification", "POST")
    enrolment_id = begun.content["enrolment_id"]
    assert (await owner.finish(enrolment_id, message["code"], "phones")).status == 503
    challenge = (await owner.bff.reauthenticate(owner.token)).content["challenge"]["id"]
    sent = await owner.world.mail(NUMBER, "phone_code", count=2)
    assert (await owner.bff.prove(owner.token, challenge, sent[-1]["code"], "sms")).status == 200
    done = await owner.finish(enrolment_id, message["code"], "phones")
    assert (done.status, len(done.content["backup_codes"])) == (200, 10)
    assert await owner.events() == ["phone_added"]


async def with_totp(owner: Owner) -> pyotp.TOTP:
    enrolment_id, authenticator = await owner.begin_totp()
    assert (await owner.finish(enrolment_id, authenticator.now())).status == 200
    await owner.prove(authenticator)
    return authenticator


@pytest.mark.parametrize("lost", [1, 100])
async def test_a_removal_whose_answer_is_lost(owner: Owner, lost: int) -> None:
    """The request is repeated by itself; if that does not help either, by whoever asked for it."""
    others = await owner.bff.token("somebody@example.com")
    await owner.bff.reauthenticate(owner.token)
    await with_totp(owner)
    lose(owner, "/v1/me/totp", "DELETE", lost)
    removed = await owner.ask("DELETE", "/mfa/totp?sign_out_others=true")
    if lost > 1:
        assert removed.status == 503
        removed = await owner.ask("DELETE", "/mfa/totp")
    assert removed.status == 204
    assert set(await owner.events()) == {"other_sessions_ended", "totp_removed", "totp_added"}
    assert not await owner.bff.signed_in(others)
    assert await owner.world.connection.fetchval("SELECT count(*) FROM clerk_migration.changes") == 0


@pytest.mark.parametrize("drop", ["before", "after"])
async def test_what_became_of_a_change_is_found_out(owner: Owner, drop: str) -> None:
    """Nobody asks again: whether it was done is seen in Clerk, and the owner is told."""
    await with_totp(owner)
    match = {"path": "/v1/me/totp", "method": "DELETE"}
    owner.world.emulator.add_fault({"match": match, "times": 100, "drop": drop})
    assert (await owner.ask("DELETE", "/mfa/totp")).status == 503
    assert await owner.events() == ["totp_added"]
    aged = await owner.world.connection.execute("UPDATE clerk_migration.changes SET look_at = now()")
    assert aged == "UPDATE 1"

    async def settled() -> bool:
        return not await owner.world.connection.fetchval(
            "SELECT count(*) FROM clerk_migration.changes WHERE shelved_at IS NULL"
        )

    await until(settled)
    told = ["totp_removed", "totp_added"] if drop == "after" else ["totp_added"]
    assert await owner.events() == told
    mails = await owner.world.mail("somebody@example.com", "mail", count=len(told))
    assert len(mails) == len(told)


async def test_a_wrong_code_is_no_change(owner: Owner) -> None:
    enrolment_id, authenticator = await owner.begin_totp()
    wrong = "000000" if authenticator.now() != "000000" else "111111"
    await owner.finish(enrolment_id, wrong)
    assert await owner.world.connection.fetchval("SELECT count(*) FROM clerk_migration.changes") == 0
