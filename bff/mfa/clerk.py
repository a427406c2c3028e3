"""Second factors of users who are in Clerk: its Frontend API, spoken in the session that stands behind AX's."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import structlog

from bff.accounts import Account
from bff.clerk_errors import RETRY_AFTER, refusal, unavailable
from bff.clerk_settings import ClerkSettings
from bff.mfa.factors import (
    BackupCodes,
    Enrolled,
    NewAuthenticator,
    NewPhone,
    Offered,
    Phone,
    Standing,
    masked,
)
from bff.proof.systems import State, SystemName
from bff.refusals import (
    AuthenticationUnavailable,
    ChallengeExpired,
    CodeInvalid,
    FieldError,
    FieldsInvalid,
    MethodEnrolled,
    MethodUnavailable,
    NotFound,
    ReauthenticationRequired,
)
from bff.sessions.clerk import ClerkDevices
from bff.sessions.service import Session
from bff.visitor import Visitor
from toolkit.clerk import (
    BackendClient,
    ClerkError,
    ClientInvalid,
    Device,
    FactorEnrolled,
    FeatureNotAvailable,
    FrontendUser,
    IdentifierExists,
    ParameterInvalid,
    PhoneNumber,
    ResourceNotFound,
    ReverificationRequired,
    StrategyInvalid,
    UserBanned,
    UserLocked,
    VerificationFailed,
)

_PHONE, _HAD_CODES = "phone", "had_codes"
"""The facts that the state of an enrolment holds: Clerk's id of the number, and whether there were backup codes before."""

_NO_SUCH = "There is no such method on this account."

_log = structlog.get_logger("bff")


class ClerkFactors:
    """Without a client (Clerk is not configured) everybody is refused."""

    name: SystemName = "clerk"

    def __init__(
        self,
        backend: BackendClient | None,
        settings: ClerkSettings,
        devices: ClerkDevices,
    ) -> None:
        self._backend = backend
        self._settings = settings
        self._devices = devices

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

    async def standing(self, account: Account) -> Standing:
        """What Clerk's Backend API says that the user has. Raises AuthenticationUnavailable."""
        if self._backend is None or account.clerk_id is None:
            raise AuthenticationUnavailable(retry_after=RETRY_AFTER)
        try:
            user = await self._backend.get_user(account.clerk_id)
        except ResourceNotFound:
            return Standing(totp=False)
        except ClerkError as error:
            raise unavailable(error) from None
        factors = [phone for phone in user.phone_numbers if phone.reserved_for_second_factor]
        default = next((phone.id for phone in factors if phone.default_second_factor), None)
        return Standing(user.totp_enabled, frozenset(phone.id for phone in factors), default)

    async def begin_totp(self, session: Session, visitor: Visitor) -> NewAuthenticator:
        """Have Clerk make a secret. Raises as `Factors.begin_totp` does."""
        async with self._device(session, visitor) as (device, clerk_id):
            user = await device.me(clerk_id)
            totp = await device.create_totp(clerk_id)
        if totp.secret is None or totp.uri is None:
            raise MethodEnrolled
        return NewAuthenticator(totp.secret, totp.uri, State(_noted(user)))

    async def finish_totp(
        self, session: Session, state: State, code: str, visitor: Visitor, *, again: bool
    ) -> BackupCodes:
        """Have Clerk check the first code. Raises as `Factors.finish_totp` does."""
        async with self._device(session, visitor) as (device, clerk_id):
            if again and (await device.me(clerk_id)).totp_enabled:
                return await self._codes_again(device, clerk_id, state)
            with _expiring():
                totp = await device.verify_totp(clerk_id, code)
        return totp.backup_codes

    async def remove_totp(self, session: Session, visitor: Visitor, *, again: bool) -> None:
        """Have Clerk take the authenticator away. Raises as `Factors.remove_totp` does."""
        async with self._device(session, visitor) as (device, clerk_id):
            if not (await device.me(clerk_id)).totp_enabled:
                if again:
                    return
                raise NotFound(_NO_SUCH)
            with suppress(ResourceNotFound):  # the request was repeated, as the first answer was lost
                await device.delete_totp(clerk_id)

    async def make_backup_codes(self, session: Session, visitor: Visitor) -> tuple[str, ...]:
        """Have Clerk make new codes."""
        async with self._device(session, visitor) as (device, clerk_id):
            return await device.create_backup_codes(clerk_id)

    async def begin_phone(self, session: Session, number: str, visitor: Visitor) -> NewPhone:
        """Give a number to Clerk, or find it there unverified, and have a code sent. Raises as `Factors.begin_phone` does."""
        async with self._device(session, visitor) as (device, clerk_id):
            user = await device.me(clerk_id)
            try:
                phone = await device.create_phone_number(clerk_id, number, reserved_for_second_factor=True)
            except IdentifierExists:  # perhaps the user's own, from an enrolment that was not finished
                found = [phone for phone in user.phone_numbers if phone.phone_number == number]
                if not found or _is_verified(found[0]):
                    raise FieldsInvalid(
                        FieldError("number", "taken", "This number can't be added.")
                    ) from None
                phone = found[0]
            except ParameterInvalid as error:
                told = error.errors[0].long_message or error.errors[0].message
                raise FieldsInvalid(FieldError("number", error.code, told)) from None
            await device.prepare_phone_number(clerk_id, phone.id)
        return NewPhone(phone.id, masked(phone.phone_number), State({_PHONE: phone.id, **_noted(user)}))

    async def resend_phone(self, session: Session, state: State, visitor: Visitor) -> None:
        """Have another code sent. Raises as `Factors.resend_phone` does."""
        async with self._device(session, visitor) as (device, clerk_id):
            with _expiring():
                await device.prepare_phone_number(clerk_id, state.facts[_PHONE])

    async def finish_phone(
        self, session: Session, state: State, code: str, visitor: Visitor, *, again: bool
    ) -> BackupCodes:
        """Have Clerk check the code. Raises as `Factors.finish_phone` does."""
        async with self._device(session, visitor) as (device, clerk_id):
            phone = _find(await device.me(clerk_id), state.facts[_PHONE]) if again else None
            if phone is None or not _is_verified(phone):
                with _expiring():
                    phone = await device.verify_phone_number(clerk_id, state.facts[_PHONE], code)
            elif phone.reserved_for_second_factor:
                return await self._codes_again(device, clerk_id, state)
            codes = phone.backup_codes
            if not phone.reserved_for_second_factor:
                phone = await device.reserve_for_second_factor(clerk_id, phone.id)
                codes = codes or phone.backup_codes
        return codes

    async def make_phone_default(self, session: Session, phone_id: str, visitor: Visitor) -> None:
        """Have Clerk offer the number first. Raises as `Factors.make_phone_default` does."""
        async with self._device(session, visitor) as (device, clerk_id):
            phone = _find(await device.me(clerk_id), phone_id)
            if phone is not None and not phone.reserved_for_second_factor:
                raise MethodUnavailable("This number is no second factor. Remove it, and add it as one.")
            await device.reserve_for_second_factor(clerk_id, phone_id, default=True)

    async def remove_phone(self, session: Session, phone_id: str, visitor: Visitor, *, again: bool) -> None:
        """Have Clerk forget the number. Raises as `Factors.remove_phone` does."""
        async with self._device(session, visitor) as (device, clerk_id):
            if _find(await device.me(clerk_id), phone_id) is None:
                if again:
                    return
                raise NotFound(_NO_SUCH)
            with suppress(ResourceNotFound):  # the request was repeated, as the first answer was lost
                await device.delete_phone_number(clerk_id, phone_id)

    async def _codes_again(self, device: Device, clerk_id: str, state: State) -> BackupCodes:
        """What came with the first factor, and was lost with Clerk's answer: new backup codes in their place."""
        if _HAD_CODES in state.facts or not (await self._offered()).backup_code:
            return None
        return await device.create_backup_codes(clerk_id)

    @asynccontextmanager
    async def _device(self, session: Session, visitor: Visitor) -> AsyncIterator[tuple[Device, str]]:
        """The user's device, and the id of the session in Clerk; what Clerk refuses there becomes a refusal."""
        async with self._devices.behind(session, visitor) as behind:
            with _refused():
                yield behind

    async def _offered(self) -> Offered:
        """What the instance lets people enrol, as it was told in the last minutes."""
        with _refused():
            settings = await self._settings.get()
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
    except (
        ReverificationRequired,
        ClientInvalid,
        UserLocked,
        UserBanned,
    ):  # too long ago, or the session is over
        raise ReauthenticationRequired from None
    except FactorEnrolled:
        raise MethodEnrolled from None
    except (FeatureNotAvailable, StrategyInvalid):
        raise MethodUnavailable from None
    except ResourceNotFound:
        raise NotFound(_NO_SUCH) from None
    except ClerkError as error:
        raise refusal(error) from None


@contextmanager
def _expiring() -> Iterator[None]:
    """Around the code of an enrolment: one that is over is begun anew, and is no wrong code."""
    try:
        yield
    except (ResourceNotFound, VerificationFailed):
        raise ChallengeExpired from None
    except UserLocked:  # it looks like a wrong code
        raise CodeInvalid("locked") from None


def _find(user: FrontendUser, phone_id: str) -> PhoneNumber | None:
    return next((phone for phone in user.phone_numbers if phone.id == phone_id), None)


def _noted(user: FrontendUser) -> dict[str, str]:
    """What the state of an enrolment must know of the user."""
    return {_HAD_CODES: "yes"} if user.backup_code_enabled else {}


def _is_verified(phone: PhoneNumber) -> bool:
    return phone.verification is not None and phone.verification.status == "verified"


def _phone(phone: PhoneNumber) -> Phone:
    return Phone(
        phone.id, masked(phone.phone_number), phone.reserved_for_second_factor, phone.default_second_factor
    )
