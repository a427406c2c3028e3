"""Clerk as the system that checks passwords and codes: its Frontend API, spoken for the user's device.

Whatever Clerk says or does not say, the legacy digest has no part in it (invariant 3).
"""

import asyncio
from dataclasses import replace
from typing import get_args

import structlog

from bff.accounts import Account
from bff.clerk_errors import RETRY_AFTER, refused
from bff.database import Database
from bff.devices import Device as KnownDevice
from bff.limits import Limits
from bff.proof.lockout import Lockout
from bff.proof.systems import (
    CODE_LIFETIME,
    Gone,
    Kind,
    Method,
    MethodName,
    NewPasswordNeeded,
    Proved,
    State,
    StepNeeded,
    SystemName,
    Trust,
)
from bff.refusals import AuthenticationUnavailable, CodeInvalid, CredentialsInvalid
from bff.sessions.clerk import ClerkSessions
from bff.sessions.service import ClerkSession
from bff.tokens import hash_code
from bff.visitor import Visitor
from toolkit.clerk import (
    ClientInvalid,
    Device,
    Factor,
    FrontendClient,
    PasswordPwned,
    PasswordResetRequired,
    ResourceNotFound,
    SessionExists,
    SignIn,
    SignInOver,
)
from toolkit.database import Connection, queries

SECONDS = 1.6
"""For all the calls that a password takes: a little more than one may take, so that one that is too slow counts as an
outage (the breaker's)."""

_METHODS: dict[str, MethodName] = {
    "totp": "totp",
    "backup_code": "backup_code",
    "phone_code": "sms",
    "email_code": "email",
}
_STRATEGIES = {method: strategy for strategy, method in _METHODS.items()}
_KINDS: dict[str, Kind] = {"needs_second_factor": "second_factor", "needs_client_trust": "client_trust"}
_SIGN_IN, _TRUST, _CODE = "sign_in", "trust", "code"
"""The facts that a state holds: Clerk's id of the sign-in, what spoke for its visitor, and the authenticator code that was
right."""

_GONE = (ClientInvalid, ResourceNotFound, SignInOver)
"""Clerk does not know the sign-in any more, or it is over."""
_NEW_PASSWORD = (PasswordPwned, PasswordResetRequired)

_log = structlog.get_logger("bff")


class ClerkSystem:
    """Signs users in with Clerk; without a client (Clerk is not configured) everybody is refused."""

    name: SystemName = "clerk"

    def __init__(
        self,
        frontend: FrontendClient | None,
        database: Database,
        sessions: ClerkSessions,
        limits: Limits,
        lockout: Lockout,
    ) -> None:
        self._frontend = frontend
        self._database = database
        self._sessions = sessions
        self._limits = limits
        self._lockout = lockout

    async def check_password(
        self, account: Account, password: str, device: KnownDevice | None, trust: Trust, visitor: Visitor
    ) -> Proved | StepNeeded | NewPasswordNeeded:
        """Sign in, within SECONDS for all the calls that it takes. Raises as `System.check_password` does."""
        client_token = device.client_token if device is not None else None
        async with self._lockout.guarding(account, trust, visitor):
            try:
                async with asyncio.timeout(SECONDS):
                    result = await self._sign_in_afresh_if_needed(account, password, client_token, visitor)
            except TimeoutError:
                _log.warning("clerk took too long for a login", seconds=SECONDS)
                raise AuthenticationUnavailable(retry_after=RETRY_AFTER) from None
        if isinstance(result, Proved):
            await self._lockout.forget(account, visitor)
            return result
        await self._lockout.take_back(account, trust, visitor)
        if isinstance(result, StepNeeded):
            return replace(result, state=replace(result.state, facts={**result.state.facts, _TRUST: trust}))
        return result

    async def pretend(self, password: str, visitor: Visitor) -> None:
        """Does nothing: the caller sees to it that every refusal takes the same time."""

    def crowded(self, visitor: Visitor) -> bool:
        """Never: nobody waits here for others."""
        return False

    async def send_code(self, state: State, method: Method, visitor: Visitor) -> State:
        """Have Clerk send a code. Raises as `System.send_code` does."""
        device = self._device(state.client_token, visitor)
        try:
            with refused(*_GONE):
                await device.prepare_second_factor(state.facts[_SIGN_IN], _factor(method))
        except _GONE as error:
            raise Gone from error
        return replace(state, client_token=device.client_token)

    async def check_code(
        self, account: Account, state: State, method: MethodName, code: str, visitor: Visitor
    ) -> Proved | NewPasswordNeeded:
        """Have Clerk check a code. Raises as `System.check_code` does."""
        device = self._device(state.client_token, visitor)
        if method == "totp" and await self._is_spent(account, code):
            raise CodeInvalid
        trust = _trust(state)
        async with self._lockout.guarding(account, trust, visitor):
            try:
                with refused(*_GONE, *_NEW_PASSWORD):
                    sign_in = await device.attempt_second_factor(
                        state.facts[_SIGN_IN], _STRATEGIES[method], code
                    )
                result = self.result(account, device, sign_in, visitor)
            except _GONE as error:
                raise Gone from error
            except _NEW_PASSWORD:
                result = NewPasswordNeeded(account)
            if isinstance(result, StepNeeded):
                raise AuthenticationUnavailable(retry_after=RETRY_AFTER)
        if isinstance(result, NewPasswordNeeded):
            await self._lockout.take_back(account, trust, visitor)
            return result
        await self._lockout.forget(account, visitor)
        if method == "totp":
            return replace(result, state=replace(result.state, facts={**result.state.facts, _CODE: code}))
        return result

    async def settle(self, connection: Connection, proved: Proved) -> None:
        """Remembers an authenticator code, so that legacy doesn't take it after a move back. Clerk's answer stands, and whoever
        acts on it checks that the row still has the `clerk_id`.
        """
        if _CODE in proved.state.facts:
            user_id = proved.account.id
            await queries.note_code(
                connection,
                user_id=user_id,
                code_hash=hash_code(user_id, proved.state.facts[_CODE]),
                lifetime=CODE_LIFETIME,
            )

    async def _is_spent(self, account: Account, code: str) -> bool:
        """Whether the code finished something already, perhaps on legacy just before the move."""
        async with self._database.connection() as connection:
            spent = await queries.code_is_spent(
                connection, user_id=account.id, code_hash=hash_code(account.id, code)
            )
        return bool(spent)

    async def _sign_in_afresh_if_needed(
        self, account: Account, password: str, client_token: str | None, visitor: Visitor
    ) -> Proved | StepNeeded | NewPasswordNeeded:
        device = self._device(client_token, visitor)
        try:
            return await self._sign_in(account, device, password, visitor)
        except SessionExists:  # the instance takes one session a device: the newer login stands
            with refused():
                await device.sign_out()
        except ClientInvalid:  # Clerk does not know the device any more
            device = self._device(None, visitor)
        await self._limits.spend(("sign_in_by_address", visitor.network))  # Clerk counts a second sign-in
        try:
            return await self._sign_in(account, device, password, visitor)
        except (ClientInvalid, SessionExists):
            raise AuthenticationUnavailable(retry_after=RETRY_AFTER) from None

    async def _sign_in(
        self, account: Account, device: Device, password: str, visitor: Visitor
    ) -> Proved | StepNeeded | NewPasswordNeeded:
        try:
            with refused(ClientInvalid, SessionExists, *_NEW_PASSWORD):
                sign_in = await device.create_sign_in(account.email, password)
        except _NEW_PASSWORD:
            return NewPasswordNeeded(account)
        return self.result(account, device, sign_in, visitor)

    def result(
        self, account: Account, device: Device, sign_in: SignIn, visitor: Visitor
    ) -> Proved | StepNeeded | NewPasswordNeeded:
        """What Clerk's answer means. Raises CredentialsInvalid, and AuthenticationUnavailable if it means nothing here."""
        if sign_in.status == "needs_new_password":
            return NewPasswordNeeded(account)
        if device.client_token is None:
            raise AuthenticationUnavailable(retry_after=RETRY_AFTER)
        if (
            sign_in.session is not None and sign_in.session.status != "active"
        ):  # Clerk wants something else first
            _log.warning("clerk's session is not active", status=sign_in.session.status)
            raise AuthenticationUnavailable(retry_after=RETRY_AFTER)
        state = State({_SIGN_IN: sign_in.id}, device.client_token)
        if sign_in.status == "complete" and sign_in.session is not None:
            session = ClerkSession(sign_in.session.id, device.client_token)
            self._compare(account, sign_in.user_id, session, visitor)
            return Proved(account, self.name, state, session)
        kind = _KINDS.get(sign_in.status)
        methods = _methods(sign_in.supported_second_factors)
        if kind is None or not methods:
            _log.warning("clerk wants a step that is not known here", status=sign_in.status)
            raise AuthenticationUnavailable(retry_after=RETRY_AFTER)
        return StepNeeded(account, self.name, kind, methods, state)

    def _compare(
        self, account: Account, clerk_id: str | None, session: ClerkSession, visitor: Visitor
    ) -> None:
        """See that Clerk let in the very user whom the row names (invariant 10). Raises CredentialsInvalid."""
        if clerk_id != account.clerk_id:
            _log.error("another user in clerk", user_id=str(account.id), clerk_id=clerk_id)
            self._sessions.end(session, visitor)
            raise CredentialsInvalid("different_user")

    def _device(self, client_token: str | None, visitor: Visitor) -> Device:
        if self._frontend is None:
            raise AuthenticationUnavailable(retry_after=RETRY_AFTER, asked=False)
        return self._frontend.device(client_token, address=visitor.address_text)


def _methods(factors: tuple[Factor, ...]) -> tuple[Method, ...]:
    """In the order in which Clerk's own pages offer them."""
    return tuple(
        Method(
            _METHODS[factor.strategy],
            factor.safe_identifier,
            factor.phone_number_id or factor.email_address_id,
        )
        for factor in sorted(factors, key=lambda factor: (factor.strategy != "totp", not factor.default))
        if factor.strategy in _METHODS
    )


def _trust(state: State) -> Trust:
    trusts: tuple[Trust, ...] = get_args(Trust)
    return next((trust for trust in trusts if trust == state.facts.get(_TRUST)), "none")


def _factor(method: Method) -> Factor:
    return Factor(
        strategy=_STRATEGIES[method.name],
        safe_identifier=method.to,
        phone_number_id=method.reference if method.name == "sms" else None,
        email_address_id=method.reference if method.name == "email" else None,
    )
