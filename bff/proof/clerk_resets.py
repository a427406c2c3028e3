"""Resets of passwords that Clerk keeps: a sign-in whose first factor is a code, and that ends in a new password."""

from collections.abc import Awaitable, Callable, Collection

import structlog

from bff.accounts import Account
from bff.clerk_errors import RETRY_AFTER, new_password_refused, refused, unavailable
from bff.emails import masked
from bff.events import Note
from bff.proof.clerk import ClerkSystem
from bff.proof.lockout import Lockout
from bff.proof.systems import (
    CodeSent,
    Gone,
    NewPasswordNeeded,
    Proved,
    ResetMethod,
    State,
    StepNeeded,
    SystemName,
    Trust,
)
from bff.refusals import (
    AuthenticationUnavailable,
    CredentialsInvalid,
    MethodUnavailable,
    TooManyAttempts,
    looking_up,
)
from bff.visitor import Visitor
from toolkit.clerk import (
    BackendClient,
    ClerkError,
    ClerkRateLimited,
    ClientInvalid,
    Device,
    Factor,
    FrontendClient,
    ResourceNotFound,
    SignIn,
    SignInOver,
    User,
)
from toolkit.clerk.addresses import same_mailbox

_STRATEGIES = {"email": "reset_password_email_code", "sms": "reset_password_phone_code"}
_SIGN_IN, _STRATEGY = "sign_in", "strategy"
"""The facts that a state holds: Clerk's id of the sign-in, and Clerk's word for the method."""
_GONE = (ClientInvalid, ResourceNotFound, SignInOver)
"""Clerk does not know the sign-in any more, or it is over."""

_log = structlog.get_logger("bff")


class ClerkResets:
    """Without clients (Clerk is not configured) everybody is refused."""

    name: SystemName = "clerk"

    def __init__(
        self,
        frontend: FrontendClient | None,
        backend: BackendClient | None,
        system: ClerkSystem,
        lockout: Lockout,
    ) -> None:
        self._frontend = frontend
        self._backend = backend
        self._system = system
        self._lockout = lockout

    async def send_code(self, account: Account, method: ResetMethod, visitor: Visitor) -> CodeSent:
        """Begin a sign-in that sends a code. Raises as `ResetSystem.send_code` does."""
        user = await self._user(account)
        mailboxes = {
            email.id
            for email in user.email_addresses
            if same_mailbox(email.email_address, account.email) and (email.verified or email.reserved)
        }
        if not mailboxes:  # so a sign-in by it would be somebody else's, as Clerk tells no earlier than at the end (invariant 10)
            _log.error("another address in clerk", user_id=str(account.id), clerk_id=account.clerk_id)
            raise CredentialsInvalid("different_user")
        strategy = _STRATEGIES[method]
        places = mailboxes if method == "email" else {phone.id for phone in user.phone_numbers}
        device = self._device(None, visitor)
        with refused(*_GONE):
            sign_in = await device.begin_sign_in(account.email)
            factor = _factor(sign_in, strategy, places)
            if factor is None:
                raise MethodUnavailable
            await device.prepare_first_factor(sign_in.id, factor)
        state = State({_SIGN_IN: sign_in.id, _STRATEGY: strategy}, device.client_token)
        return CodeSent(state, factor.safe_identifier or masked(account.email))

    async def check_code(
        self, account: Account, state: State, code: str, trust: Trust, visitor: Visitor
    ) -> State:
        """Have Clerk check the code. Raises as `ResetSystem.check_code` does."""
        device = self._device(state.client_token, visitor)
        sign_in_id, strategy = state.facts[_SIGN_IN], state.facts[_STRATEGY]

        async def attempt() -> SignIn:
            if state.lost_code == code:  # what was right then is refused now
                sign_in = await device.get_sign_in(sign_in_id)
                if sign_in.status != "needs_first_factor":
                    return sign_in
            return await device.attempt_first_factor(sign_in_id, strategy, code=code)

        async with self._lockout.guarding(account, trust, visitor):
            sign_in = await _answered(attempt, device, sign_in_id, before="needs_first_factor")
        await self._lockout.take_back(account, trust, visitor)
        if sign_in.status != "needs_new_password":
            _log.warning("clerk wants something else than a new password", status=sign_in.status)
            raise AuthenticationUnavailable(retry_after=RETRY_AFTER)
        return State(state.facts, device.client_token)

    async def set_password(
        self, account: Account, state: State, password: str, visitor: Visitor, note: Note
    ) -> Proved | StepNeeded:
        """Have Clerk set the password. Raises as `ResetSystem.set_password` does."""
        device = self._device(state.client_token, visitor)
        sign_in_id = state.facts[_SIGN_IN]

        async def attempt() -> SignIn:
            try:
                with new_password_refused("new_password"):
                    return await device.reset_password(sign_in_id, password)
            except ClerkRateLimited as error:  # who has proven the mailbox may know that there is an account
                raise TooManyAttempts(retry_after=error.retry_after) from None

        sign_in = await _answered(attempt, device, sign_in_id, before="needs_new_password")
        result = self._system.result(account, device, sign_in, visitor)
        if isinstance(result, NewPasswordNeeded):
            raise AuthenticationUnavailable(retry_after=RETRY_AFTER)
        await self._lockout.forget(account, visitor)
        return result

    async def version(self, account: Account) -> str:
        """When Clerk says that the password was set; of a user who is not there any more, nothing."""
        try:
            return str((await self._user(account)).password_last_updated_at)
        except CredentialsInvalid:
            return ""

    async def _user(self, account: Account) -> User:
        """The row's user, as Clerk's Backend API knows them. Raises CredentialsInvalid when there is none."""
        if self._backend is None:
            raise AuthenticationUnavailable(retry_after=RETRY_AFTER, asked=False)
        try:
            return await self._backend.get_user(account.clerk_id or "")
        except ResourceNotFound:
            raise CredentialsInvalid("not_in_clerk") from None
        except ClerkError as error:
            raise unavailable(error) from None

    def _device(self, client_token: str | None, visitor: Visitor) -> Device:
        if self._frontend is None:
            raise AuthenticationUnavailable(retry_after=RETRY_AFTER, asked=False)
        return self._frontend.device(client_token, address=visitor.address_text)


async def _answered(
    attempt: Callable[[], Awaitable[SignIn]], device: Device, sign_in_id: str, *, before: str
) -> SignIn:
    """Clerk's answer to an attempt; if it is lost, the sign-in tells whether Clerk went on from `before`. Raises Gone."""
    try:
        with refused(*_GONE):
            return await attempt()
    except AuthenticationUnavailable as lost:
        if not lost.asked:
            raise
        with looking_up(lost), refused():
            sign_in = await device.get_sign_in(sign_in_id)
        if sign_in.status == before:
            raise
        return sign_in
    except _GONE as error:
        raise Gone from error


def _factor(sign_in: SignIn, strategy: str, places: Collection[str]) -> Factor | None:
    """The factor whose code goes to one of these places, by Clerk's ids: a user may have several that are not meant."""
    return next(
        (
            factor
            for factor in sign_in.supported_first_factors
            if factor.strategy == strategy and (factor.email_address_id or factor.phone_number_id) in places
        ),
        None,
    )
