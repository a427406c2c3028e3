"""A signup whose mailbox was proven otherwise: by the reset of a password.

Whoever signed up with somebody else's address knows the first password, and may have gone to Clerk with it and added ways
in of their own. The owner of the mailbox, who resets the password, gets the account without those.
"""

from uuid import UUID

from bff.accounts import Account
from bff.clerk_errors import RETRY_AFTER, answered
from bff.database import Database
from bff.refusals import AuthenticationUnavailable, ChallengeExpired
from bff.signup.storage import Storage, verify
from toolkit.clerk import BackendClient
from toolkit.clerk.addresses import same_mailbox
from toolkit.sweep.signups import Signups, was_added_to


class ProvenSignups:
    """Ends signups of addresses that a reset has proven. Without a client (Clerk is not configured) it refuses."""

    def __init__(
        self, database: Database, storage: Storage, backend: BackendClient | None, signups: Signups
    ) -> None:
        self._database = database
        self._storage = storage
        self._backend = backend
        self._signups = signups

    async def find(self, account: Account) -> UUID | None:
        """The signup that the account has to verify yet; None for none."""
        if account.email_verified:
            return None
        signup = await self._storage.of_user(account.id)
        return signup.id if signup is not None else None

    async def shut_out(self, account: Account, signup_id: UUID) -> None:
        """Before the new password is set: end whoever's sessions there are, and take out what was added.

        What can't be taken out undoes the signup. Raises AuthenticationUnavailable or ChallengeExpired.
        """
        with answered():
            for session in await self._clerk.list_sessions(account.clerk_id or "", status="active"):
                await self._clerk.revoke_session(session.id)
        await self._take_out(account, signup_id)

    async def end(self, account: Account, signup_id: UUID) -> None:
        """The new password is set: the address is verified.

        What was added until everybody's sessions ended with that is taken out, too. Raises as `shut_out` does.
        """
        await self._take_out(account, signup_id)
        async with self._database.connection() as connection:
            if not await verify(connection, signup_id):  # somebody has undone it
                raise ChallengeExpired

    async def _take_out(self, account: Account, signup_id: UUID) -> None:
        clerk_id = account.clerk_id or ""
        with answered():
            user = await self._clerk.get_user(clerk_id)
            if not was_added_to(user):
                return
            if user.two_factor_enabled:
                await self._clerk.disable_mfa(clerk_id)
            for email in user.email_addresses:
                if not same_mailbox(email.email_address, account.email):
                    await self._clerk.delete_email(email.id)
            user = await self._clerk.get_user(clerk_id)
        if was_added_to(user):
            await self._signups.undo(signup_id, "not_as_made", certain=True)
            raise ChallengeExpired

    @property
    def _clerk(self) -> BackendClient:
        if self._backend is None:
            raise AuthenticationUnavailable(retry_after=RETRY_AFTER, asked=False)
        return self._backend
