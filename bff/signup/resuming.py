"""A login before the address is verified: it leads to the verification, and not in.

So it does for a decoy, too: else a login with the password that was typed would tell that the address was taken.
"""

import asyncio
from contextlib import suppress
from dataclasses import replace

from bff.accounts import Account
from bff.clerk_errors import RETRY_AFTER
from bff.database import Database
from bff.devices import Devices
from bff.limits import Limits
from bff.refusals import (
    AuthenticationUnavailable,
    CredentialsInvalid,
    Crowded,
    Refusal,
    SignupEnded,
    TooManyAttempts,
    Unexplained,
)
from bff.sessions.service import ClerkSession
from bff.signup.clerk import ClerkSignup, CodeSent, NotAsMade
from bff.signup.decoys import Decoys
from bff.signup.mails import Mails
from bff.signup.outcomes import Verifying
from bff.signup.storage import Storage, Unverified, verify
from bff.veil import Veil
from bff.visitor import Visitor
from toolkit.clerk import ClerkError, VerificationFailed
from toolkit.clerk.addresses import normal_address
from toolkit.sweep.signups import Signups

SECONDS = 0.4
"""For what Clerk is asked here: what a password check leaves of a login's two seconds."""


class Resuming:
    """What a login asks of signups. What leads to a verification is answered under `veil`."""

    def __init__(
        self,
        database: Database,
        storage: Storage,
        clerk: ClerkSignup,
        signups: Signups,
        decoys: Decoys,
        mails: Mails,
        devices: Devices,
        limits: Limits,
        veil: Veil,
    ) -> None:
        self._database = database
        self._storage = storage
        self._clerk = clerk
        self._signups = signups
        self._decoys = decoys
        self._mails = mails
        self._devices = devices
        self._limits = limits
        self.veil = veil

    async def resume(
        self, account: Account, session: ClerkSession | None, visitor: Visitor
    ) -> Verifying | None:
        """For somebody whose password Clerk took: the signup that is to be verified first, with a new code sent.

        `session` is what Clerk made of the password; None when it wants a code by mail first, which this is. Returns
        None for a user without one. Raises CredentialsInvalid or AuthenticationUnavailable.
        """
        signup = await self._storage.of_user(account.id)
        if signup is None:
            return None
        if signup.over:
            raise CredentialsInvalid("signup_over")
        await self._spend_login(signup.email)
        session = session or (signup.sent.session if signup.sent is not None else None)
        if session is None:
            raise AuthenticationUnavailable(retry_after=RETRY_AFTER)
        if signup.code_in_doubt and await self._is_proven(signup, session, visitor):
            return None
        sent, already_verified = await self._send_code(signup, session, visitor)
        if already_verified and await self._is_proven(signup, session, visitor):
            return None
        if sent is None:
            raise AuthenticationUnavailable(retry_after=RETRY_AFTER)
        try:
            await self._storage.code_sent(signup.id, sent)
        except SignupEnded:
            raise CredentialsInvalid("signup_over") from None
        return self._mails.sent(signup.id, signup.email)

    async def resume_decoy(
        self,
        email: str,
        password: str,
        visitor: Visitor,
        refused: CredentialsInvalid | Crowded | Unexplained,
        *,
        asked_clerk: bool,
    ) -> Verifying | None:
        """For somebody who was refused: what `resume` would say, if a decoy was begun with this password.

        `asked_clerk` when Clerk counted this login already; what it did not explain is refused for a decoy, too. None for
        none. Raises AuthenticationUnavailable.
        """
        signups = await self._storage.at_address(email)
        if not signups:
            return None
        try:
            await self._spend_login(signups[0].email)
        except CredentialsInvalid:
            return None
        decoy = await self._decoys.find(signups, password)
        if decoy is None or isinstance(refused, Unexplained):
            return None
        await self._decoys.probe_login(visitor, asked_clerk=asked_clerk)
        tell = False
        with suppress(TooManyAttempts):  # the owner was told lately
            await self._mails.spend_resend(decoy.id)
            tell = True
        async with self._database.transaction() as connection:
            if tell:
                await self._mails.tell_owner(connection, decoy.email, visitor)
            # As a device gets a new id that Clerk knows from now on.
            device = await self._devices.rename(connection, visitor.device)
        return replace(self._mails.sent(decoy.id, decoy.email), device=device)

    async def _spend_login(self, email: str) -> None:
        """Counts logins of an unverified signup, and refuses before Clerk would lock the user: a decoy, which Clerk can't
        lock, must look the same. Raises CredentialsInvalid.
        """
        try:
            await self._limits.spend(("signup_login_by_email", normal_address(email)))
        except TooManyAttempts:
            raise CredentialsInvalid("limited") from None

    async def _send_code(
        self, signup: Unverified, session: ClerkSession, visitor: Visitor
    ) -> tuple[CodeSent | None, bool]:
        """Have a code sent, unless one was lately; it may be asked for on the next screen, too.

        Returns what the last one is to be tried with, None for not known; and whether the address is verified already.
        """
        sent = signup.sent
        try:
            async with asyncio.timeout(SECONDS):
                if sent is None:
                    sent = await self._clerk.ready_to_send(session, signup.email, visitor)
                    session = sent.session
                await self._mails.spend_resend(signup.id)
                return await self._clerk.resend(replace(sent, session=session), visitor), False
        except VerificationFailed:
            return sent, True
        except (Refusal, TimeoutError, ClerkError):
            return sent, False

    async def _is_proven(self, signup: Unverified, session: ClerkSession, visitor: Visitor) -> bool:
        """Whether the code was right whose answer was lost; then that is written down. Raises CredentialsInvalid."""
        try:
            async with asyncio.timeout(SECONDS):
                proven = await self._clerk.check_proof(
                    session, signup.email, visitor, tried=signup.code_in_doubt
                )
        except (TimeoutError, ClerkError):
            return False
        except NotAsMade:
            await self._signups.undo(signup.id, "not_as_made", certain=True)
            raise CredentialsInvalid("signup_over") from None
        if proven:
            async with self._database.connection() as connection:
                await verify(connection, signup.id)
        return proven
