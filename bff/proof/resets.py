"""Resets of forgotten passwords: somebody proves by a code that they have the account's mailbox or phone.

Whether there is an account is told to its mailbox, and to nobody else (invariant 9). So a reset for an address that nobody
has is kept like any other, and no code finishes it; the code is sent behind the visitor's back, after which system knows
the account was looked up; and every answer but the one to the right code is the same.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import uuid4

import structlog
from prometheus_client import CollectorRegistry, Counter

from bff import accounts, emails
from bff.accounts import Account
from bff.clerk_errors import RETRY_AFTER
from bff.database import Database
from bff.devices import Devices
from bff.limits import Limits
from bff.proof.challenges import NOTHING, RESET, Challenge, Challenges
from bff.proof.service import system_of
from bff.proof.systems import Changed, Gone, Method, ResetMethod, ResetSystem, State, Trust
from bff.refusals import (
    AuthenticationUnavailable,
    ChallengeExpired,
    CodeInvalid,
    CredentialsInvalid,
    MethodUnavailable,
    Refusal,
    TooManyAttempts,
    Unexplained,
)
from bff.veil import Veil
from bff.visitor import Visitor
from toolkit.database import Connection, queries
from toolkit.errors import ToolkitError

MOST_AT_A_TIME = 200
"""Codes that are being sent; more are refused, whoever they are for."""
SECONDS_AT_ONCE = 1.0
"""How long somebody waits to hear where their code went, who has proven the password."""

_log = structlog.get_logger("bff")


@dataclass(frozen=True, slots=True)
class ResetBegun:
    """A reset that waits for its code, if one was sent."""

    reset_id: str = field(repr=False)
    expires_at: datetime
    resend_after: int
    """Seconds until another code may be asked for."""
    sent_to: str | None = None
    """Where the code went, masked: for those alone who have proven something already."""


@dataclass(frozen=True, slots=True)
class ProvenReset:
    """A reset whose code came back."""

    state: State
    account: Account
    method: ResetMethod
    """Where the code went."""
    system: ResetSystem | None
    """The system that checked the code; None when the account has gone over to another one since."""


class Resets:
    """Begins resets, and checks their codes. `systems` are Clerk's and, as long as there is one, AX's own."""

    def __init__(
        self,
        database: Database,
        challenges: Challenges,
        devices: Devices,
        limits: Limits,
        systems: Sequence[ResetSystem],
        veil: Veil,
        registry: CollectorRegistry,
    ) -> None:
        self._database = database
        self._challenges = challenges
        self._devices = devices
        self._limits = limits
        self._systems = {system.name: system for system in systems}
        self._veil = veil
        self._sending: set[asyncio.Task[str | None]] = set()
        self._count = Counter(
            "bff_resets", "What came of resets of passwords.", ["outcome"], registry=registry
        )
        for outcome in ("begun", "sent", "not_sent", "proven", "completed"):
            self._count.labels(outcome)

    async def begin(self, email: str, method: ResetMethod, visitor: Visitor) -> ResetBegun:
        """Begin a reset for whoever has an address. Raises TooManyAttempts or AuthenticationUnavailable, alike for all."""
        async with self._veil.answers():
            self._refuse_too_many()
            await self._limits.spend(  # Clerk counts it as a sign-in
                ("reset_by_address", visitor.network), ("sign_in_by_address", visitor.network)
            )
            async with self._database.connection() as connection:
                account = await accounts.by_email(connection, email)
                known = await self._is_known(connection, account, visitor)
            whose = emails.typed(email)
            if account is not None and known:
                whose = f"{account.id} on {visitor.device}"
            await self._limits.spend(("reset_by_account", whose))
            if account is not None and account.disabled:
                account = None
            begun = await self._open(account, method)
            if account is not None:
                self._send_in_background(begun.reset_id, account, method, visitor)
        return begun

    async def begin_for(self, account: Account, visitor: Visitor) -> ResetBegun:
        """Begin a reset for somebody who has proven the password, or the mailbox; tells where the code went.

        If it can't be sent now, it may be asked for on the next screen.
        """
        begun = await self._open(account, "email")
        try:
            await self._limits.spend(("sign_in_by_address", visitor.network))
        except TooManyAttempts:
            return begun
        sending = self._send_in_background(begun.reset_id, account, "email", visitor)
        await asyncio.wait({sending}, timeout=SECONDS_AT_ONCE)
        return replace(begun, sent_to=sending.result() if sending.done() else None)

    async def send_again(self, reset_id: str, visitor: Visitor) -> None:
        """Have another code sent. Raises ChallengeExpired, TooManyAttempts or AuthenticationUnavailable, alike for all."""
        async with self._veil.answers():
            self._refuse_too_many()
            await self._limits.spend(("sign_in_by_address", visitor.network))
            challenge, account = await self._waiting(reset_id)
            # The pause first: whoever asks too early must not use up the few that there are.
            await self._limits.spend(("code_pause_by_challenge", reset_id))
            await self._limits.spend(("reset_send_by_reset", reset_id))
            if account is not None:
                await self._follow(reset_id, challenge, account)
                self._send_in_background(reset_id, account, _method(challenge), visitor)

    async def verify(self, reset_id: str, code: str, visitor: Visitor) -> datetime:
        """Try a code; when the reset that waits for a new password then ends. Raises Refusal."""
        async with self._veil.refusals():
            await self._limits.spend(("reset_code_by_address", visitor.network))
            challenge, account = await self._waiting(reset_id)
            async with self._database.connection() as connection:
                attempted = await self._challenges.attempt(connection, reset_id, RESET)
            if attempted is None:
                raise ChallengeExpired
            try:
                state = await self._check(reset_id, challenge, account, code, visitor)
            except AuthenticationUnavailable as refused:
                async with self._database.connection() as connection:
                    if refused.asked:
                        await self._lose(connection, reset_id, challenge, code)
                    else:
                        await self._challenges.give_back(connection, reset_id)
                raise
        async with self._database.connection() as connection:
            expires_at = await self._challenges.advance(connection, reset_id, "new_password", state)
        if expires_at is None:
            raise ChallengeExpired
        self._count.labels("proven").inc()
        return expires_at

    async def proven(self, reset_id: str) -> ProvenReset:
        """A reset whose code came back. Raises ChallengeExpired."""
        async with self._database.connection() as connection:
            challenge = await self._challenges.get(connection, reset_id, RESET)
            account = await accounts.by_id(connection, challenge.user_id) if challenge is not None else None
        if challenge is None or challenge.kind != "new_password" or account is None or account.disabled:
            raise ChallengeExpired
        system = self._systems.get(challenge.system) if system_of(account) == challenge.system else None
        return ProvenReset(challenge.state, account, _method(challenge), system)

    async def completed(self, reset_id: str) -> None:
        """The new password is set."""
        await self.end(reset_id)
        self._count.labels("completed").inc()

    async def end(self, reset_id: str) -> None:
        """The reset is good for nothing any more."""
        async with self._database.connection() as connection:
            await self._challenges.use(connection, reset_id)

    async def version(self, account: Account) -> str:
        """What changes with every new password of the account, as `ResetSystem.version`. Raises AuthenticationUnavailable."""
        system = self._systems.get(system_of(account))
        if system is None:
            raise AuthenticationUnavailable(retry_after=RETRY_AFTER)
        return await system.version(account)

    async def close(self) -> None:
        """Wait for the codes that are still being sent."""
        await asyncio.gather(*self._sending, return_exceptions=True)

    @property
    def _pause(self) -> int:
        return round(self._limits["code_pause_by_challenge"].seconds)

    def _refuse_too_many(self) -> None:
        """Before it is known whom it is for. Raises AuthenticationUnavailable."""
        if len(self._sending) >= MOST_AT_A_TIME:
            raise AuthenticationUnavailable(retry_after=RETRY_AFTER)

    async def _open(self, account: Account | None, method: ResetMethod) -> ResetBegun:
        """Keep a reset; one for nobody is of a user who is not there."""
        challenge = Challenge(
            account.id if account is not None else uuid4(),
            system_of(account),
            RESET,
            "reset_code",
            (Method(method),),
            NOTHING,
        )
        async with self._database.connection() as connection:
            reset_id, expires_at = await self._challenges.open(connection, challenge)
        self._count.labels("begun").inc()
        await self._limits.spend(("code_pause_by_challenge", reset_id))
        return ResetBegun(reset_id, expires_at, self._pause)

    async def _waiting(self, reset_id: str) -> tuple[Challenge, Account | None]:
        """A reset that waits for its code, and whose it is: None for nobody's. Raises ChallengeExpired."""
        async with self._database.connection() as connection:
            challenge = await self._challenges.get(connection, reset_id, RESET)
            if challenge is None or challenge.kind != "reset_code":
                raise ChallengeExpired
            account = await accounts.by_id(connection, challenge.user_id)
        return challenge, None if account is None or account.disabled else account

    async def _check(
        self, reset_id: str, challenge: Challenge, account: Account | None, code: str, visitor: Visitor
    ) -> State:
        """Have the account's system check a code. Raises CodeInvalid, whatever is wrong, or AuthenticationUnavailable."""
        if account is None or challenge.state == NOTHING:  # nothing was sent to anybody
            raise CodeInvalid
        if system_of(account) != challenge.system:  # its code opens nothing there: a new one is on its way
            await self._follow(reset_id, challenge, account)
            self._send_in_background(reset_id, account, _method(challenge), visitor)
            raise CodeInvalid
        system = self._systems.get(challenge.system)
        if system is None:
            raise CodeInvalid
        async with self._database.connection() as connection:
            trust: Trust = "device" if await self._is_known(connection, account, visitor) else "reset"
        try:
            return await system.check_code(account, challenge.state, code, trust, visitor)
        except (CredentialsInvalid, TooManyAttempts, Gone, Changed, Unexplained):
            raise CodeInvalid from None

    async def _lose(self, connection: Connection, reset_id: str, challenge: Challenge, code: str) -> None:
        """The answer to a code was lost: note it, so that it may be typed again; not if another was sent meanwhile."""
        now = await self._challenges.get(connection, reset_id, RESET)
        if now is not None and now.state == challenge.state:
            await self._challenges.keep_state(connection, reset_id, replace(now.state, lost_code=code))

    async def _follow(self, reset_id: str, challenge: Challenge, account: Account) -> None:
        """Let the system that the account has gone over to go on with a reset."""
        if system_of(account) != challenge.system:
            async with self._database.connection() as connection:
                await self._challenges.move(connection, reset_id, system_of(account))

    async def _is_known(self, connection: Connection, account: Account | None, visitor: Visitor) -> bool:
        """Whether the user got in on the visitor's device before."""
        if account is None:
            return False
        device = await self._devices.find(connection, visitor.device, account.id)
        return device is not None and device.proved

    async def _waits_for_its_mailbox(self, account: Account) -> bool:
        """Whether the account's address is yet to be verified by whoever signed up with it.

        Who has a number of such an account may be anybody: Clerk lets them add their own with the password that they chose.
        """
        if account.email_verified:
            return False
        async with self._database.connection() as connection:
            return bool(await queries.has_open_signup(connection, user_id=str(account.id)))

    def _send_in_background(
        self, reset_id: str, account: Account, method: ResetMethod, visitor: Visitor
    ) -> "asyncio.Task[str | None]":
        """Have a code sent without waiting for it: what that takes would tell that there is an account."""
        task = asyncio.create_task(self._send(reset_id, account, method, visitor))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)
        return task

    async def _send(
        self, reset_id: str, account: Account, method: ResetMethod, visitor: Visitor
    ) -> str | None:
        """Have a code sent; where it went, None if it did not: nobody is told, as it would tell that there is an account."""
        system = self._systems.get(system_of(account))
        if system is None:
            return None
        try:
            async with self._database.connection() as connection:
                known = await self._is_known(connection, account, visitor)
            whose = f"{account.id} on {visitor.device}" if known else str(account.id)
            await self._limits.spend(
                ("reset_code_by_user", whose),
                ("phone_code_by_user", f"reset of {whose}" if method == "sms" else None),
            )
            if method != "email" and await self._waits_for_its_mailbox(account):
                raise MethodUnavailable
            sent = await system.send_code(account, method, visitor)
            async with self._database.connection() as connection:
                await self._challenges.keep_state(connection, reset_id, sent.state)
        except (Refusal, Gone, Changed, ToolkitError) as error:
            self._count.labels("not_sent").inc()
            _log.warning(
                "a code to reset a password was not sent",
                system=system.name,
                method=method,
                user_id=str(account.id),
                reason=_reason(error),
            )
            return None
        except Exception:
            self._count.labels("not_sent").inc()
            _log.exception("a code to reset a password was not sent", user_id=str(account.id))
            return None
        self._count.labels("sent").inc()
        return sent.to


def _reason(error: Exception) -> str:
    """Why a code was not sent, as the log tells: a refusal's outcome is the word that logins are counted by."""
    if isinstance(error, ToolkitError):
        return str(error)
    return (error.outcome if isinstance(error, Refusal) else None) or type(error).__name__


def _method(challenge: Challenge) -> ResetMethod:
    return "sms" if challenge.method("sms") is not None else "email"
