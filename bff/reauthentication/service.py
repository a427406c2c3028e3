"""Re-authentication: limits, then a proof of who it is, then the session they have counts as proven.

It mints nothing. For a user of Clerk the proof is a new session there, which from then on stands behind AX's: so a session
from before the move gets one, too.
"""

from contextlib import suppress
from dataclasses import dataclass

from bff.clerk_errors import RETRY_AFTER
from bff.database import Database
from bff.limits import Limits
from bff.proof.challenges import Aim
from bff.proof.resets import ResetBegun, Resets
from bff.proof.service import Challenged, ProofService
from bff.proof.systems import Changed, Method, MethodName, NewPasswordNeeded, Proved, StepNeeded
from bff.refusals import (
    AuthenticationUnavailable,
    ChallengeExpired,
    CredentialsInvalid,
    SessionRequired,
    not_the_password,
)
from bff.sessions.clerk import ClerkSessions
from bff.sessions.service import Delivery, Session, Sessions
from bff.visitor import Visitor

ROUNDS = 3
"""How often it is begun anew because the user changed under it."""


@dataclass(frozen=True, slots=True)
class Renewed:
    """The session counts as proven."""

    device: str | None
    """The device's new id, if Clerk knows the device from now on."""
    delivery: Delivery
    """How that is handed over."""


Outcome = Renewed | Challenged | ResetBegun


class Reauthentication:
    """Proves who somebody is who has a session."""

    def __init__(
        self,
        database: Database,
        proof: ProofService,
        sessions: Sessions,
        clerk_sessions: ClerkSessions,
        resets: Resets,
        limits: Limits,
    ) -> None:
        self._database = database
        self._proof = proof
        self._sessions = sessions
        self._clerk_sessions = clerk_sessions
        self._resets = resets
        self._limits = limits

    async def begin(self, session: Session, password: str, delivery: Delivery, visitor: Visitor) -> Outcome:
        """Try the password. Raises Refusal."""
        await self._limits.spend(
            ("reauthentication_by_session", session.id), ("sign_in_by_address", visitor.network)
        )
        for _ in range(ROUNDS):
            with suppress(Changed):
                claim = await self._proof.claim_of(session.user.id, visitor)
                try:
                    result = await self._proof.check_password(claim, password, visitor)
                except CredentialsInvalid:
                    raise not_the_password("password") from None
                if isinstance(result, StepNeeded):
                    return await self._proof.open(result, _aim(session), delivery, visitor)
                return await self._settle(session, result, delivery, visitor)
        raise AuthenticationUnavailable(retry_after=RETRY_AFTER)

    async def send_code(
        self, session: Session, challenge_id: str, method: MethodName, to: str | None, visitor: Visitor
    ) -> Method:
        """Have the code of a second step sent; the method that it is for. Raises Refusal."""
        await self._limits.spend(("code_by_address", visitor.network))
        return await self._proof.send_code(challenge_id, _aim(session), method, to, visitor)

    async def finish(
        self, session: Session, challenge_id: str, method: MethodName, code: str, visitor: Visitor
    ) -> Renewed | ResetBegun:
        """Try the code of a second step. Raises Refusal."""
        await self._limits.spend(("code_by_address", visitor.network))
        attempt = await self._proof.attempt(challenge_id, _aim(session))
        result = await self._proof.check_code(attempt, method, code, visitor)
        try:
            return await self._settle(session, result, attempt.challenge.delivery, visitor)
        except Changed:
            raise ChallengeExpired from None

    async def _settle(
        self, session: Session, result: Proved | NewPasswordNeeded, delivery: Delivery, visitor: Visitor
    ) -> Renewed | ResetBegun:
        """Let the session count as proven. Raises Changed, or CodeInvalid."""
        if isinstance(result, NewPasswordNeeded):
            return await self._resets.begin_for(result.account, visitor)
        behind = result.clerk_session
        try:
            async with self._database.transaction() as connection:
                device = await self._proof.settle(connection, result, visitor)
                holds, before = await self._sessions.renew(connection, session, result.account, behind)
                if not holds:
                    raise Changed if await self._sessions.lives(connection, session) else SessionRequired
        except BaseException:
            self._clerk_sessions.end(behind, visitor)
            raise
        self._clerk_sessions.end(before, visitor)
        return Renewed(device, delivery)


def _aim(session: Session) -> Aim:
    return Aim("reauthentication", session.id)
