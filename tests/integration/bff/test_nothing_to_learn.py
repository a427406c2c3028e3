"""What somebody with an invite tries, to learn whether an address has an account (invariant 9)."""

import asyncio
from typing import Any

import pytest

from tests.integration.bff.conftest import Bff, Reply, World, most
from tests.integration.bff.test_signup import NOTHING, sweep
from toolkit.clerk import ClerkConfig, ClerkError, FrontendClient

FRESH, TAKEN = "tina@example.com", "taken@example.com"
BOTH = (FRESH, TAKEN)
CHOSEN = "Another-password-1"


@pytest.fixture
async def ready(world: World) -> World:
    await world.switch("signup", "clerk")
    await world.invite(uses=30)
    await world.row(TAKEN)
    return world


def told(reply: Reply) -> tuple[int, dict[str, Any], set[str]]:
    """What can be learned from an answer: all of it but the values that are random each time."""
    random = {"request_id", "signup_id", "device"}
    content = {name: value for name, value in reply.content.items() if name not in random}
    return reply.status, content, set(reply.content)


async def log_in_alike(bff: Bff, password: str = CHOSEN, *, upper: bool = False, **more: Any) -> Reply:
    """Log in with the taken and the fresh address; the answer, which must be the same."""
    replies = [await bff.login(email.upper() if upper else email, password, **more) for email in BOTH]
    assert told(replies[0]) == told(replies[1])
    return replies[0]


async def test_an_address_is_told_as_it_signed_up(ready: World) -> None:
    bff = await ready.bff()
    for email in BOTH:
        await bff.sign_up(email, password=CHOSEN)
    reply = await log_in_alike(bff, upper=True)
    assert reply.content["sent_to"] == "t***@example.com"


async def test_a_mail_goes_to_nobody_whose_address_looks_alike(ready: World) -> None:
    """To Postgres the lower case of this letter may be an i."""
    bff = await ready.bff()
    await ready.row("taken@instance.com")
    await bff.sign_up("taken@instance.com", password=CHOSEN)
    await bff.login("taken@İnstance.com", CHOSEN)
    await asyncio.sleep(0.5)
    outbox = await asyncio.to_thread(ready.emulator.control, "GET", "outbox")
    assert {mail["to"] for mail in outbox} == {"taken@instance.com"}


async def test_many_signups_of_an_address(ready: World) -> None:
    bff = await ready.bff()
    for email in BOTH:
        for number in range(5):
            await bff.sign_up(email, password=f"{CHOSEN}{number}")
    assert (await log_in_alike(bff, f"{CHOSEN}0")).content["status"] == "needs_email_verification"
    assert (await log_in_alike(bff, f"{CHOSEN}4")).content["status"] == "needs_email_verification"
    assert (await log_in_alike(bff, f"{CHOSEN}9")).code == "credentials_invalid"


async def test_a_user_who_is_locked_in_clerk(ready: World) -> None:
    await asyncio.to_thread(ready.emulator.settings, lockout_attempts=10)
    ready.limits["signup_login_by_email"] = most(5, 1_000_000)
    bff = await ready.bff()
    for email in BOTH:
        await bff.sign_up(email, password=CHOSEN)
    assert (await log_in_alike(bff)).status == 200
    for _ in range(3):
        assert (await log_in_alike(bff, "wrong")).status == 401
    assert (await log_in_alike(bff)).status == 200
    assert (await log_in_alike(bff)).status == 401


async def test_clerk_wants_to_trust_the_device_first(ready: World) -> None:
    """With client trust, both addresses lead to a code by mail."""
    await asyncio.to_thread(ready.emulator.settings, client_trust=True)
    bff = await ready.bff()
    for email in BOTH:
        await bff.sign_up(email, password=CHOSEN)
    reply = await log_in_alike(bff)
    assert reply.content["status"] == "needs_email_verification"
    codes = await ready.mail(FRESH, count=2)
    assert (await bff.verify(reply.content["signup_id"], codes[-1]["code"])).content["user"]["email_verified"]


async def test_a_signup_that_is_over_and_not_swept_yet(ready: World) -> None:
    ready.signup["sweep_seconds"] = 1000
    bff = await ready.bff()
    for email in BOTH:
        await bff.sign_up(email, password=CHOSEN)
    await ready.connection.execute(
        "UPDATE clerk_migration.signups SET created_at = now() - interval '25 hours'"
    )
    assert (await log_in_alike(bff)).code == "credentials_invalid"


async def test_a_signup_that_is_over_while_clerk_is_out(ready: World) -> None:
    ready.signup["sweep_seconds"] = 1000
    bff = await ready.bff()
    for email, invite in zip(BOTH, ("AX-1", "AX-2"), strict=True):
        await ready.invite(invite)
        await bff.sign_up(email, password=CHOSEN, invite=invite)
    ready.emulator.add_fault({"match": {"path": "/v1/*"}, "times": 5000, "status": 500})
    assert (await sweep(ready, unverified=NOTHING)).left == 2
    assert [await ready.uses_left("AX-1"), await ready.uses_left("AX-2")] == [0, 0]
    ready.emulator.clear_faults()
    assert (await sweep(ready, unverified=NOTHING)).undone == 2
    assert [await ready.uses_left("AX-1"), await ready.uses_left("AX-2")] == [1, 1]


async def test_an_account_of_ones_own_does_not_use_up_clerks_limit(ready: World) -> None:
    """Whoever logs in where they are logged in costs two sign-ins at Clerk, and so two of our own limit."""
    ready.limits["sign_in_by_address"] = most(5, 1000)
    await asyncio.to_thread(ready.emulator.settings, rate_limit="production")
    for email in ("mallory@example.com", "moved@example.com"):
        await ready.migrated(email)
    bff = await ready.bff()
    answers = []
    for number, email in enumerate(("moved@example.com", "nobody@example.com")):
        address, device = f"203.0.113.{50 + number}", None
        for _ in range(3):
            reply = await bff.login(
                "mallory@example.com",
                delivery="bearer",
                address=address,
                **({"device": device} if device else {}),
            )
            device = reply.content.get("device", device)
        guesses = [await bff.login(email, "guess", address=address, device=device) for _ in range(2)]
        answers.append([told(guess) for guess in guesses])
    assert answers[0] == answers[1]


async def sign_both_up(bff: Bff) -> list[str]:
    """Sign up with the fresh and the taken address; the signups' ids."""
    return [(await bff.sign_up(email, password=CHOSEN)).content["signup_id"] for email in BOTH]


async def spend_at_clerk(world: World, address: str, sign_ins: int = 0, codes: int = 0) -> None:
    """Use up an address's limits past the BFF, as somebody does who asks Clerk's public API."""
    config = ClerkConfig.from_environment(world.variables)
    async with FrontendClient(config) as frontend:
        for _ in range(sign_ins):
            with pytest.raises(ClerkError):
                await frontend.device(None, address=address).create_sign_in("x@example.com", "wrong")
        for _ in range(codes):
            device = frontend.device(None, address=address)
            with pytest.raises(ClerkError):
                await device.attempt_first_factor("sia_none", "password", password="wrong")


async def test_wrong_codes_that_lock_a_user_of_clerk(ready: World) -> None:
    await asyncio.to_thread(ready.emulator.settings, lockout_attempts=10)
    bff = await ready.bff()
    fresh, taken = await sign_both_up(bff)
    for _ in range(12):
        replies = [await bff.verify(signup_id, "000000") for signup_id in (fresh, taken)]
        assert told(replies[0]) == told(replies[1])
    await asyncio.sleep(0.05)
    replies = [await bff.resend(signup_id) for signup_id in (fresh, taken)]
    assert told(replies[0]) == told(replies[1])
    replies = [await bff.call("DELETE", f"/auth/signup/{signup_id}") for signup_id in (fresh, taken)]
    assert [reply.status for reply in replies] == [204, 204]


async def test_codes_after_clerks_limit_was_used_up_past_us(ready: World) -> None:
    await asyncio.to_thread(ready.emulator.settings, rate_limit="production")
    bff = await ready.bff()
    fresh, taken = await sign_both_up(bff)
    answers = []
    for number, signup_id in enumerate((fresh, taken)):
        address = f"203.0.113.{50 + number}"
        await spend_at_clerk(ready, address, codes=3)
        path = f"/auth/signup/{signup_id}"
        wrong = await bff.call("POST", f"{path}/verify", {"code": "000000"}, address=address)
        answers.append((told(wrong), told(await bff.call("POST", f"{path}/resend", address=address))))
    assert answers[0] == answers[1]
    assert answers[0][0][0] == 401


@pytest.mark.parametrize("spent", [3, 4, 5])
@pytest.mark.parametrize("where", ["ax", "both"])
async def test_a_login_after_clerks_limit_was_used_up_past_us(ready: World, where: str, spent: int) -> None:
    """With the password that was typed at the signup: both are verified, or neither is."""
    await ready.connection.execute("DELETE FROM users")
    await (ready.row if where == "ax" else ready.migrated)(TAKEN)
    await asyncio.to_thread(ready.emulator.settings, rate_limit="production")
    bff = await ready.bff()
    await sign_both_up(bff)
    answers = []
    for number, email in enumerate(BOTH):
        address = f"203.0.113.{50 + number}"
        await spend_at_clerk(ready, address, sign_ins=spent)
        answers.append(told(await bff.login(email, CHOSEN, address=address)))
        answers.append(told(await bff.login(email, CHOSEN, address=address)))
    assert answers[:2] == answers[2:]
    assert [status for status, *_ in answers[:2]] == [200 if spent + n <= 5 else 401 for n in (1, 2)]


@pytest.mark.parametrize("single_session_mode", [True, False])
async def test_a_device_that_a_signup_was_resumed_on(ready: World, single_session_mode: bool) -> None:
    """Whose attempts count for themselves on a known device, and whom Clerk signs out first, must not be told."""
    ready.limit_logins(4)
    ready.limits["sign_in_by_address"] = most(6, 1000)
    await asyncio.to_thread(
        ready.emulator.settings, rate_limit="production", single_session_mode=single_session_mode
    )
    bff = await ready.bff()
    signups = await sign_both_up(bff)
    answers: list[list[Any]] = []
    for number, (email, signup_id) in enumerate(zip(BOTH, signups, strict=True)):
        address = f"203.0.113.{50 + number}"
        more: dict[str, Any] = {"address": address, "delivery": "bearer"}
        replies = []
        for password in (CHOSEN, CHOSEN, "wrong", "wrong", "wrong"):
            reply = await bff.login(email, password, **more)
            if "device" in reply.content:
                more["device"] = reply.content["device"]
            replies.append(told(reply))
        code = {"code": "000000"}
        verify = f"/auth/signup/{signup_id}/verify"
        replies.append(told(await bff.call("POST", verify, code, address=address)))
        answers.append(replies)
    assert answers[0] == answers[1]
    assert [status for status, *_ in answers[0]] == [200, 200, 401, 401, 429, 401]


@pytest.mark.parametrize(
    ("typed", "otherwise"),
    [
        ("{}@mail.example.com", "{}@ma\u0130l.example.com"),
        ("{}@mail.example.com", "\uff29{}@mail.example.com"),
        ("{}@strasse.example.com", "{}@straße.example.com"),
        ("{}@bücher.example.com", "{}@xn--bcher-kva.example.com"),
        ("{}@example.com", "{}@exa\ufe0fmple.com"),
    ],
)
async def test_an_account_is_counted_in_whatever_form_it_is_typed(
    ready: World, typed: str, otherwise: str
) -> None:
    """The limit counts what finds the account, whatever Postgres or Python takes for a small letter."""
    ready.limit_logins(10)
    await ready.migrated(typed.format("ian"))
    bff = await ready.bff()
    answers = []
    for name in ("ian", "ion"):
        for _ in range(10):
            assert (await bff.login(typed.format(name), "wrong")).status == 401
        form = otherwise.format(name[1:] if "\uff29" in otherwise else name)
        answers.append((await bff.login(form, "wrong")).status)
    assert answers == [429, 429]


async def test_a_decoy_is_found_by_whatever_finds_an_account(ready: World) -> None:
    """A domain may be typed with signs that no domain has, and that are left out."""
    bff = await ready.bff()
    for email in BOTH:
        await bff.sign_up(email, password=CHOSEN)
    replies = [await bff.login(email.replace("exa", "exa\ufe0f"), CHOSEN) for email in BOTH]
    assert told(replies[0]) == told(replies[1])
    assert replies[0].content["status"] == "needs_email_verification"


async def test_a_stranger_does_not_shut_the_owner_out_of_a_known_device(ready: World) -> None:
    ready.limit_logins(3)
    await ready.migrated("moved@example.com")
    bff = await ready.bff()
    device = (await bff.login("moved@example.com", delivery="bearer")).content["device"]
    for _ in range(3):
        await bff.login("moved@example.com", "wrong", address="198.51.100.9")
    assert (await bff.login("moved@example.com")).status == 429
    again = await bff.login("moved@example.com", delivery="bearer", device=device)
    assert again.status == 200
    await ready.migrated("other@example.com")
    for _ in range(3):
        await bff.login("other@example.com", "wrong", address="198.51.100.9")
    other = await bff.login("other@example.com", device=again.content["device"])
    assert other.status == 429, "it is known for one user, not for everybody"


async def test_signups_that_clerk_refuses_use_up_nothing_of_the_owners(ready: World) -> None:
    ready.limits["signup_by_email"] = most(2, 1000)
    bff = await ready.bff()
    for email in BOTH:
        for _ in range(3):
            assert (await bff.sign_up(email, password="short")).code == "fields_invalid"
        assert [(await bff.sign_up(email)).status for _ in range(3)] == [201, 201, 429]


@pytest.mark.parametrize(
    ("typed", "other"),
    [("a@xn--bcher-kva.de", "a@bücher.de"), ("jose\u0301@example.com", "jos\u00e9@example.com")],
)
async def test_whoever_signs_up_logs_in_with_what_was_typed(ready: World, typed: str, other: str) -> None:
    bff = await ready.bff()
    begun = await bff.sign_up(typed)
    codes = await ready.mail(
        await ready.connection.fetchval("SELECT email FROM users WHERE email <> $1", TAKEN)
    )
    assert (await bff.verify(begun.content["signup_id"], codes[0]["code"])).status == 200
    for email in (typed, other):
        assert (await bff.login(email)).content["status"] == "complete"


async def test_an_account_in_another_form_of_the_address_is_one(ready: World) -> None:
    await ready.row("a@xn--bcher-kva.de")
    bff = await ready.bff()
    people = await ready.people()
    assert (await bff.sign_up("a@bücher.de")).status == 201
    assert await ready.people() == people
