"""What a signup asks of Clerk."""

import secrets
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from bff.sessions.service import ClerkSession
from bff.signup.person import Person
from bff.visitor import Visitor
from toolkit.clerk import (
    BackendClient,
    CircuitBreaker,
    ClerkAnswerUnexpected,
    ClerkUnavailable,
    ClientInvalid,
    Device,
    FrontendClient,
    FrontendEmailAddress,
    FrontendUser,
    IdentifierExists,
    IdentifierNotFound,
    IncorrectPassword,
    ParameterInvalid,
    ResourceNotFound,
    VerificationFailed,
)
from toolkit.clerk.addresses import same_mailbox
from toolkit.sweep.signups import was_added_to

TICKET_SECONDS = 60
"""Seconds that a sign-in token is good for: it is used at once."""
_NOT_CONFIGURED = "Clerk is not configured."


@dataclass(frozen=True, slots=True)
class CodeSent:
    """Clerk sent a code, which is to be tried with this session."""

    email_address_id: str
    session: ClerkSession


class NotAsMade(Exception):
    """Clerk has the address verified, but nobody can tell by whom: no code that was tried here did it; or somebody went
    to Clerk with the new password, and added something of their own to get in with."""


class ClerkSignup:
    """Creates users and has their addresses verified. Every call raises ClerkError; without clients (Clerk is not
    configured) ClerkUnavailable.
    """

    def __init__(self, backend: BackendClient | None, frontend: FrontendClient | None) -> None:
        self._backend_client = backend
        self._frontend_client = frontend
        self._breaker = CircuitBreaker()

    @property
    def configured(self) -> bool:
        return self._backend_client is not None and self._frontend_client is not None

    async def create(self, person: Person, signup_id: UUID, user_id: str) -> str | None:
        """Create a user whose address is not verified yet; Clerk's id of it.

        None when another Clerk user has the address; whether the password could be taken is then not known.
        """
        try:
            async with self._breaker.call():
                user = await self._backend.create_user(
                    external_id=user_id,
                    email_address=person.email,
                    email_status="reserved",
                    password=person.password,
                    first_name=person.first_name,
                    last_name=person.last_name,
                    private_metadata={"signup": str(signup_id)},
                )
        except IdentifierExists as error:
            maybe_created = error.maybe_applied
        else:
            return user.id
        if not maybe_created:
            return None
        async with self._breaker.call():  # an earlier attempt of this call may have got through
            found = await self._backend.find_user_by_external_id(user_id)
        return found.id if found is not None else None

    async def remove(self, clerk_id: str) -> None:
        """Delete a user; one that is gone already is no error."""
        async with self._breaker.call():
            with suppress(ResourceNotFound):
                await self._backend.delete_user(clerk_id)

    async def sign_in(self, clerk_id: str, visitor: Visitor) -> ClerkSession:
        """Sign the user in without the password."""
        async with self._breaker.call():
            token = await self._backend.create_sign_in_token(clerk_id, expires_in_seconds=TICKET_SECONDS)
        device = self._device(None, visitor)
        sign_in = await device.create_sign_in_with_ticket(token.token or "")
        if sign_in.session is None or sign_in.user_id != clerk_id or device.client_token is None:
            raise ClerkAnswerUnexpected(f"A new user's sign-in is {sign_in.status}, and not complete.")
        return ClerkSession(sign_in.session.id, device.client_token)

    async def send_code(self, clerk_id: str, email: str, visitor: Visitor) -> CodeSent:
        """Sign the user in, and have a code sent to the email address."""
        session = await self.sign_in(clerk_id, visitor)
        return await self.resend(await self.ready_to_send(session, email, visitor), visitor)

    async def ready_to_send(self, session: ClerkSession, email: str, visitor: Visitor) -> CodeSent:
        """What a code is to be sent and tried with, where none was sent to the address yet."""
        device = self._device(session.client_token, visitor)
        email_address_id = _own(await device.me(session.id), email).id
        return CodeSent(email_address_id, _renewed(session, device))

    async def resend(self, sent: CodeSent, visitor: Visitor) -> CodeSent:
        """Have another code sent. Raises VerificationFailed when the address is verified already, and ClientInvalid when
        the session is over.
        """
        device = self._device(sent.session.client_token, visitor)
        await device.prepare_email_address(sent.session.id, sent.email_address_id)
        return CodeSent(sent.email_address_id, _renewed(sent.session, device))

    async def try_code(
        self, sent: CodeSent, code: str, email: str, visitor: Visitor, *, tried_before: bool
    ) -> ClerkSession:
        """Try a code; `tried_before` when the same was, and the answer lost.

        Raises IncorrectCode, VerificationFailed, NotAsMade, or ClientInvalid when the session is over.
        """
        device = self._device(sent.session.client_token, visitor)
        failed = None
        try:
            await device.verify_email_address(sent.session.id, sent.email_address_id, code)
        except VerificationFailed as error:  # also when it is verified already
            failed = error
        session = _renewed(sent.session, device)
        try:
            proven = await self.check_proof(session, email, visitor, tried=failed is None or tried_before)
        except ClientInvalid as error:  # over just now: the answer counts as lost
            raise ClerkAnswerUnexpected("The session ended before the proof was seen.") from error
        if failed is not None and not proven:
            raise failed
        return session

    async def check_proof(self, session: ClerkSession, email: str, visitor: Visitor, *, tried: bool) -> bool:
        """Whether the address that somebody signed up with is proven, by a code that was `tried` here. Raises NotAsMade."""
        user = await self._device(session.client_token, visitor).me(session.id)
        verification = _own(user, email).verification
        if verification is None or verification.status != "verified":
            return False
        if not tried or was_added_to(user):
            raise NotAsMade
        return True

    async def probe(self, visitor: Visitor) -> None:
        """Ask Clerk for something that changes nothing: it fails when others fail."""
        await self._device(None, visitor).get_client()

    async def probe_sign_in(self, visitor: Visitor) -> None:
        """As `probe`, and Clerk counts it as a sign-in: one of nobody, that no instance lets in."""
        name = f"{secrets.token_hex(12)}@{secrets.token_hex(12)}.com"
        with suppress(IdentifierNotFound, IncorrectPassword, ParameterInvalid):
            await self._device(None, visitor).create_sign_in(name, secrets.token_urlsafe(16))

    @property
    def _backend(self) -> BackendClient:
        if self._backend_client is None:
            raise ClerkUnavailable(_NOT_CONFIGURED)
        return self._backend_client

    def _device(self, client_token: str | None, visitor: Visitor) -> Device:
        if self._frontend_client is None:
            raise ClerkUnavailable(_NOT_CONFIGURED)
        return self._frontend_client.device(client_token, address=visitor.address_text)


def _own(user: FrontendUser, email: str) -> FrontendEmailAddress:
    """The address that somebody signed up with, whatever others the user has added, or made the primary one."""
    for found in user.email_addresses:
        if same_mailbox(found.email_address, email):
            return found
    raise ClerkAnswerUnexpected("The user does not have the email address that signed up.")


def _renewed(session: ClerkSession, device: Device) -> ClerkSession:
    return ClerkSession(session.id, device.client_token or session.client_token)
