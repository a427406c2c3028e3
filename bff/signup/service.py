"""What happens at a signup.

The switch `signup` decides who keeps the new password: Clerk or AX. With Clerk, a signup goes through steps that are
written down (`steps`), and is complete when a code that was sent to its address comes back (`codes`).

Whether an address has an account already is told to its owner, by mail, and to nobody else: the signup then leads
nowhere and looks as if it did (`decoys`).
"""

from contextlib import suppress
from dataclasses import replace
from typing import Protocol
from uuid import UUID

from bff.clerk_errors import RETRY_AFTER
from bff.database import Database
from bff.limits import Limits
from bff.refusals import (
    AuthenticationUnavailable,
    CodeInvalid,
    FieldError,
    FieldsInvalid,
    SignupEnded,
    Unexplained,
)
from bff.sessions.service import Complete, Delivery, Minted
from bff.signup.clerk import ClerkSignup
from bff.signup.codes import Codes
from bff.signup.decoys import Decoys
from bff.signup.mails import Mails
from bff.signup.outcomes import Verifying
from bff.signup.person import Person
from bff.signup.steps import Steps
from bff.signup.storage import Decoy, Storage
from bff.veil import Veil
from bff.visitor import Visitor
from toolkit.database import queries
from toolkit.sweep.signups import Signups


class LegacySignup(Protocol):
    """Signing up as AX does; `bff.legacy` has it as long as there is one."""

    async def sign_up(self, invite: str, person: Person, visitor: Visitor) -> Minted:
        """Make a user and a session. Raises Refusal."""
        ...


class SignupService:
    """Signs people up. Without Clerk (it is not configured) everybody is refused whom the switch sends there."""

    def __init__(
        self,
        database: Database,
        storage: Storage,
        clerk: ClerkSignup,
        steps: Steps,
        codes: Codes,
        decoys: Decoys,
        mails: Mails,
        signups: Signups,
        legacy: LegacySignup | None,
        limits: Limits,
        veil: Veil,
    ) -> None:
        self._database = database
        self._storage = storage
        self._clerk = clerk
        self._steps = steps
        self._codes = codes
        self._decoys = decoys
        self._mails = mails
        self._signups = signups
        self._legacy = legacy
        self._limits = limits
        self._veil = veil

    async def sign_up(
        self, invite: str, person: Person, delivery: Delivery, visitor: Visitor
    ) -> Complete | Verifying:
        """Begin a signup (with the switch on `legacy`: do all of it). Raises Refusal."""
        await self._limits.spend(  # Clerk counts it as a sign-in
            ("signup_by_address", visitor.network), ("sign_in_by_address", visitor.network)
        )
        async with self._database.connection() as connection:
            switch = await queries.switch(connection, name="signup")
        if switch == "legacy" and self._legacy is not None:
            return Complete(await self._legacy.sign_up(invite, person, visitor), delivery)
        async with self._veil.answers():
            person = replace(person, email=person.email.lower())  # Clerk's addresses have no case
            return await self._begin(invite, person, delivery, visitor)

    async def verify(self, signup_id: UUID, code: str, visitor: Visitor) -> Complete:
        """Try the code of a signup. Raises Refusal."""
        async with self._veil.refusals(CodeInvalid):
            await self._limits.spend(("signup_code_by_address", visitor.network))
            await self._limits.spend(("signup_code_by_signup", signup_id))
            signup = await self._storage.waiting(signup_id)
            if isinstance(signup, Decoy):
                await self._decoys.try_code(visitor)
            session = await self._codes.try_code(signup, code, visitor)
            return await self._steps.complete(signup, session, visitor)

    async def resend(self, signup_id: UUID, visitor: Visitor) -> Verifying:
        """Have another code sent. Raises Refusal."""
        async with self._veil.answers():
            await self._limits.spend(("signup_send_by_address", visitor.network))
            signup = await self._storage.waiting(signup_id)
            await self._mails.spend_resend(signup_id)
            with suppress(CodeInvalid, Unexplained):  # Clerk's limits and locks know nothing of decoys
                if isinstance(signup, Decoy):
                    await self._decoys.resend(signup, visitor)
                else:
                    await self._codes.resend(signup, visitor)
            return self._mails.sent(signup_id, signup.email)

    async def abandon(self, signup_id: UUID) -> None:
        """Undo a signup that waits for its code, for whoever began it. Raises Refusal."""
        async with self._veil.answers():
            self._require_clerk()
            await self._storage.waiting(signup_id)
            if not await self._signups.undo(signup_id, "abandoned", certain=True):
                raise SignupEnded

    async def _begin(self, invite: str, person: Person, delivery: Delivery, visitor: Visitor) -> Verifying:
        self._require_clerk()
        if person.password.lower() == person.email:
            detail = "The password must not be the email address."
            raise FieldsInvalid(FieldError("password", "matches_email", detail))
        signup_id = await self._steps.begin(invite, person, delivery, visitor)
        return self._mails.sent(signup_id, person.email)

    def _require_clerk(self) -> None:
        if not self._clerk.configured:
            raise AuthenticationUnavailable(retry_after=RETRY_AFTER)
