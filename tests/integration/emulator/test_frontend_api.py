"""The Frontend API, asked by our own client as a native application does."""

import asyncio
import urllib.parse
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pyotp
import pytest

from tests.emulator import Emulator
from tests.integration.emulator.conftest import SECRET
from toolkit.clerk import (
    BackendClient,
    ClerkConfig,
    ClerkRateLimited,
    ClerkUnavailable,
    ClientInvalid,
    Device,
    FrontendClient,
    IdentifierNotFound,
    IncorrectCode,
    IncorrectPassword,
    PasswordPwned,
    PasswordRejected,
    ReverificationRequired,
    SessionExists,
    SignIn,
    StrategyInvalid,
    User,
    UserBanned,
    UserLocked,
    VerificationFailed,
)
from toolkit.clerk.errors import ClerkApiError, ParameterInvalid

EMAIL, PASSWORD = "ada@example.com", "her long password"
NUMBER = "+4917012345678"


@dataclass
class Clerk:
    """The emulator through both of its APIs."""

    emulator: Emulator
    backend: BackendClient
    frontend: FrontendClient

    def device(self, token: str | None = None, address: str | None = None) -> Device:
        return self.frontend.device(token, address=address)

    async def user(self, **more: Any) -> User:
        return await self.backend.create_user(**{"email_address": EMAIL, "password": PASSWORD, **more})

    async def signed_in(self, **more: Any) -> tuple[User, Device, str]:
        """A new user, on a new device, and the session's id."""
        user, device = await self.user(**more), self.device()
        sign_in = await device.create_sign_in(EMAIL, PASSWORD)
        assert sign_in.session is not None
        return user, device, sign_in.session.id

    async def code(self, to: str) -> str:
        """The code that was sent there last."""
        sent = await asyncio.to_thread(self.emulator.control, "GET", f"outbox?to={urllib.parse.quote(to)}")
        return str(sent[-1]["code"])

    async def advance(self, seconds: float) -> None:
        await asyncio.to_thread(self.emulator.control, "POST", "clock", {"advance_seconds": seconds})

    async def settings(self, **changes: Any) -> None:
        await asyncio.to_thread(self.emulator.settings, **changes)


@pytest.fixture
async def clerk(emulator: Emulator) -> AsyncIterator[Clerk]:
    emulator.reset()
    emulator.settings(rate_limit="off", phone_number=True)
    config = ClerkConfig.from_environment(
        {
            "CLERK_SECRET_KEY": emulator.secret_key,
            "CLERK_PUBLISHABLE_KEY": emulator.publishable_key,
            "CLERK_API_URL": emulator.url,
            "CLERK_PROXY_URL": f"{emulator.url}/__clerk",
        }
    )
    async with BackendClient(config, rate=None) as backend, FrontendClient(config) as frontend:
        yield Clerk(emulator, backend, frontend)
    emulator.reset()


async def test_a_password_signs_in(clerk: Clerk) -> None:
    user, device, session_id = await clerk.signed_in()
    client = await device.get_client()
    assert client is not None
    assert [session.id for session in client.sessions] == [session_id]
    me = await device.me(session_id)
    assert (me.id, [email.email_address for email in me.email_addresses]) == (user.id, [EMAIL])


async def test_nobody_is_told_apart_by_the_client(clerk: Clerk) -> None:
    await clerk.user()
    with pytest.raises(IncorrectPassword):
        await clerk.device().create_sign_in(EMAIL, "another")
    with pytest.raises(IdentifierNotFound):
        await clerk.device().create_sign_in("nobody@example.com", PASSWORD)
    await clerk.backend.create_user(email_address="b@example.com", skip_password_requirement=True)
    with pytest.raises(StrategyInvalid):
        await clerk.device().create_sign_in("b@example.com", PASSWORD)


async def test_the_authenticators_code_works_once(clerk: Clerk) -> None:
    user = await clerk.user(totp_secret=SECRET)
    device, code = clerk.device(), pyotp.TOTP(SECRET).now()
    sign_in = await device.create_sign_in(EMAIL, PASSWORD)
    assert (sign_in.status, sign_in.session) == ("needs_second_factor", None)
    assert [factor.strategy for factor in sign_in.supported_second_factors] == ["totp"]
    with pytest.raises(IncorrectCode):
        await device.attempt_second_factor(sign_in.id, "totp", "000000" if code != "000000" else "111111")
    sign_in = await device.attempt_second_factor(sign_in.id, "totp", code)
    assert (sign_in.status, sign_in.user_id) == ("complete", user.id)
    other = clerk.device()
    sign_in = await other.create_sign_in(EMAIL, PASSWORD)
    with pytest.raises(IncorrectCode):
        await other.attempt_second_factor(sign_in.id, "totp", code)


async def test_a_backup_code_works_once(clerk: Clerk) -> None:
    await clerk.user(totp_secret=SECRET, backup_codes=["one", "two"])
    for accepted in (True, False):
        device = clerk.device()
        sign_in = await device.create_sign_in(EMAIL, PASSWORD)
        if accepted:
            assert (await device.attempt_second_factor(sign_in.id, "backup_code", "one")).status == "complete"
        else:
            with pytest.raises(IncorrectCode):
                await device.attempt_second_factor(sign_in.id, "backup_code", "one")


async def test_a_new_device_has_to_be_trusted(clerk: Clerk) -> None:
    await clerk.settings(client_trust=True)
    await clerk.user()
    device = clerk.device()
    sign_in = await device.create_sign_in(EMAIL, PASSWORD)
    (factor,) = sign_in.supported_second_factors
    assert (sign_in.status, factor.strategy, factor.safe_identifier) == (
        "needs_client_trust",
        "email_code",
        "a****@example.com",
    )
    with pytest.raises(VerificationFailed):
        await device.attempt_second_factor(sign_in.id, "email_code", "123456")
    await device.prepare_second_factor(sign_in.id, factor)
    done = await device.attempt_second_factor(sign_in.id, "email_code", await clerk.code(EMAIL))
    assert done.status == "complete"
    await device.sign_out()
    assert (await clerk.device(device.client_token).create_sign_in(EMAIL, PASSWORD)).status == "complete"
    assert (await clerk.device().create_sign_in(EMAIL, PASSWORD)).status == "needs_client_trust"


async def begin_reset(device: Device, address: str) -> SignIn:
    """A reset of whoever has the address, whose code is sent there."""
    begun = await device.begin_sign_in(address)
    (factor,) = (
        factor for factor in begun.supported_first_factors if factor.strategy == "reset_password_email_code"
    )
    return await device.prepare_first_factor(begun.id, factor)


async def test_codes_expire_and_wrong_ones_are_few(clerk: Clerk) -> None:
    await clerk.user()
    device = clerk.device()
    sign_in = await begin_reset(device, EMAIL)
    code = await clerk.code(EMAIL)
    wrong = "000000" if code != "000000" else "111111"
    for _ in range(3):
        with pytest.raises(IncorrectCode):
            await device.attempt_first_factor(sign_in.id, "reset_password_email_code", code=wrong)
    with pytest.raises(VerificationFailed):
        await device.attempt_first_factor(sign_in.id, "reset_password_email_code", code=code)
    sign_in = await begin_reset(device, EMAIL)
    await clerk.advance(601)
    with pytest.raises(VerificationFailed):
        await device.attempt_first_factor(
            sign_in.id, "reset_password_email_code", code=await clerk.code(EMAIL)
        )


async def test_a_forgotten_password_is_replaced(clerk: Clerk) -> None:
    user, other, session_id = await clerk.signed_in()
    device = clerk.device()
    sign_in = await begin_reset(device, EMAIL)
    sign_in = await device.attempt_first_factor(
        sign_in.id, "reset_password_email_code", code=await clerk.code(EMAIL)
    )
    assert sign_in.status == "needs_new_password"
    with pytest.raises(PasswordPwned):
        await device.reset_password(sign_in.id, "password123")
    with pytest.raises(PasswordRejected, match="form_new_password_matches_current"):
        await device.reset_password(sign_in.id, PASSWORD)
    sign_in = await device.reset_password(sign_in.id, "the newest password")
    assert (sign_in.status, sign_in.user_id) == ("complete", user.id)
    with pytest.raises(ClientInvalid):
        await other.get_session(session_id)
    with pytest.raises(IncorrectPassword):
        await clerk.device().create_sign_in(EMAIL, PASSWORD)


async def test_a_reset_code_goes_to_the_number_that_a_sign_in_offers(clerk: Clerk) -> None:
    await clerk.settings(phone_number_identifies=True)
    user, owner, session_id = await clerk.signed_in()
    phone = await owner.create_phone_number(session_id, NUMBER)
    await owner.prepare_phone_number(session_id, phone.id)
    await owner.verify_phone_number(session_id, phone.id, await clerk.code(NUMBER))
    device = clerk.device()
    begun = await device.begin_sign_in(EMAIL)
    assert (begun.status, begun.user_id) == ("needs_first_factor", None)
    (factor,) = (
        factor for factor in begun.supported_first_factors if factor.strategy == "reset_password_phone_code"
    )
    await device.prepare_first_factor(begun.id, factor)
    await device.attempt_first_factor(begun.id, factor.strategy, code=await clerk.code(NUMBER))
    done = await device.reset_password(begun.id, "the newest password")
    assert (done.status, done.user_id) == ("complete", user.id)


async def test_test_addresses_take_the_test_code_and_get_no_mail(clerk: Clerk) -> None:
    await clerk.user(email_address="ada+clerk_test@example.com")
    device = clerk.device()
    sign_in = await begin_reset(device, "ada+clerk_test@example.com")
    assert await asyncio.to_thread(clerk.emulator.control, "GET", "outbox") == []
    done = await device.attempt_first_factor(sign_in.id, "reset_password_email_code", code="424242")
    assert done.status == "needs_new_password"


async def test_too_many_failures_lock_for_a_while(clerk: Clerk) -> None:
    await clerk.settings(lockout_attempts=3, lockout_seconds=600)
    user = await clerk.user()
    for _ in range(3):
        with pytest.raises(IncorrectPassword):
            await clerk.device().create_sign_in(EMAIL, "another")
    with pytest.raises(UserLocked) as locked:
        await clerk.device().create_sign_in(EMAIL, PASSWORD)
    assert locked.value.seconds in range(540, 601)
    assert (await clerk.backend.get_user(user.id)).locked
    await clerk.advance(601)
    assert (await clerk.device().create_sign_in(EMAIL, PASSWORD)).status == "complete"


async def test_banned_users_are_out_at_once(clerk: Clerk) -> None:
    user, device, session_id = await clerk.signed_in()
    await clerk.backend.ban_user(user.id)
    with pytest.raises(ClientInvalid):
        await device.get_session(session_id)
    with pytest.raises(UserBanned):
        await clerk.device().create_sign_in(EMAIL, PASSWORD)


async def test_a_ticket_works_once_and_not_for_ever(clerk: Clerk) -> None:
    user = await clerk.user()
    token = (await clerk.backend.create_sign_in_token(user.id)).token
    assert token is not None
    assert (await clerk.device().create_sign_in_with_ticket(token)).user_id == user.id
    with pytest.raises(ClerkApiError, match="already|cannot be used"):
        await clerk.device().create_sign_in_with_ticket(token)
    late = (await clerk.backend.create_sign_in_token(user.id)).token
    assert late is not None
    await clerk.advance(31 * 24 * 3600)
    with pytest.raises(ClerkApiError, match="expired"):
        await clerk.device().create_sign_in_with_ticket(late)


async def test_one_session_a_client_unless_set_otherwise(clerk: Clerk) -> None:
    _, device, _ = await clerk.signed_in()
    with pytest.raises(SessionExists):
        await device.create_sign_in(EMAIL, PASSWORD)
    await device.sign_out()
    assert (await device.create_sign_in(EMAIL, PASSWORD)).status == "complete"


async def test_sessions_end_expire_and_are_revoked(clerk: Clerk) -> None:
    user, device, session_id = await clerk.signed_in()
    assert (await device.touch_session(session_id)).status == "active"
    assert [s.id for s in await device.list_sessions(session_id)] == [session_id]
    await clerk.backend.revoke_session(session_id)
    with pytest.raises(ClientInvalid):
        await device.me(session_id)
    sign_in = await device.create_sign_in(EMAIL, PASSWORD)
    assert sign_in.session is not None
    assert (await device.end_session(sign_in.session.id)).status == "ended"
    sign_in = await device.create_sign_in(EMAIL, PASSWORD)
    assert sign_in.session is not None
    await clerk.advance(8 * 24 * 3600)
    with pytest.raises(ClientInvalid):
        await device.me(sign_in.session.id)
    assert user.id


async def test_tokens_that_clerk_does_not_know(clerk: Clerk) -> None:
    _, device, _ = await clerk.signed_in()
    first = device.client_token
    await device.sign_out()
    assert device.client_token != first, "it rotates"
    for token in ("garbage", first and first[:-4] + "AAAA"):
        with pytest.raises(ClientInvalid):
            await clerk.device(token).get_client()


async def test_what_matters_needs_a_factor_proven_lately(clerk: Clerk) -> None:
    _, device, session_id = await clerk.signed_in()
    await clerk.advance(601)
    with pytest.raises(ReverificationRequired):
        await device.change_password(session_id, PASSWORD, "a newer password")
    check = await device.verify(session_id, "first_factor")
    assert check.status == "needs_first_factor"
    with pytest.raises(IncorrectPassword):
        await device.attempt_verification_first_factor(session_id, "password", password="another")
    check = await device.attempt_verification_first_factor(session_id, "password", password=PASSWORD)
    assert check.status == "complete"
    with pytest.raises(IncorrectPassword):
        await device.change_password(session_id, "another", "a newer password")
    await device.change_password(session_id, PASSWORD, "a newer password")
    assert (await clerk.device().create_sign_in(EMAIL, "a newer password")).status == "complete"


async def test_an_authenticator_is_enrolled_with_backup_codes(clerk: Clerk) -> None:
    _, device, session_id = await clerk.signed_in()
    totp = await device.create_totp(session_id)
    assert totp.secret is not None
    with pytest.raises(IncorrectCode):
        await device.verify_totp(session_id, "abcdef")
    done = await device.verify_totp(session_id, pyotp.TOTP(totp.secret).now())
    assert done.backup_codes is not None
    assert (done.verified, len(done.backup_codes)) == (True, 10)
    sign_in = await clerk.device().create_sign_in(EMAIL, PASSWORD)
    assert {factor.strategy for factor in sign_in.supported_second_factors} == {"totp", "backup_code"}
    await device.verify(session_id, "multi_factor")
    await device.attempt_verification_first_factor(session_id, "password", password=PASSWORD)
    check = await device.attempt_verification_second_factor(session_id, "backup_code", done.backup_codes[0])
    assert check.status == "complete"
    fresh = await device.create_backup_codes(session_id)
    assert not set(fresh) & set(done.backup_codes)
    await device.delete_totp(session_id)
    assert not (await device.me(session_id)).two_factor_enabled


async def test_a_number_becomes_a_second_factor(clerk: Clerk) -> None:
    _, device, session_id = await clerk.signed_in()
    with pytest.raises(ParameterInvalid):
        await device.create_phone_number(session_id, "12345")
    phone = await device.create_phone_number(session_id, NUMBER)
    await device.prepare_phone_number(session_id, phone.id)
    with pytest.raises(IncorrectCode):
        await device.verify_phone_number(session_id, phone.id, "abcdef")
    await device.verify_phone_number(session_id, phone.id, await clerk.code(NUMBER))
    assert (await device.reserve_for_second_factor(session_id, phone.id)).reserved_for_second_factor
    other = clerk.device()
    sign_in = await other.create_sign_in(EMAIL, PASSWORD)
    factor, backup = sign_in.supported_second_factors
    assert (factor.strategy, factor.safe_identifier) == ("phone_code", "+4*******78")
    assert backup.strategy == "backup_code"
    await other.prepare_second_factor(sign_in.id, factor)
    done = await other.attempt_second_factor(sign_in.id, "phone_code", await clerk.code(NUMBER))
    assert done.status == "complete"


async def test_addresses_are_added_proven_and_removed(clerk: Clerk) -> None:
    user, device, session_id = await clerk.signed_in()
    added = await device.create_email_address(session_id, "second@example.com")
    await device.prepare_email_address(session_id, added.id)
    proven = await device.verify_email_address(session_id, added.id, await clerk.code("second@example.com"))
    assert proven.verification is not None
    assert proven.verification.status == "verified"
    await device.delete_email_address(session_id, added.id)
    found = await clerk.backend.get_user(user.id)
    assert [email.email_address for email in found.email_addresses] == [EMAIL]


async def test_limits_go_by_the_end_users_address(clerk: Clerk) -> None:
    await clerk.settings(rate_limit="production")
    for number in range(20):
        with pytest.raises(IdentifierNotFound):
            await clerk.device(address=f"203.0.113.{number}").create_sign_in("nobody@example.com", "x")
    for number in range(6):
        with pytest.raises(ClerkRateLimited if number == 5 else IdentifierNotFound):
            await clerk.device(address="198.51.100.1").create_sign_in("nobody@example.com", "x")
    for number in range(6):
        with pytest.raises(ClerkRateLimited if number == 5 else IdentifierNotFound):
            await clerk.device(address=None).create_sign_in("nobody@example.com", "x")


@pytest.mark.parametrize(
    "fault",
    [
        {"body": "<html>Bad gateway</html>", "status": 502},
        {"body": "<html>Welcome</html>"},
        {"body": '{"response": 1}', "content_type": "application/json"},
        {"drop": "before"},
    ],
)
async def test_answers_that_are_not_clerks(clerk: Clerk, fault: dict[str, Any]) -> None:
    await clerk.user()
    clerk.emulator.add_fault({"match": {"path": "/v1/client/*"}, "times": 5, **fault})
    with pytest.raises(ClerkUnavailable):
        await clerk.device().create_sign_in(EMAIL, PASSWORD)
    clerk.emulator.clear_faults()
