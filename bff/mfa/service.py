"""What happens when somebody sets up, tries out or takes away a second factor.

An enrolment is a challenge with the purpose `enrol`: it belongs to the session that it began in, takes a few codes, and is
finished once. Whatever changes the ways in to an account is written down, told to its owner by mail, and may end their
other sessions.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from bff.clerk_errors import RETRY_AFTER
from bff.database import Database
from bff.events import Event, EventKind, Events
from bff.limits import Limits
from bff.mfa.factors import BackupCodes, Enrolled, Factors, NewAuthenticator
from bff.proof.challenges import Aim, Challenge, Challenges
from bff.proof.systems import Method, MethodName, State, SystemName
from bff.reauthentication.recent import require_recent_proof
from bff.refusals import AuthenticationUnavailable, ChallengeExpired, TooManyAttempts
from bff.sessions.clerk import ClerkSessions
from bff.sessions.service import ClerkSession, Session, Sessions
from bff.visitor import Visitor
from toolkit.database import Connection
from toolkit.errors import ToolkitError

_log = structlog.get_logger("bff")


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A method that is being set up."""

    id: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class TotpEnrolment(Enrolment):
    """An authenticator that is being set up."""

    authenticator: NewAuthenticator


@dataclass(frozen=True, slots=True)
class PhoneEnrolment(Enrolment):
    """A number that a code was sent to."""

    sent_to: str


class MfaService:
    """Second factors of those who are signed in. `factors` are Clerk's and, as long as there is one, AX's own."""

    def __init__(
        self,
        database: Database,
        sessions: Sessions,
        clerk_sessions: ClerkSessions,
        challenges: Challenges,
        events: Events,
        limits: Limits,
        factors: Mapping[SystemName, Factors],
    ) -> None:
        self._database = database
        self._sessions = sessions
        self._clerk_sessions = clerk_sessions
        self._challenges = challenges
        self._events = events
        self._limits = limits
        self._factors = factors

    async def enrolled(self, session: Session, visitor: Visitor) -> Enrolled:
        """What the user has. Raises Refusal; a session from before the move has to be proven once."""
        return await self._of(session).enrolled(session, visitor)

    async def begin_totp(self, session: Session, visitor: Visitor) -> TotpEnrolment:
        """Begin to set up an authenticator. Raises Refusal."""
        require_recent_proof(session)
        new = await self._of(session).begin_totp(session, visitor)
        enrolment_id, expires_at = await self._open(session, "totp", new.state)
        return TotpEnrolment(enrolment_id, expires_at, new)

    async def finish_totp(
        self, session: Session, enrolment_id: str, code: str, visitor: Visitor, *, sign_out_others: bool
    ) -> BackupCodes:
        """Try the authenticator's first code; the backup codes that come with it. Raises Refusal."""
        require_recent_proof(session)
        challenge = await self._attempt(session, enrolment_id, "totp", visitor)
        await self._forget_proofs(session)
        try:
            codes = await self._of(session).finish_totp(session, challenge.state, code, visitor)
        except (AuthenticationUnavailable, TooManyAttempts) as refused:
            await self._give_back(enrolment_id, refused)
            raise
        await self._done(session, "totp_added", visitor, enrolment_id, sign_out_others=sign_out_others)
        return codes

    async def remove_totp(self, session: Session, visitor: Visitor, *, sign_out_others: bool) -> None:
        """Take the authenticator away. Raises Refusal."""
        require_recent_proof(session)
        await self._of(session).remove_totp(session, visitor)
        await self._done(session, "totp_removed", visitor, sign_out_others=sign_out_others)

    async def make_backup_codes(
        self, session: Session, visitor: Visitor, *, sign_out_others: bool
    ) -> tuple[str, ...]:
        """New backup codes in place of the old. Raises Refusal."""
        require_recent_proof(session)
        codes = await self._of(session).make_backup_codes(session, visitor)
        await self._done(session, "backup_codes_made", visitor, sign_out_others=sign_out_others)
        return codes

    async def begin_phone(self, session: Session, number: str, visitor: Visitor) -> PhoneEnrolment:
        """Send a code to a number that is to be added. Raises Refusal."""
        require_recent_proof(session)
        await self._limits.spend(("phone_code_by_user", session.user.id))
        new = await self._of(session).begin_phone(session, number, visitor)
        enrolment_id, expires_at = await self._open(session, "sms", new.state)
        await self._limits.spend(("phone_pause_by_enrolment", enrolment_id))
        return PhoneEnrolment(enrolment_id, expires_at, new.sent_to)

    async def resend_phone(self, session: Session, enrolment_id: str, visitor: Visitor) -> None:
        """Send another code to it. Raises Refusal."""
        require_recent_proof(session)
        async with self._database.connection() as connection:
            challenge = await self._challenges.get(connection, enrolment_id, _aim(session))
        if challenge is None or challenge.method("sms") is None:
            raise ChallengeExpired
        # The pause first: whoever asks too early must not use up the few that there are.
        await self._limits.spend(("phone_pause_by_enrolment", enrolment_id))
        await self._limits.spend(("phone_code_by_user", session.user.id))
        await self._of(session).resend_phone(session, challenge.state, visitor)

    async def finish_phone(
        self, session: Session, enrolment_id: str, code: str, visitor: Visitor, *, sign_out_others: bool
    ) -> BackupCodes:
        """Try the code that was sent; the backup codes that come with the first factor. Raises Refusal."""
        require_recent_proof(session)
        challenge = await self._attempt(session, enrolment_id, "sms", visitor)
        await self._forget_proofs(session)
        try:
            codes = await self._of(session).finish_phone(session, challenge.state, code, visitor)
        except (AuthenticationUnavailable, TooManyAttempts) as refused:
            await self._give_back(enrolment_id, refused)
            raise
        await self._done(session, "phone_added", visitor, enrolment_id, sign_out_others=sign_out_others)
        return codes

    async def make_phone_default(self, session: Session, phone_id: str, visitor: Visitor) -> None:
        """Let codes go to this number first. Raises Refusal."""
        require_recent_proof(session)
        await self._of(session).make_phone_default(session, phone_id, visitor)
        await self._done(session, "default_phone_changed", visitor)

    async def remove_phone(
        self, session: Session, phone_id: str, visitor: Visitor, *, sign_out_others: bool
    ) -> None:
        """Take a number away. Raises Refusal."""
        require_recent_proof(session)
        await self._of(session).remove_phone(session, phone_id, visitor)
        await self._done(session, "phone_removed", visitor, sign_out_others=sign_out_others)

    async def events(self, session: Session) -> list[Event]:
        """What was done to the user's ways in, the newest first."""
        async with self._database.connection() as connection:
            return await self._events.of_user(connection, session.user.id)

    def _of(self, session: Session) -> Factors:
        factors = self._factors.get("clerk" if session.user.clerk_id is not None else "legacy")
        if factors is None:
            raise AuthenticationUnavailable(retry_after=RETRY_AFTER)
        return factors

    async def _open(self, session: Session, method: MethodName, state: State) -> tuple[str, datetime]:
        challenge = Challenge(
            session.user.id, self._of(session).name, _aim(session), "second_factor", (Method(method),), state
        )
        async with self._database.connection() as connection:
            return await self._challenges.open(connection, challenge)

    async def _attempt(
        self, session: Session, enrolment_id: str, method: MethodName, visitor: Visitor
    ) -> Challenge:
        """Spend an attempt on an enrolment before its code is looked at. Raises ChallengeExpired or TooManyAttempts."""
        await self._limits.spend(("code_by_address", visitor.network))
        await self._limits.spend(("enrolment_by_user", session.user.id))
        async with self._database.connection() as connection:
            challenge = await self._challenges.attempt(connection, enrolment_id, _aim(session))
        if (
            challenge is None
            or challenge.method(method) is None
            or challenge.system != self._of(session).name
        ):
            raise ChallengeExpired
        return challenge

    async def _give_back(
        self, enrolment_id: str, refused: AuthenticationUnavailable | TooManyAttempts
    ) -> None:
        if not refused.asked:
            async with self._database.connection() as connection:
                await self._challenges.give_back(connection, enrolment_id)

    async def _done(
        self,
        session: Session,
        kind: EventKind,
        visitor: Visitor,
        enrolment_id: str | None = None,
        *,
        sign_out_others: bool = False,
    ) -> None:
        """Write down what was done, tell the owner, and end their other sessions if they want it.

        It is done already: if it can't be written down, that is logged, and the owner is told all the same.
        """
        ended: list[ClerkSession] = []
        try:
            async with self._database.transaction() as connection:
                if enrolment_id is not None:
                    await self._challenges.use(connection, enrolment_id)
                await self._events.add(connection, session.user.id, kind, visitor)
                if sign_out_others:
                    ended = await self._end_others(connection, session, visitor)
        except ToolkitError as error:
            _log.error("a change of a second factor was not written down", kind=kind, error=str(error))
        self._events.tell(session.user.email, kind, visitor)
        for behind in ended:
            self._clerk_sessions.end(behind, visitor)

    async def _forget_proofs(self, session: Session) -> None:
        """Before there is another factor: who proved a password alone, in another session, has then proven too little."""
        async with self._database.connection() as connection:
            await self._sessions.forget_proofs(connection, session)

    async def _end_others(
        self, connection: Connection, session: Session, visitor: Visitor
    ) -> list[ClerkSession]:
        ended = await self._sessions.revoke_others(connection, session)
        await self._events.add(connection, session.user.id, "other_sessions_ended", visitor)
        return ended


def _aim(session: Session) -> Aim:
    return Aim("enrol", session.id)
