"""Second factors of users who are in Clerk: its Frontend API, spoken in the session that stands behind AX's."""

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import structlog

from bff.clerk_errors import RETRY_AFTER, refusal
from bff.database import Database
from bff.mfa.factors import BackupCodes, Enrolled, NewAuthenticator, NewPhone, Offered, Phone
from bff.proof.systems import State, SystemName
from bff.refusals import (
    AuthenticationUnavailable,
    ChallengeExpired,
    FieldError,
    FieldsInvalid,
    MethodEnrolled,
    MethodUnavailable,
    NotFound,
    ReauthenticationRequired,
)
from bff.sessions.service import ClerkSession, Session, Sessions
from bff.visitor import Visitor
from toolkit.clerk import (
    ClerkError,
    ClientInvalid,
    Device,
    FactorEnrolled,
    FeatureNotAvailable,
    FrontendClient,
    IdentifierExists,
    InstanceSettings,
    ParameterInvalid,
    PhoneNumber,
    ResourceNotFound,
    ReverificationRequired,
    StrategyInvalid,
    VerificationFailed,
)

SETTINGS_SECONDS = 300.0
"""How long what the instance offers is remembered."""
_PHONE = "phone"
"""The fact that the state of a new number holds: Clerk's id of it."""

_log = structlog.get_logger("bff")


class ClerkFactors:
    """Without a client (Clerk is not configured) everybody is refused."""

    name: SystemName = "clerk"

    def __init__(self, frontend: FrontendClient | None, database: Database, sessions: Sessions) -> None:
        self._frontend = frontend
        self._database = database
        self._sessions = sessions
        self._settings: tuple[float, InstanceSettings] | None = None

    async def enrolled(self, session: Session, visitor: Visitor) -> Enrolled:
        """What the user has, as Clerk tells it. Raises as `Factors` says."""
        offered = await self._offered()
        async with self._device(session, visitor) as (device, clerk_id):
            user = await device.me(clerk_id)
        return Enrolled(
            totp=user.totp_enabled,
            backup_codes=user.backup_code_enabled,
            phones=tuple(_phone(number) for number in user.phone_numbers if _is_verified(number)),
            offered=offered,
        )

    async def begin_totp(self, session: Session, visitor: Visitor) -> NewAuthenticator:
        """Have Clerk make a secret. Raises as `Factors.begin_totp` does."""
        async with self._device(session, visitor) as (device, clerk_id):
            totp = await device.create_totp(clerk_id)
        if totp.secret is None or totp.uri is None:
            raise MethodEnrolled
        return NewAuthenticator(totp.secret, totp.uri, State({}))

    async def finish_totp(self, session: Session, state: State, code: str, visitor: Visitor) -> BackupCodes:
        """Have Clerk check the first code. Raises as `Factors.finish_totp` does."""
        async with self._device(session, visitor) as (device, clerk_id):
            with _expiring():
                totp = await device.verify_totp(clerk_id, code)
        return totp.backup_codes

    async def remove_totp(self, session: Session, visitor: Visitor) -> None:
        """Have Clerk take the authenticator away. Raises as `Factors.remove_totp` does."""
        async with self._device(session, visitor) as (device, clerk_id):
            await device.delete_totp(clerk_id)

    async def make_backup_codes(self, session: Session, visitor: Visitor) -> tuple[str, ...]:
        """Have Clerk make new codes."""
        async with self._device(session, visitor) as (device, clerk_id):
            return await device.create_backup_codes(clerk_id)

    async def begin_phone(self, session: Session, number: str, visitor: Visitor) -> NewPhone:
        """Give a number to Clerk, or find it there unverified, and have a code sent. Raises as `Factors.begin_phone` does."""
        async with self._device(session, visitor) as (device, clerk_id):
            try:
                phone = await device.create_phone_number(clerk_id, number, reserved_for_second_factor=True)
            except IdentifierExists:  # perhaps the user's own, from an enrolment that was not finished
                found = [
                    phone
                    for phone in (await device.me(clerk_id)).phone_numbers
                    if phone.phone_number == number
                ]
                if not found or _is_verified(found[0]):
                    raise FieldsInvalid(
                        FieldError("number", "taken", "This number can't be added.")
                    ) from None
                phone = found[0]
            except ParameterInvalid as error:
                told = error.errors[0].long_message or error.errors[0].message
                raise FieldsInvalid(FieldError("number", error.code, told)) from None
            await device.prepare_phone_number(clerk_id, phone.id)
        return NewPhone(_masked(phone.phone_number), State({_PHONE: phone.id}))

    async def resend_phone(self, session: Session, state: State, visitor: Visitor) -> None:
        """Have another code sent. Raises as `Factors.resend_phone` does."""
        async with self._device(session, visitor) as (device, clerk_id):
            with _expiring():
                await device.prepare_phone_number(clerk_id, state.facts[_PHONE])

    async def finish_phone(self, session: Session, state: State, code: str, visitor: Visitor) -> BackupCodes:
        """Have Clerk check the code. Raises as `Factors.finish_phone` does."""
        async with self._device(session, visitor) as (device, clerk_id):
            with _expiring():
                phone = await device.verify_phone_number(clerk_id, state.facts[_PHONE], code)
            codes = phone.backup_codes
            if not phone.reserved_for_second_factor:
                phone = await device.reserve_for_second_factor(clerk_id, phone.id)
                codes = codes or phone.backup_codes
        return codes

    async def make_phone_default(self, session: Session, phone_id: str, visitor: Visitor) -> None:
        """Have Clerk offer the number first. Raises as `Factors.make_phone_default` does."""
        async with self._device(session, visitor) as (device, clerk_id):
            phones = {phone.id: phone for phone in (await device.me(clerk_id)).phone_numbers}
            if phone_id in phones and not phones[phone_id].reserved_for_second_factor:
                raise MethodUnavailable("This number is no second factor. Remove it, and add it as one.")
            await device.reserve_for_second_factor(clerk_id, phone_id, default=True)

    async def remove_phone(self, session: Session, phone_id: str, visitor: Visitor) -> None:
        """Have Clerk forget the number. Raises as `Factors.remove_phone` does."""
        async with self._device(session, visitor) as (device, clerk_id):
            await device.delete_phone_number(clerk_id, phone_id)

    @asynccontextmanager
    async def _device(self, session: Session, visitor: Visitor) -> AsyncIterator[tuple[Device, str]]:
        """The user's device, and the id of the session in Clerk; what Clerk refuses there becomes a refusal."""
        if self._frontend is None:
            raise AuthenticationUnavailable(retry_after=RETRY_AFTER, asked=False)
        async with self._database.connection() as connection:
            behind = await self._sessions.behind(connection, session)
        if behind is None:
            raise ReauthenticationRequired
        device = self._frontend.device(behind.client_token, address=visitor.address_text)
        try:
            with _refused():
                yield device, behind.id
        finally:
            if device.client_token is not None and device.client_token != behind.client_token:
                renewed = ClerkSession(behind.id, device.client_token)
                async with self._database.connection() as connection:
                    await self._sessions.keep_client_token(connection, session, renewed)

    async def _offered(self) -> Offered:
        """What the instance lets people enrol, as it was told in the last minutes."""
        if self._frontend is None:
            raise AuthenticationUnavailable(retry_after=RETRY_AFTER, asked=False)
        if self._settings is None or time.monotonic() - self._settings[0] > SETTINGS_SECONDS:
            with _refused():
                self._settings = (time.monotonic(), await self._frontend.environment())
        settings = self._settings[1]
        return Offered(
            totp=settings.is_second_factor("authenticator_app"),
            backup_code=settings.is_second_factor("backup_code"),
            sms=settings.is_second_factor("phone_number"),
        )


@contextmanager
def _refused() -> Iterator[None]:
    """Around calls in the user's session: raises refusals."""
    try:
        yield
    except (ReverificationRequired, ClientInvalid):  # too long ago; or the session in Clerk is over
        raise ReauthenticationRequired from None
    except FactorEnrolled:
        raise MethodEnrolled from None
    except (FeatureNotAvailable, StrategyInvalid):
        raise MethodUnavailable from None
    except ResourceNotFound:
        raise NotFound("There is no such method on this account.") from None
    except ClerkError as error:
        raise refusal(error) from None


@contextmanager
def _expiring() -> Iterator[None]:
    """Around the code of an enrolment: one that is over is begun anew, and is no wrong code."""
    try:
        yield
    except (ResourceNotFound, VerificationFailed):
        raise ChallengeExpired from None


def _is_verified(phone: PhoneNumber) -> bool:
    return phone.verification is not None and phone.verification.status == "verified"


def _phone(phone: PhoneNumber) -> Phone:
    return Phone(
        phone.id, _masked(phone.phone_number), phone.reserved_for_second_factor, phone.default_second_factor
    )


def _masked(number: str) -> str:
    """A number that its owner knows again, as Clerk masks it: +4*******78."""
    return f"{number[:2]}*******{number[-2:]}"
