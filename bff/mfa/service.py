"""What happens when somebody sets up, tries out or takes away a second factor.

An enrolment is a challenge with the purpose `enrol`: it belongs to the session that it began in, takes a few codes, and is
finished once. Whatever changes the ways in to an account is written down, told to its owner by mail, and may end their
other sessions.
"""

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime

from bff.accounts import Account
from bff.changes import Change, Changes, change_of
from bff.clerk_errors import RETRY_AFTER
from bff.database import Database
from bff.events import Event, Events
from bff.limits import Limits
from bff.mail.mails import ChangeKind
from bff.mfa.factors import BackupCodes, Enrolled, Factors, NewAuthenticator, masked
from bff.proof.challenges import Aim, Challenge, Challenges
from bff.proof.systems import Method, MethodName, State, SystemName
from bff.reauthentication.recent import require_recent_proof
from bff.refusals import AuthenticationUnavailable, ChallengeExpired, TooManyAttempts
from bff.sessions.service import Session, Sessions
from bff.tokens import hash_token
from bff.visitor import Visitor
from toolkit.errors import ToolkitError

KINDS: Collection[ChangeKind] = (
    "totp_added",
    "totp_removed",
    "backup_codes_made",
    "phone_added",
    "phone_removed",
    "default_phone_changed",
)
"""The changes that are made here."""


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
        challenges: Challenges,
        changes: Changes,
        events: Events,
        limits: Limits,
        factors: Mapping[SystemName, Factors],
    ) -> None:
        self._database = database
        self._sessions = sessions
        self._challenges = challenges
        self._changes = changes
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
        enrolment_id, expires_at = await self._open(session, Method("totp"), new.state)
        return TotpEnrolment(enrolment_id, expires_at, new)

    async def finish_totp(
        self, session: Session, enrolment_id: str, code: str, visitor: Visitor, *, sign_out_others: bool
    ) -> BackupCodes:
        """Try the authenticator's first code; the backup codes that come with it. Raises Refusal."""
        require_recent_proof(session)
        challenge, _ = await self._attempt(session, enrolment_id, "totp", visitor)
        await self._forget_proofs(session)
        change = change_of(
            session,
            "totp_added",
            visitor,
            subject=hash_token(enrolment_id).hex(),
            sign_out_others=sign_out_others,
        )
        async with self._finishing(enrolment_id), self._changes.making(change) as making:
            return await self._of(session).finish_totp(
                session, challenge.state, code, visitor, again=making.again
            )

    async def remove_totp(self, session: Session, visitor: Visitor, *, sign_out_others: bool) -> None:
        """Take the authenticator away. Raises Refusal."""
        require_recent_proof(session)
        change = change_of(session, "totp_removed", visitor, sign_out_others=sign_out_others)
        async with self._changes.making(change) as making:
            await self._of(session).remove_totp(session, visitor, again=making.again)

    async def make_backup_codes(
        self, session: Session, visitor: Visitor, *, sign_out_others: bool
    ) -> tuple[str, ...]:
        """New backup codes in place of the old. Raises Refusal."""
        require_recent_proof(session)
        change = change_of(session, "backup_codes_made", visitor, sign_out_others=sign_out_others)
        async with self._changes.making(change):
            return await self._of(session).make_backup_codes(session, visitor)

    async def begin_phone(self, session: Session, number: str, visitor: Visitor) -> PhoneEnrolment:
        """Send a code to a number that is to be added. Raises Refusal."""
        require_recent_proof(session)
        # The pause first: whoever asks too early must not use up the few that there are.
        await self._limits.spend(("phone_pause_by_number", f"{session.user.id} {masked(number)}"))
        await self._limits.spend(("phone_code_by_user", session.user.id))
        new = await self._of(session).begin_phone(session, number, visitor)
        method = Method("sms", new.sent_to, new.id)
        enrolment_id, expires_at = await self._open(session, method, new.state)
        return PhoneEnrolment(enrolment_id, expires_at, new.sent_to)

    async def resend_phone(self, session: Session, enrolment_id: str, visitor: Visitor) -> None:
        """Send another code to it. Raises Refusal."""
        require_recent_proof(session)
        async with self._database.connection() as connection:
            challenge = await self._challenges.get(connection, enrolment_id, _aim(session))
        method = challenge.method("sms") if challenge is not None else None
        if challenge is None or method is None:
            raise ChallengeExpired
        await self._limits.spend(("phone_pause_by_number", f"{session.user.id} {method.to}"))
        await self._limits.spend(("phone_code_by_user", session.user.id))
        await self._of(session).resend_phone(session, challenge.state, visitor)

    async def finish_phone(
        self, session: Session, enrolment_id: str, code: str, visitor: Visitor, *, sign_out_others: bool
    ) -> BackupCodes:
        """Try the code that was sent; the backup codes that come with the first factor. Raises Refusal."""
        require_recent_proof(session)
        challenge, method = await self._attempt(session, enrolment_id, "sms", visitor)
        await self._forget_proofs(session)
        change = change_of(
            session, "phone_added", visitor, subject=method.reference or "", sign_out_others=sign_out_others
        )
        async with self._finishing(enrolment_id), self._changes.making(change) as making:
            return await self._of(session).finish_phone(
                session, challenge.state, code, visitor, again=making.again
            )

    async def make_phone_default(self, session: Session, phone_id: str, visitor: Visitor) -> None:
        """Let codes go to this number first. Raises Refusal."""
        require_recent_proof(session)
        async with self._changes.making(
            change_of(session, "default_phone_changed", visitor, subject=phone_id)
        ):
            await self._of(session).make_phone_default(session, phone_id, visitor)

    async def remove_phone(
        self, session: Session, phone_id: str, visitor: Visitor, *, sign_out_others: bool
    ) -> None:
        """Take a number away. Raises Refusal."""
        require_recent_proof(session)
        change = change_of(
            session, "phone_removed", visitor, subject=phone_id, sign_out_others=sign_out_others
        )
        async with self._changes.making(change) as making:
            await self._of(session).remove_phone(session, phone_id, visitor, again=making.again)

    async def events(self, session: Session) -> list[Event]:
        """What was done to the user's ways in, the newest first."""
        async with self._database.connection() as connection:
            return await self._events.of_user(connection, session.user.id)

    async def happened(self, account: Account, change: Change) -> bool:
        """Whether the user's second factors stand as after a change. Raises Refusal."""
        enrolled = await self._at(account.clerk_id).standing(account)
        match change.kind:
            case "totp_added":
                return enrolled.totp
            case "totp_removed":
                return not enrolled.totp
            case "phone_added":
                return change.subject in enrolled.phones
            case "phone_removed":
                return change.subject not in enrolled.phones
            case "default_phone_changed":
                return change.subject == enrolled.default_phone
        return True  # new backup codes, which nothing tells from the old: better told of once too often

    def _of(self, session: Session) -> Factors:
        return self._at(session.user.clerk_id)

    def _at(self, clerk_id: str | None) -> Factors:
        factors = self._factors.get("clerk" if clerk_id is not None else "legacy")
        if factors is None:
            raise AuthenticationUnavailable(retry_after=RETRY_AFTER)
        return factors

    async def _open(self, session: Session, method: Method, state: State) -> tuple[str, datetime]:
        challenge = Challenge(
            session.user.id, self._of(session).name, _aim(session), "second_factor", (method,), state
        )
        async with self._database.connection() as connection:
            return await self._challenges.open(connection, challenge)

    async def _attempt(
        self, session: Session, enrolment_id: str, method: MethodName, visitor: Visitor
    ) -> tuple[Challenge, Method]:
        """Spend an attempt on an enrolment before its code is looked at. Raises ChallengeExpired or TooManyAttempts."""
        await self._limits.spend(("code_by_address", visitor.network))
        await self._limits.spend(("enrolment_by_user", session.user.id))
        async with self._database.connection() as connection:
            challenge = await self._challenges.attempt(connection, enrolment_id, _aim(session))
        found = challenge.method(method) if challenge is not None else None
        if challenge is None or found is None or challenge.system != self._of(session).name:
            raise ChallengeExpired
        return challenge, found

    @asynccontextmanager
    async def _finishing(self, enrolment_id: str) -> AsyncIterator[None]:
        """Around the code of an enrolment, which is over with a right one; one that nobody looked at costs no attempt."""
        try:
            yield
        except (AuthenticationUnavailable, TooManyAttempts) as refused:
            if not refused.asked:
                async with self._database.connection() as connection:
                    await self._challenges.give_back(connection, enrolment_id)
            raise
        with suppress(ToolkitError):  # it is done, and nobody can finish it again
            async with self._database.connection() as connection:
                await self._challenges.use(connection, enrolment_id)

    async def _forget_proofs(self, session: Session) -> None:
        """Before there is another factor: who proved a password alone, in another session, has then proven too little."""
        async with self._database.connection() as connection:
            await self._sessions.forget_proofs(connection, session)


def _aim(session: Session) -> Aim:
    return Aim("enrol", session.id)
