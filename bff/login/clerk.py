"""The login of users who are in Clerk: its Frontend API, spoken for the user's device.

Whatever Clerk says or does not say, the legacy digest has no part in it (invariant 3).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog

from bff.addresses import Address
from bff.challenges import Kind, Method, Way
from bff.problems import Problem
from bff.sessions import ClerkSession
from toolkit.clerk import (
    ClerkAnswerUnexpected,
    ClerkApiError,
    ClerkError,
    ClerkRateLimited,
    ClerkUnavailable,
    ClientInvalid,
    Device,
    Factor,
    FrontendClient,
    IdentifierNotFound,
    IncorrectCode,
    IncorrectPassword,
    IncorrectTotp,
    NoPasswordSet,
    PasswordPwned,
    PasswordResetRequired,
    ResourceNotFound,
    SessionExists,
    SignIn,
    SignInOver,
    StrategyInvalid,
    UserBanned,
    UserLocked,
    VerificationFailed,
)

DEADLINE = 1.5
"""Seconds for a call to Clerk, and for all that begin a login: it is answered within two, or refused."""
GRACE = 0.1
"""Seconds more for several calls together, so that one that is too slow counts as an outage (the breaker's)."""
RETRY_AFTER = 5.0
"""Seconds after which a login that Clerk did not answer may be tried again."""

_METHODS: dict[str, Method] = {
    "totp": "totp",
    "backup_code": "backup_code",
    "phone_code": "sms",
    "email_code": "email",
}
_STRATEGIES = {method: strategy for strategy, method in _METHODS.items()}
_WRONG: dict[type[ClerkApiError], str] = {
    IncorrectPassword: "wrong_password",
    IdentifierNotFound: "not_in_clerk",
    NoPasswordSet: "no_password",
    StrategyInvalid: "no_password",
    UserLocked: "locked",
    UserBanned: "banned",
}
"""What Clerk refuses a sign-in for, and how it is counted; from outside all look alike (invariant 9)."""

_FOR_THE_CALLER = (ClientInvalid, SessionExists, PasswordPwned, PasswordResetRequired)

_log = structlog.get_logger("bff")


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Clerk let somebody in. Who it is has still to be compared (invariant 10)."""

    clerk_id: str | None
    session: ClerkSession


@dataclass(frozen=True, slots=True)
class StepNeeded:
    """The password was right; Clerk wants a second step."""

    sign_in_id: str
    kind: Kind
    ways: tuple[Way, ...]
    client_token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class PasswordNeeded:
    """The password was right, but Clerk wants a new one first."""


class Refused(Exception):
    """Clerk does not let the user in; `outcome` is for the counts only."""

    def __init__(self, outcome: str) -> None:
        super().__init__(outcome)
        self.outcome = outcome


class SignInGone(Exception):
    """Clerk does not know the sign-in any more, or it is over: the login must begin anew."""


class ClerkOut(Exception):
    """Clerk cannot be asked, or does not answer as it should. `asked` is false when it certainly was not asked."""

    def __init__(self, retry_after: float = RETRY_AFTER, *, asked: bool = True) -> None:
        super().__init__("Clerk is out")
        self.retry_after = retry_after
        self.asked = asked


class ClerkLogin:
    """Signs users in with Clerk; without a client (Clerk is not configured) everybody is refused with ClerkOut."""

    def __init__(self, frontend: FrontendClient | None) -> None:
        self._frontend = frontend

    async def sign_in(
        self,
        email: str,
        password: str,
        *,
        client_token: str | None,
        address: Address | None,
        again: Callable[[], Awaitable[None]],
    ) -> SignedIn | StepNeeded | PasswordNeeded:
        """Try a password; `again` is awaited before Clerk counts a second sign-in for it.

        Raises Refused, ClerkOut or Problem (too_many_attempts).
        """
        try:
            async with asyncio.timeout(DEADLINE + GRACE):  # for all calls that it takes
                return await self._sign_in_somehow(email, password, client_token, address, again)
        except TimeoutError:
            _log.warning("clerk took too long for a login", seconds=DEADLINE + GRACE)
            raise ClerkOut from None

    async def _sign_in_somehow(
        self,
        email: str,
        password: str,
        client_token: str | None,
        address: Address | None,
        again: Callable[[], Awaitable[None]],
    ) -> SignedIn | StepNeeded | PasswordNeeded:
        device = self._device(client_token, address)
        try:
            return await self._sign_in(device, email, password)
        except SessionExists:  # the instance takes one session a device: the newer login stands
            with _told():
                await device.sign_out()
        except ClientInvalid:  # Clerk does not know the device any more
            device = self._device(None, address)
        await again()
        try:
            return await self._sign_in(device, email, password)
        except (ClientInvalid, SessionExists):
            raise ClerkOut from None

    async def prepare(
        self, sign_in_id: str, way: Way, *, client_token: str | None, address: Address | None
    ) -> str | None:
        """Have Clerk send a code; the client token from now on. Raises Refused, SignInGone, ClerkOut or Problem."""
        device = self._device(client_token, address)
        with _told(), _begun():
            await device.prepare_second_factor(sign_in_id, _factor(way))
        return device.client_token

    async def attempt(
        self, sign_in_id: str, method: Method, code: str, *, client_token: str | None, address: Address | None
    ) -> SignedIn | PasswordNeeded:
        """Try a code. Raises Refused, SignInGone, ClerkOut or Problem."""
        device = self._device(client_token, address)
        with _told(), _begun():
            sign_in = await device.attempt_second_factor(sign_in_id, _STRATEGIES[method], code)
        result = _result(device, sign_in)
        if isinstance(result, StepNeeded):
            raise ClerkOut
        return result

    async def end(self, session: ClerkSession, address: Address | None) -> None:
        """End a session in Clerk; that Clerk is out is noted, and nothing else."""
        if self._frontend is None:
            return
        try:
            await self._frontend.device(session.client_token, address=_text(address)).end_session(session.id)
        except (ClientInvalid, ResourceNotFound):
            return  # it is over already
        except ClerkError as error:
            _log.warning("clerk session not ended", error=str(error), trace_id=error.trace_id)

    def _device(self, client_token: str | None, address: Address | None) -> Device:
        if self._frontend is None:
            raise ClerkOut(asked=False)
        return self._frontend.device(client_token, address=_text(address))

    async def _sign_in(
        self, device: Device, email: str, password: str
    ) -> SignedIn | StepNeeded | PasswordNeeded:
        try:
            with _told():
                sign_in = await device.create_sign_in(email, password)
        except (PasswordPwned, PasswordResetRequired):
            return PasswordNeeded()
        return _result(device, sign_in)


@contextmanager
def _begun() -> Iterator[None]:
    """Around a step of a sign-in that was begun before."""
    try:
        yield
    except (ClientInvalid, ResourceNotFound, SignInOver) as error:
        raise SignInGone from error


class _told:  # noqa: N801 - a context manager, used as a function
    """Turns what the client raises into what the login knows."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, _FOR_THE_CALLER) or not isinstance(error, ClerkError):
            return
        if isinstance(error, ClerkRateLimited):
            raise Problem("too_many_attempts", retry_after=error.retry_after) from None
        if isinstance(error, IncorrectCode | IncorrectTotp | VerificationFailed):
            raise Refused("wrong_code") from None
        for refusal, outcome in _WRONG.items():
            if isinstance(error, refusal):
                raise Refused(outcome) from None
        _log.warning("clerk refused", error=str(error), trace_id=error.trace_id)
        if not isinstance(error, ClerkUnavailable):
            raise ClerkOut from None
        asked = error.maybe_applied or isinstance(error, ClerkAnswerUnexpected)
        raise ClerkOut(error.retry_after or RETRY_AFTER, asked=asked) from None


def _result(device: Device, sign_in: SignIn) -> SignedIn | StepNeeded | PasswordNeeded:
    """What Clerk's answer means. Raises ClerkOut for one that means nothing here."""
    if sign_in.status == "needs_new_password":
        return PasswordNeeded()
    if device.client_token is None:
        raise ClerkOut
    if sign_in.session is not None and sign_in.session.status != "active":  # Clerk wants something else first
        _log.warning("clerk's session is not active", status=sign_in.session.status)
        raise ClerkOut
    if sign_in.status == "complete" and sign_in.session is not None:
        return SignedIn(sign_in.user_id, ClerkSession(sign_in.session.id, device.client_token))
    kinds: dict[str, Kind] = {"needs_second_factor": "second_factor", "needs_client_trust": "client_trust"}
    kind = kinds.get(sign_in.status)
    ways = _ways(sign_in.supported_second_factors)
    if kind is None or not ways:
        _log.warning("clerk wants a step that is not known here", status=sign_in.status)
        raise ClerkOut
    return StepNeeded(sign_in.id, kind, ways, device.client_token)


def _ways(factors: tuple[Factor, ...]) -> tuple[Way, ...]:
    """In the order in which Clerk's own pages offer them."""
    return tuple(
        Way(
            _METHODS[factor.strategy],
            factor.safe_identifier,
            factor.phone_number_id or factor.email_address_id,
        )
        for factor in sorted(factors, key=lambda factor: (factor.strategy != "totp", not factor.default))
        if factor.strategy in _METHODS
    )


def _factor(way: Way) -> Factor:
    return Factor(
        strategy=_STRATEGIES[way.method],
        safe_identifier=way.to,
        phone_number_id=way.clerk_id if way.method == "sms" else None,
        email_address_id=way.clerk_id if way.method == "email" else None,
    )


def _text(address: Address | None) -> str | None:
    return None if address is None else str(address)
