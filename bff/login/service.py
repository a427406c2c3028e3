"""Logging in: limits, then a proof of who it is, then a session.

Nothing else mints a session for somebody who has an account. Both systems end in the same one.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

from bff.clerk_errors import RETRY_AFTER
from bff.database import Database
from bff.limits import Limits
from bff.login.counts import LoginCounts
from bff.login.grace import DeviceGrace
from bff.proof.challenges import LOGIN
from bff.proof.resets import ResetBegun, Resets
from bff.proof.service import Attempt, Challenged, Claim, ProofService
from bff.proof.systems import Changed, Method, MethodName, NewPasswordNeeded, Proved, StepNeeded, SystemName
from bff.refusals import (
    AuthenticationUnavailable,
    ChallengeExpired,
    CodeInvalid,
    CredentialsInvalid,
    Crowded,
    Refusal,
    Unexplained,
)
from bff.sessions.clerk import ClerkSessions
from bff.sessions.service import Complete, Delivery, Sessions
from bff.signup.outcomes import Verifying
from bff.signup.resuming import Resuming
from bff.veil import Veil
from bff.visitor import Visitor

ROUNDS = 3
"""How often a login is begun anew because the user changed under it (is moved to Clerk just now)."""

Outcome = Complete | Challenged | ResetBegun | Verifying


class LoginService:
    """Logs users in."""

    def __init__(
        self,
        database: Database,
        proof: ProofService,
        sessions: Sessions,
        clerk_sessions: ClerkSessions,
        resuming: Resuming,
        resets: Resets,
        limits: Limits,
        counts: LoginCounts,
        grace: DeviceGrace,
        veil: Veil,
    ) -> None:
        self._database = database
        self._proof = proof
        self._sessions = sessions
        self._clerk_sessions = clerk_sessions
        self._resuming = resuming
        self._resets = resets
        self._limits = limits
        self._counts = counts
        self._grace = grace
        self._veil = veil

    async def log_in(self, email: str, password: str, delivery: Delivery, visitor: Visitor) -> Outcome:
        """Try a password. Raises Refusal: however it is refused, the answer is the same and takes as long (invariant 9)."""
        async with self._veil.refusals(CredentialsInvalid) as started:
            claim = await self._proof.claim(email, visitor)
            async with self._counting(claim.system):
                await self._spend(claim, visitor)
            outcome = await self._prove_or_resume(email, claim, password, delivery, visitor)
        if isinstance(outcome, Verifying):
            await self._resuming.veil.until_due(started)
        return outcome

    async def send_code(
        self, challenge_id: str, method: MethodName, to: str | None, visitor: Visitor
    ) -> Method:
        """Have the code of a second step sent; the method that it is for. Raises Refusal."""
        async with self._veil.refusals():
            await self._limits.spend(("code_by_address", visitor.network))
            return await self._proof.send_code(challenge_id, LOGIN, method, to, visitor)

    async def finish(self, challenge_id: str, method: MethodName, code: str, visitor: Visitor) -> Outcome:
        """Try the code of a second step. Raises Refusal."""
        async with self._veil.refusals(CodeInvalid):
            await self._limits.spend(("code_by_address", visitor.network))
            return await self._finish(await self._proof.attempt(challenge_id, LOGIN), method, code, visitor)

    async def _finish(self, attempt: Attempt, method: MethodName, code: str, visitor: Visitor) -> Outcome:
        challenge = attempt.challenge
        async with self._counting(challenge.system):
            result = await self._proof.check_code(attempt, method, code, visitor)
            try:
                return await self._go_on(result, challenge.system, challenge.delivery, visitor)
            except Changed:
                raise ChallengeExpired from None
            except CredentialsInvalid as refused:  # by the signup that is to be verified first, say
                raise CodeInvalid(refused.outcome) from None

    async def enter(self, proved: Proved | StepNeeded, delivery: Delivery, visitor: Visitor) -> Outcome:
        """Let in whoever has proven the mailbox and set a new password; a second factor is asked for first. Raises Refusal."""
        async with self._counting(proved.system):
            try:
                return await self._go_on(proved, proved.system, delivery, visitor)
            except Changed:
                raise ChallengeExpired from None

    async def _spend(self, claim: Claim, visitor: Visitor) -> None:
        """By address before anything by account: who is over the one must not use up the other for its owner.

        By what was typed, too: whether there is an account must not change what is counted. On a device that the account is
        known on, that device counts for itself: who types somebody's address again and again does not shut its owner out.
        """
        await self._limits.spend(("sign_in_by_address", visitor.network))
        user_id = claim.account.id if claim.account is not None else None
        if claim.trust == "device":
            await self._limits.spend(("login_by_account", f"{user_id} on {visitor.device}"))
        else:
            await self._limits.spend(("login_by_account", claim.email), ("login_by_account", user_id))

    async def _prove(
        self, email: str, claim: Claim, password: str, delivery: Delivery, visitor: Visitor
    ) -> Outcome:
        """The proof and what comes of it, begun anew when the user changes under it."""
        for _ in range(ROUNDS):
            with suppress(Changed):
                async with self._counting(claim.system):
                    result = await self._proof.check_password(claim, password, visitor)
                    return await self._go_on(result, claim.system, delivery, visitor)
            claim = await self._proof.claim(email, visitor)
        raise AuthenticationUnavailable(retry_after=RETRY_AFTER)

    async def _go_on(
        self,
        result: Proved | StepNeeded | NewPasswordNeeded,
        system: SystemName,
        delivery: Delivery,
        visitor: Visitor,
    ) -> Outcome:
        """What a proof leads to. Raises Changed, or Refusal."""
        outcome: Outcome
        match result:
            case Proved():
                outcome = await self._enter(result, delivery, visitor)
            case StepNeeded():
                outcome = await self._ask_for_step(result, delivery, visitor)
            case NewPasswordNeeded():
                outcome = await self._resets.begin_for(result.account, visitor)
        await self._counts.add(system, _OUTCOMES[type(outcome)])
        return outcome

    async def _enter(self, proved: Proved, delivery: Delivery, visitor: Visitor) -> Complete | Verifying:
        """A session, unless the address is to be verified first."""
        account, behind = proved.account, proved.clerk_session
        try:
            verifying = None
            if behind is not None and not account.email_verified:
                verifying = await self._resuming.resume(account, behind, visitor)
            async with self._database.transaction() as connection:
                device = await self._proof.settle(connection, proved, visitor, inside=verifying is None)
                if verifying is not None:
                    return replace(verifying, delivery=delivery, device=device)
                minted = await self._sessions.mint(connection, account, visitor, behind)
                if minted is None:
                    raise Changed
        except BaseException:
            self._clerk_sessions.end(behind, visitor)
            raise
        if behind is not None:
            self._grace.end(account.clerk_id)
        return Complete(minted, delivery, device)

    async def _ask_for_step(
        self, step: StepNeeded, delivery: Delivery, visitor: Visitor
    ) -> Challenged | Verifying:
        """A challenge, unless the code that Clerk wants by mail is the one that verifies the address."""
        if step.kind == "client_trust" and not step.account.email_verified:
            verifying = await self._resuming.resume(step.account, None, visitor)
            if verifying is not None:
                device = await self._proof.know_device(step, visitor)
                return replace(verifying, delivery=delivery, device=device)
        return await self._proof.open(step, LOGIN, delivery, visitor)

    async def _prove_or_resume(
        self, email: str, claim: Claim, password: str, delivery: Delivery, visitor: Visitor
    ) -> Outcome:
        """As `_prove`, and for a decoy what a signup's login leads to. While one system is crowded, all refuse as it does."""
        crowded = self._proof.crowded(visitor)
        try:
            return await self._prove(email, claim, password, delivery, visitor)
        except (CredentialsInvalid, Crowded, Unexplained) as refused:
            asked_clerk = claim.system == "clerk" and refused.outcome != "guarded"
            verifying = await self._resuming.resume_decoy(
                email, password, visitor, refused, asked_clerk=asked_clerk
            )
            if verifying is not None:
                return replace(verifying, delivery=delivery)
            if crowded:
                raise Crowded from None
            raise

    @asynccontextmanager
    async def _counting(self, system: SystemName) -> AsyncIterator[None]:
        """Count what is refused."""
        try:
            yield
        except Refusal as refusal:
            if refusal.outcome is not None:
                await self._counts.add(system, refusal.outcome)
            raise


_OUTCOMES: dict[type[Outcome], str] = {
    Complete: "success",
    Challenged: "challenged",
    ResetBegun: "needs_new_password",
    Verifying: "unverified",
}
"""What an outcome is counted as."""
