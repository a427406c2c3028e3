"""What happens at a signup.

The switch `signup` decides who keeps the new password: Clerk or AX. With Clerk it is a saga, whose steps are written
down as they are done (clerk_migration.signups); `toolkit.sweep` ends those that do not end here.

Whether an address has an account already is told to its owner, by mail, and to nobody else: the signup then leads
nowhere and looks as if it did, from its answers to the use of the invite, which comes back when it is over.
"""

import asyncio
import hashlib
import secrets
import time
from collections.abc import Awaitable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Protocol, TypeVar
from uuid import UUID

import asyncpg
import structlog

from bff import accounts, emails
from bff.accounts import Account
from bff.clerk_errors import RETRY_AFTER, signup_refusal
from bff.database import Database
from bff.devices import Devices
from bff.limits import Limits
from bff.mail import Mailer, masked
from bff.refusals import (
    AuthenticationUnavailable,
    CodeInvalid,
    CredentialsInvalid,
    FieldError,
    FieldsInvalid,
    Refusal,
    SignupEnded,
    TooManyAttempts,
)
from bff.sessions.service import ClerkSession, Complete, Delivery, Minted, Sessions
from bff.signup.clerk import ClerkSignup, CodeSent, EmailTaken, NotAsMade, Person
from bff.signup.outcomes import Verifying
from bff.tokens import Cipher, Sealed, hash_token
from bff.visitor import Visitor
from toolkit.clerk import (
    ClerkApiError,
    ClerkError,
    ClerkRateLimited,
    ClientInvalid,
    IncorrectCode,
    VerificationFailed,
)
from toolkit.database import queries
from toolkit.playbook.bff import LoginSettings, SignupSettings
from toolkit.sweep.signups import Signups, SignupUser

T = TypeVar("T")

RESUME_SECONDS = 0.4
"""What a login's password check leaves of two seconds."""
_log = structlog.get_logger("bff")


class LegacySignup(Protocol):
    """Signing up as AX does; `bff.legacy` has it as long as there is one."""

    async def sign_up(self, invite: str, person: Person, visitor: Visitor) -> Minted:
        """Make a user and a session. Raises Refusal."""
        ...


@dataclass(frozen=True, slots=True)
class Waiting:
    """A signup that waits for its code."""

    id: UUID
    user_id: str
    email: str
    delivery: Delivery
    clerk_id: str | None
    """None for one that leads nowhere."""
    sent: CodeSent | None = field(repr=False)


class SignupService:
    """Signs people up. `clerk` and `signups` are None when Clerk is not configured."""

    def __init__(
        self,
        database: Database,
        sessions: Sessions,
        devices: Devices,
        limits: Limits,
        cipher: Cipher,
        clerk: ClerkSignup | None,
        signups: Signups | None,
        legacy: LegacySignup | None,
        mailer: Mailer,
        settings: SignupSettings,
        login: LoginSettings,
        *,
        public_url: str | None,
    ) -> None:
        self._database = database
        self._sessions = sessions
        self._devices = devices
        self._limits = limits
        self._cipher = cipher
        self._clerk = clerk
        self._signups = signups
        self._legacy = legacy
        self._mailer = mailer
        self._settings = settings
        self._login = login
        self._public_url = public_url

    @property
    def answer_seconds(self) -> float:
        """No answer comes sooner that leads to the verification of an address."""
        return self._settings.answer_seconds

    async def sign_up(
        self, invite: str, person: Person, delivery: Delivery, visitor: Visitor
    ) -> Complete | Verifying:
        """Begin a signup (with the switch on `legacy`: do all of it). Raises Refusal."""
        started = time.monotonic()
        await self._limits.spend(  # Clerk counts it as a sign-in
            {"signup_by_address": visitor.network, "sign_in_by_address": visitor.network}
        )
        async with self._database.connection() as connection:
            switch = await queries.switch(connection, name="signup")
        if switch == "legacy" and self._legacy is not None:
            return Complete(await self._legacy.sign_up(invite, person, visitor), delivery)
        if self._clerk is None or self._signups is None:
            raise AuthenticationUnavailable(retry_after=RETRY_AFTER)
        person = replace(person, email=person.email.lower())  # Clerk's addresses have no case
        if person.password.lower() == person.email:
            raise invalid("password", "matches_email", "The password must not be the email address.")
        try:
            return await self._begin(self._clerk, self._signups, invite, person, delivery, visitor)
        finally:
            await asyncio.sleep(max(0.0, started + self._settings.answer_seconds - time.monotonic()))

    async def verify(self, signup_id: UUID, code: str, visitor: Visitor) -> Complete:
        """Try the code of a signup. Raises Refusal."""
        started = time.monotonic()
        await self._limits.spend({"signup_code_by_address": visitor.network})
        await self._limits.spend({"signup_code_by_signup": signup_id})
        signup = await self._waiting(signup_id)
        try:
            if self._clerk is None:
                raise AuthenticationUnavailable(retry_after=RETRY_AFTER)
            if signup.sent is None or signup.clerk_id is None:
                await _clerk_says(self._clerk.probe(visitor))
                raise CodeInvalid
            session = await self._try_code(self._clerk, signup, signup.sent, signup.clerk_id, code, visitor)
        except CodeInvalid:
            await asyncio.sleep(max(0.0, started + self._login.failure_seconds - time.monotonic()))
            raise
        return await self._complete(signup_id, signup, session, visitor)

    async def resend(self, signup_id: UUID, visitor: Visitor) -> Verifying:
        """Have another code sent. Raises Refusal."""
        started = time.monotonic()
        await self._limits.spend({"signup_send_by_address": visitor.network})
        signup = await self._waiting(signup_id)
        await self._spend_resend(signup_id)
        if self._clerk is None:
            raise AuthenticationUnavailable(retry_after=RETRY_AFTER)
        if signup.sent is None or signup.clerk_id is None:
            await _clerk_says(self._clerk.probe(visitor))
            self._tell_owner(signup.email)
        elif not await self._keep(
            signup_id, await self._resend(self._clerk, signup, signup.sent, signup.clerk_id, visitor)
        ):
            raise SignupEnded
        await asyncio.sleep(max(0.0, started + self._login.failure_seconds - time.monotonic()))
        return self._verifying(signup_id, signup.email)

    async def abandon(self, signup_id: UUID) -> None:
        """Undo a signup that waits for its code, for whoever began it. Raises Refusal."""
        started = time.monotonic()
        if self._signups is None:
            raise AuthenticationUnavailable(retry_after=RETRY_AFTER)
        await self._waiting(signup_id)
        if not await self._signups.undo(signup_id, "abandoned", certain=True):
            raise SignupEnded
        await asyncio.sleep(max(0.0, started + self._login.failure_seconds - time.monotonic()))

    async def resume(
        self, account: Account, session: ClerkSession | None, visitor: Visitor
    ) -> Verifying | None:
        """For somebody whose password Clerk took: the signup that is to be verified first, with a new code sent.

        `session` is what Clerk made of the password; None when it wants a code by mail first, which this is. Returns
        None for nobody. Raises Refusal.
        """
        async with self._database.connection() as connection:
            record = await queries.signup_of_user(
                connection, user_id=str(account.id), unverified=self._unverified
            )
        if record is None:
            return None
        if record["over"]:
            raise CredentialsInvalid("signup_over")
        if self._clerk is None:
            raise AuthenticationUnavailable(retry_after=RETRY_AFTER)
        await self._spend_login(record["email"])
        kept = self._sent(record) if record["email_address_id"] is not None else None
        session = session or (kept.session if kept else None)
        if session is None:
            raise AuthenticationUnavailable(retry_after=RETRY_AFTER)
        if record["code_in_doubt"] and await self._is_proven(
            self._clerk, record, session, account.email, visitor
        ):
            return None
        try:
            async with asyncio.timeout(RESUME_SECONDS):
                if kept is None:  # the signup broke off before its code was sent
                    kept = CodeSent(
                        await self._clerk.email_address_id(session, account.email, visitor), session
                    )
                await self._spend_resend(record["id"])
                kept = await self._clerk.resend(replace(kept, session=session), visitor)
        except VerificationFailed:
            if await self._is_proven(self._clerk, record, session, account.email, visitor):
                return None
        except (Refusal, TimeoutError, ClerkError):
            pass  # one was sent lately, or can be asked for on the next screen
        if kept is None:
            raise AuthenticationUnavailable(retry_after=RETRY_AFTER)
        if not await self._keep(record["id"], kept):
            raise CredentialsInvalid("signup_over")
        return self._verifying(record["id"], account.email)

    async def resume_nowhere(self, email: str, password: str, visitor: Visitor) -> Verifying | None:
        """For somebody who was refused: what `resume` would say to whoever began a signup that leads nowhere.

        Else a login with its password would tell that the address was taken. None for nobody. Raises Refusal.
        """
        async with self._database.connection() as connection:
            waiting = [
                record
                async for record in queries.signups_with(connection, email=email, unverified=self._unverified)
            ]
        if not waiting:
            return None
        try:
            await self._spend_login(waiting[0]["email"])
        except CredentialsInvalid:
            return None
        decoys = [record for record in waiting if record["state"] == "decoy" and record["password_hash"]]
        hashed = {
            address: await asyncio.to_thread(_hash, password, address)
            for address in {record["email"] for record in decoys}
        }
        for decoy in decoys:
            if not secrets.compare_digest(hashed[decoy["email"]], decoy["password_hash"]):
                continue
            if self._clerk is None:
                raise AuthenticationUnavailable(retry_after=RETRY_AFTER)
            await _clerk_says(self._clerk.probe(visitor))
            with suppress(TooManyAttempts):  # one was sent lately
                await self._spend_resend(decoy["id"])
                self._tell_owner(decoy["email"])
            async with self._database.transaction() as connection:
                device = await self._devices.rename(connection, visitor.device)
            return replace(self._verifying(decoy["id"], decoy["email"]), device=device)
        return None

    async def _is_proven(
        self,
        clerk: ClerkSignup,
        record: Mapping[str, Any],
        session: ClerkSession,
        email: str,
        visitor: Visitor,
    ) -> bool:
        """Whether the code was right whose answer was lost; then it is noted. Raises CredentialsInvalid."""
        try:
            async with asyncio.timeout(RESUME_SECONDS):
                proven = await clerk.check_proof(session, email, visitor, tried=record["code_in_doubt"])
        except (TimeoutError, ClerkError):
            return False
        except NotAsMade:
            await self._undo_not_as_made(record["id"])
            raise CredentialsInvalid("signup_over") from None
        if proven:
            async with self._database.connection() as connection:
                await queries.verify_signup(connection, signup_id=record["id"])
        return proven

    async def _undo_not_as_made(self, signup_id: UUID) -> None:
        """Whoever has the mailbox signs up anew, and finds nothing there of somebody else's."""
        if self._signups is not None:
            await self._signups.undo(signup_id, "not_as_made", certain=True)

    async def _begin(
        self,
        clerk: ClerkSignup,
        signups: Signups,
        invite: str,
        person: Person,
        delivery: Delivery,
        visitor: Visitor,
    ) -> Verifying:
        async with self._database.transaction() as connection:
            invite_id = await queries.take_invite(connection, code_hash=hash_invite(invite))
            if invite_id is None:
                raise invite_invalid()
            saga = await queries.begin_signup(
                connection, invite_id=str(invite_id), email=person.email, delivery=delivery
            )
            taken = await queries.email_is_taken(connection, forms=emails.forms(person.email))
        saga_id = saga["id"]
        try:
            await self._go_through(clerk, signups, saga, person, visitor, taken=taken)
        except ClerkError as error:
            await signups.undo(saga_id, _reason(error), certain=not error.maybe_applied)
            raise signup_refusal(error) from None
        except Refusal as refusal:
            await signups.undo(saga_id, type(refusal).__name__, certain=True)
            raise
        except Exception as error:
            await signups.undo(saga_id, type(error).__name__, certain=False)
            raise
        return self._verifying(saga_id, person.email)

    async def _go_through(
        self,
        clerk: ClerkSignup,
        signups: Signups,
        saga: Mapping[str, Any],
        person: Person,
        visitor: Visitor,
        *,
        taken: bool,
    ) -> None:
        """All steps after the invite."""
        saga_id, user_id = saga["id"], saga["user_id"]
        if not taken:
            try:
                user = await clerk.create(person, saga_id, user_id)
            except EmailTaken:
                taken = True
        if taken:
            await self._lead_nowhere(clerk, saga, person, visitor)
            return
        try:
            is_free = await self._create_row(saga_id, user.id, person)
        except Refusal:  # a sweep was quicker, and knows nothing of the user
            await signups.withdraw_late(saga_id, SignupUser(user_id, user.id))
            raise
        if not is_free:
            await clerk.remove(user.id)
            await self._decoy(saga_id, person)
            return
        await self._spend_mail(saga_id, person)
        if not await self._keep(saga_id, await clerk.send_code(user.id, person.email, visitor)):
            raise SignupEnded

    async def _create_row(self, saga_id: UUID, clerk_id: str, person: Person) -> bool:
        """False when somebody was quicker and has the address in AX. Raises Refusal when the signup was undone."""
        async with self._database.connection() as connection:
            try:
                going_on = await queries.create_row(
                    connection,
                    signup_id=saga_id,
                    clerk_id=clerk_id,
                    first_name=person.first_name,
                    last_name=person.last_name,
                )
            except asyncpg.UniqueViolationError:
                return False
        if not going_on:
            raise SignupEnded
        return True

    async def _lead_nowhere(
        self, clerk: ClerkSignup, saga: Mapping[str, Any], person: Person, visitor: Visitor
    ) -> None:
        """Have Clerk judge everything but the address, and count it, as it would for anybody; keep nothing of it."""
        domain = person.email.rpartition("@")[2]
        stand_in = replace(person, email=f"{secrets.token_hex(12)}@{domain}")
        user = await clerk.create(stand_in, saga["id"], saga["user_id"])
        await clerk.sign_in(user.id, visitor)
        await clerk.remove(user.id)
        await self._decoy(saga["id"], person)

    async def _decoy(self, saga_id: UUID, person: Person) -> None:
        await self._spend_mail(saga_id, person)
        password_hash = await asyncio.to_thread(_hash, person.password, person.email)
        async with self._database.connection() as connection:
            if not await queries.become_decoy(connection, signup_id=saga_id, password_hash=password_hash):
                raise SignupEnded
        self._tell_owner(person.email)

    async def _keep(self, saga_id: UUID, sent: CodeSent) -> bool:
        """Note that a code was sent; false when the signup was undone meanwhile."""
        sealed = self._cipher.seal(sent.session.client_token)
        async with self._database.connection() as connection:
            kept = await queries.code_sent(
                connection,
                signup_id=saga_id,
                email_address_id=sent.email_address_id,
                clerk_session_id=sent.session.id,
                token_cipher=sealed.cipher,
                token_nonce=sealed.nonce,
            )
        return bool(kept)

    async def _waiting(self, signup_id: UUID) -> Waiting:
        """The signup, if it waits for a code. Raises Refusal (signup_ended)."""
        async with self._database.connection() as connection:
            record = await queries.signup(connection, signup_id=signup_id, unverified=self._unverified)
        if record is None:
            raise SignupEnded
        return Waiting(
            record["id"],
            record["user_id"],
            record["email"],
            record["delivery"],
            record["clerk_id"],
            self._sent(record) if record["state"] == "code_sent" else None,
        )

    def _sent(self, record: Mapping[str, Any]) -> CodeSent:
        token = self._cipher.open(Sealed(record["token_cipher"], record["token_nonce"]))
        return CodeSent(record["email_address_id"], ClerkSession(record["clerk_session_id"], token or ""))

    async def _try_code(
        self,
        clerk: ClerkSignup,
        signup: Waiting,
        sent: CodeSent,
        clerk_id: str,
        code: str,
        visitor: Visitor,
    ) -> ClerkSession:
        code_hash = hash_token(f"{signup.id} {code}")
        async with self._database.connection() as connection:
            tried = await queries.try_code(connection, signup_id=signup.id, code_hash=code_hash)
        if tried is None:
            raise SignupEnded
        session, again = sent.session, tried["again"]
        try:
            with suppress(_SessionOver):
                return await _clerk_says(
                    clerk.verify(replace(sent, session=session), code, signup.email, visitor, again=again)
                )
            # another login ended it; the code is the address's
            await self._limits.spend({"sign_in_by_address": visitor.network})
            session = await _clerk_says(clerk.sign_in(clerk_id, visitor))
            return await _clerk_says(
                clerk.verify(replace(sent, session=session), code, signup.email, visitor, again=again)
            )
        except NotAsMade:
            await self._undo_not_as_made(signup.id)
            raise SignupEnded from None
        except (CodeInvalid, TooManyAttempts) as refusal:
            if isinstance(refusal, CodeInvalid) or not again:
                async with self._database.connection() as connection:
                    await queries.code_was_wrong(connection, signup_id=signup.id, code_hash=code_hash)
            raise

    async def _resend(
        self, clerk: ClerkSignup, signup: Waiting, sent: CodeSent, clerk_id: str, visitor: Visitor
    ) -> CodeSent:
        try:
            with suppress(_SessionOver):
                return await _clerk_says(clerk.resend(sent, visitor))
            await self._limits.spend({"sign_in_by_address": visitor.network})
            return await _clerk_says(clerk.send_code(clerk_id, signup.email, visitor))
        except CodeInvalid:  # the address is verified already
            raise SignupEnded from None

    async def _complete(
        self, signup_id: UUID, signup: Waiting, session: ClerkSession, visitor: Visitor
    ) -> Complete:
        async with self._database.transaction() as connection:
            if not await queries.verify_signup(connection, signup_id=signup_id):
                raise SignupEnded
            account = await accounts.by_id(connection, UUID(signup.user_id))
            if account is None:
                raise SignupEnded
            minted = await self._sessions.mint(connection, account, visitor, session)
            if minted is None:
                raise SignupEnded
            device = await self._devices.keep(connection, visitor.device, account.id, session.client_token)
        return Complete(minted, signup.delivery, device)

    async def _spend_resend(self, signup_id: UUID) -> None:
        """The pause first: who presses the button too early must not use up the few that there are."""
        await self._pause(signup_id)
        await self._limits.spend({"signup_send_by_signup": signup_id})

    async def _pause(self, signup_id: UUID) -> None:
        await self._limits.spend({"signup_pause_by_signup": signup_id})

    async def _spend_mail(self, saga_id: UUID, person: Person) -> None:
        """Once it is sure that there is a mail: who is refused before must not use up what the address's owner may do."""
        await self._limits.spend({"signup_by_email": person.email})
        await self._pause(saga_id)

    async def _spend_login(self, email: str) -> None:
        """Before Clerk locks the user of a signup, and none of a decoy, neither is led anywhere. Raises CredentialsInvalid."""
        try:
            await self._limits.spend({"signup_login_by_email": email})
        except TooManyAttempts:
            raise CredentialsInvalid("limited") from None

    @property
    def _unverified(self) -> timedelta:
        return timedelta(hours=self._settings.unverified_hours)

    def _verifying(self, signup_id: UUID, email: str) -> Verifying:
        return Verifying(signup_id, masked(email), round(self._limits["signup_pause_by_signup"].seconds))

    def _tell_owner(self, email: str) -> None:
        where = f" at {self._public_url}" if self._public_url else ""
        self._mailer.send(
            email,
            "You have an account already",
            "Somebody, probably you, tried to sign up with this address. There is an account with it already: "
            f"log in{where} instead. If you do not know your password, ask for a new one there.\n\n"
            "If it was not you, there is nothing to do.\n",
        )


class _SessionOver(Exception):
    """Clerk does not know the session any more."""


async def _clerk_says(asked: Awaitable[T]) -> T:
    """What Clerk answers. Raises Refusal, or _SessionOver."""
    try:
        return await asked
    except (IncorrectCode, VerificationFailed):
        raise CodeInvalid from None
    except ClientInvalid as error:
        raise _SessionOver from error
    except ClerkError as error:
        raise signup_refusal(error) from None


def _reason(error: ClerkError) -> str:
    if isinstance(error, ClerkApiError):
        return error.code
    return "clerk_rate_limited" if isinstance(error, ClerkRateLimited) else "clerk_unavailable"


def invalid(field: str, code: str, detail: str) -> FieldsInvalid:
    """One field cannot be taken."""
    return FieldsInvalid(FieldError(field, code, detail))


def invite_invalid() -> FieldsInvalid:
    """The invite is unknown, used up or has expired: which, is not told."""
    return invalid(
        "invite",
        "invite_invalid",
        "This invite is not valid, or was used up. If you signed up with it, log in.",
    )


def _hash(password: str, email: str) -> bytes:
    """What scrypt makes of a password, alike for all that were typed for an address: a login has it computed once."""
    salt = hashlib.sha256(email.encode()).digest()
    return hashlib.scrypt(password.encode("utf-8", "surrogatepass"), salt=salt, n=1 << 14, r=8, p=1)


def hash_invite(code: str) -> bytes:
    """What AX stores of an invite."""
    return hashlib.sha256(code.strip().encode()).digest()
