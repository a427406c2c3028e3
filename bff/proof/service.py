"""Proving who somebody is: a password, and a second step where the user's system wants one.

`users.clerk_id` decides which system is asked: Clerk if it is set, AX's own if not. What a proof is for is the caller's:

    claim = await proof.claim(email, visitor)
    result = await proof.check_password(claim, password, visitor)
    if isinstance(result, StepNeeded):
        opened = await proof.open(result, aim, delivery, visitor)       # tell the browser which methods are on offer
        …
        attempt = await proof.attempt(challenge_id, aim)
        result = await proof.check_code(attempt, method, code, visitor)
    async with database.transaction() as connection:
        await proof.settle(connection, result, visitor)                 # it still holds, and counts once
        …                                                               # what it was for
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from bff import accounts, emails
from bff.accounts import Account
from bff.database import Database
from bff.devices import Device, Devices
from bff.limits import Limits
from bff.proof.challenges import Aim, Challenge, Challenges
from bff.proof.systems import (
    Changed,
    Gone,
    Method,
    MethodName,
    NewPasswordNeeded,
    Proved,
    State,
    StepNeeded,
    System,
    SystemName,
    Trust,
)
from bff.refusals import (
    AuthenticationUnavailable,
    ChallengeExpired,
    CodeInvalid,
    CredentialsInvalid,
    Refusal,
    RequestInvalid,
    TooManyAttempts,
)
from bff.sessions.service import Delivery
from bff.visitor import Visitor
from toolkit.database import Connection, queries

SEND_SECONDS = 0.4
"""Seconds for sending a code at once: what a password's check leaves of the two that a login may take."""


@dataclass(frozen=True, slots=True)
class Challenged:
    """A second step is needed: a challenge was opened."""

    challenge_id: str = field(repr=False)
    expires_at: datetime
    challenge: Challenge
    sent_to: str | None
    """Where a code went already, masked."""
    device: str | None = field(default=None, repr=False)
    """The device's new id, if Clerk knows the device from now on."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A challenge that one attempt was spent on."""

    challenge_id: str = field(repr=False)
    challenge: Challenge
    account: Account


@dataclass(frozen=True, slots=True)
class Claim:
    """Who somebody says they are."""

    account: Account | None
    """None for an address that nobody has."""
    email: str
    """What was typed, in the form that all ways to type it have in common."""
    device: Device | None
    """The visitor's device; None when the user never logged in there."""
    trust: Trust = "none"

    @property
    def system(self) -> SystemName:
        """The system that checks the user; legacy for an address that nobody has."""
        return system_of(self.account)


def system_of(account: Account | None) -> SystemName:
    """The system that checks a user."""
    return "clerk" if account is not None and account.clerk_id is not None else "legacy"


class ProofService:
    """Checks passwords and codes on either system. `systems` are Clerk's and, as long as there is one, AX's own."""

    def __init__(
        self,
        database: Database,
        challenges: Challenges,
        devices: Devices,
        limits: Limits,
        systems: Sequence[System],
    ) -> None:
        self._database = database
        self._challenges = challenges
        self._devices = devices
        self._limits = limits
        self._systems = {system.name: system for system in systems}

    async def claim(self, email: str, visitor: Visitor) -> Claim:
        """Look up who somebody says they are."""
        async with self._database.connection() as connection:
            account = await accounts.by_email(connection, email)
            return await self._claim(connection, account, email, visitor)

    def crowded(self, visitor: Visitor) -> bool:
        """Whether some system does not look at the visitor's passwords now, since too many wait."""
        return any(system.crowded(visitor) for system in self._systems.values())

    async def claim_of(self, user_id: UUID, visitor: Visitor) -> Claim:
        """Look up somebody who has a session."""
        async with self._database.connection() as connection:
            account = await accounts.by_id(connection, user_id)
            claim = await self._claim(connection, account, account.email if account else "", visitor)
        return replace(claim, trust="session")

    async def check_password(
        self, claim: Claim, password: str, visitor: Visitor
    ) -> Proved | StepNeeded | NewPasswordNeeded:
        """Check a password; for nobody it costs the same and is refused.

        Raises CredentialsInvalid, TooManyAttempts, AuthenticationUnavailable, or Changed: then it is to be begun anew.
        """
        account = claim.account
        if account is None or account.disabled:
            await self._pretend(password, visitor)
            raise CredentialsInvalid("unknown" if account is None else "disabled")
        system = self._systems.get(claim.system)
        if system is None:  # legacy is gone, and this user was not moved
            raise CredentialsInvalid("legacy_off")
        try:
            return await system.check_password(account, password, claim.device, claim.trust, visitor)
        except CodeInvalid as refused:  # whatever a system calls it, it is a password that was refused
            raise CredentialsInvalid(refused.outcome) from None

    async def open(self, step: StepNeeded, aim: Aim, delivery: Delivery, visitor: Visitor) -> Challenged:
        """Keep a step that is needed as a challenge; where its first method sends a code, that is sent at once."""
        state, sent_to = await self._send_at_once(step, visitor)
        account = step.account
        challenge = Challenge(account.id, step.system, aim, step.kind, step.methods, state, delivery)
        async with self._database.transaction() as connection:
            challenge_id, expires_at = await self._challenges.open(connection, challenge)
            device = await self._keep_device(connection, account, state, visitor, proved=False)
        if sent_to is not None:
            await self._limits.spend(("code_pause_by_challenge", f"{challenge_id} {sent_to}"))
        return Challenged(challenge_id, expires_at, challenge, sent_to, device)

    async def know_device(self, step: StepNeeded, visitor: Visitor) -> str | None:
        """Know the device from now on, where a step leads to something else than a challenge; its new id."""
        async with self._database.transaction() as connection:
            return await self._keep_device(connection, step.account, step.state, visitor, proved=False)

    async def send_code(
        self, challenge_id: str, aim: Aim, name: MethodName, to: str | None, visitor: Visitor
    ) -> Method:
        """Have a code sent; the method that it is for.

        Raises ChallengeExpired, RequestInvalid, TooManyAttempts or AuthenticationUnavailable.
        """
        async with self._database.connection() as connection:
            challenge = await self._challenges.get(connection, challenge_id, aim)
        if challenge is None:
            raise ChallengeExpired
        method = challenge.method(name, to)
        system = self._systems.get(challenge.system)
        if method is None or method.reference is None or system is None:
            raise RequestInvalid(f"No code can be sent by {name} here.")
        # The pause first: whoever asks too early must not use up the few that there are.
        await self._limits.spend(("code_pause_by_challenge", f"{challenge_id} {method.to}"))
        await self._spend_code(challenge.user_id, visitor)
        try:
            state = await system.send_code(challenge.state, method, visitor)
        except (CredentialsInvalid, CodeInvalid, Gone):
            raise ChallengeExpired from None
        async with self._database.connection() as connection:
            await self._challenges.keep_state(connection, challenge_id, state)
        return method

    async def attempt(self, challenge_id: str, aim: Aim) -> Attempt:
        """Spend an attempt on a challenge, before its code is looked at. Raises ChallengeExpired."""
        async with self._database.connection() as connection:
            challenge = await self._challenges.attempt(connection, challenge_id, aim)
            account = await accounts.by_id(connection, challenge.user_id) if challenge else None
        if challenge is None or account is None:
            raise ChallengeExpired
        return Attempt(challenge_id, challenge, account)

    async def check_code(
        self, attempt: Attempt, method: MethodName, code: str, visitor: Visitor
    ) -> Proved | NewPasswordNeeded:
        """Check a code; one that nobody looked at costs no attempt.

        Raises CodeInvalid, ChallengeExpired, RequestInvalid, TooManyAttempts or AuthenticationUnavailable.
        """
        challenge, account = attempt.challenge, attempt.account
        try:
            await self._spend_code(challenge.user_id, visitor)
        except TooManyAttempts:
            await self._give_back(attempt)
            raise
        if challenge.method(method) is None:
            raise RequestInvalid(f"This cannot be finished by {method}.")
        system = self._systems.get(challenge.system)
        if system is None or account.disabled or system_of(account) != challenge.system:
            raise ChallengeExpired
        try:
            result = await system.check_code(account, challenge.state, method, code, visitor)
        except CredentialsInvalid as refused:  # locked, say: it looks like a wrong code
            raise CodeInvalid(refused.outcome) from None
        except (TooManyAttempts, AuthenticationUnavailable) as refused:
            if not refused.asked:
                await self._give_back(attempt)
            raise
        except (Changed, Gone):
            raise ChallengeExpired from None
        return replace(result, challenge_id=attempt.challenge_id) if isinstance(result, Proved) else result

    async def settle(
        self, connection: Connection, proved: Proved, visitor: Visitor, *, inside: bool = True
    ) -> str | None:
        """In the transaction that acts on a proof: see that it holds, count it once, and know the device from then on.

        `inside` when it lets the user in: what counts on such a device counts for itself. Returns the device's new id.
        Raises Changed, or CodeInvalid for a code that was used elsewhere.
        """
        if proved.challenge_id is not None and not await self._challenges.use(
            connection, proved.challenge_id
        ):
            raise Changed
        await self._systems[proved.system].settle(connection, proved)
        await queries.hold_account(connection, user_id=proved.account.id)
        if await queries.changed_since(connection, user_id=proved.account.id, since=proved.account.seen_at):
            raise Changed  # what was proven is from before another password or factor
        return await self._keep_device(connection, proved.account, proved.state, visitor, proved=inside)

    async def _claim(
        self, connection: Connection, account: Account | None, email: str, visitor: Visitor
    ) -> Claim:
        device = None
        if account is not None:
            device = await self._devices.find(connection, visitor.device, account.id)
        known = device is not None and device.proved
        return Claim(account, emails.typed(email), device, "device" if known else "none")

    async def _pretend(self, password: str, visitor: Visitor) -> None:
        """Cost what a check by legacy may, or by Clerk once legacy is gone."""
        for name in ("legacy", "clerk"):
            if name in self._systems:
                await self._systems[name].pretend(password, visitor)
                return

    async def _send_at_once(self, step: StepNeeded, visitor: Visitor) -> tuple[State, str | None]:
        """Have a first code sent without being asked, as Clerk's own pages do; the state, and where the code went.

        If it can't be sent now, the proof goes on: it may be asked for.
        """
        method = step.methods[0]
        if method.reference is None:
            return step.state, None
        try:
            await self._spend_code(step.account.id, visitor)
            async with asyncio.timeout(SEND_SECONDS):
                state = await self._systems[step.system].send_code(step.state, method, visitor)
        except (Refusal, Gone, TimeoutError):
            return step.state, None
        return state, method.to

    async def _spend_code(self, user_id: UUID, visitor: Visitor) -> None:
        """Whoever has the password uses up no codes of the owner's on a device that is known. Raises TooManyAttempts."""
        async with self._database.connection() as connection:
            device = await self._devices.find(connection, visitor.device, user_id)
        known = device is not None and device.proved
        await self._limits.spend(("code_by_user", f"{user_id} on a known device" if known else user_id))

    async def _give_back(self, attempt: Attempt) -> None:
        async with self._database.connection() as connection:
            await self._challenges.give_back(connection, attempt.challenge_id)

    async def _keep_device(
        self, connection: Connection, account: Account, state: State, visitor: Visitor, *, proved: bool
    ) -> str | None:
        if state.client_token is None and not proved:
            return None
        return await self._devices.keep(
            connection, visitor.device, account.id, state.client_token, proved=proved
        )
