"""One user into Clerk, whatever has happened before: created, found again, or brought up to date.

The ordinary user costs one request. What Clerk answers is checked: the address has the status that was
sent, the second factor is on, a disabled user is banned.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from toolkit.clerk import (
    BackendClient,
    ClerkApiError,
    EmailStatus,
    FeatureNotAvailable,
    IdentifierExists,
    NoPasswordSet,
    ResourceNotFound,
    User,
)
from toolkit.clerk.addresses import same_mailbox
from toolkit.errors import ToolkitError
from toolkit.migration.plan import REASONS, Create, Reason, reason
from toolkit.migration.source import SourceUser


class NotCarried(ToolkitError):
    """The user could not go over; `reason` says why."""

    def __init__(self, why: Reason) -> None:
        super().__init__(why.meaning)
        self.reason = why


class Carrier:
    """Brings rows into Clerk.

    The names of the environment, its database (`origin`) and the run go into each new user's private metadata: only
    such a user is ever removed again. `is_linked` tells whether some row has a Clerk user's id.
    Every method may raise NotCarried, or a ClerkError that is not about this user alone
    (unreachable, rate limited, wrong key, quota).
    """

    LEFTOVERS = 100
    """External IDs that Clerk is asked for at a time."""

    def __init__(
        self,
        clerk: BackendClient,
        environment: str,
        origin: str,
        run_id: int,
        is_linked: Callable[[Sequence[str]], Awaitable[set[str]]],
    ) -> None:
        self._clerk = clerk
        self._environment = environment
        self._origin = origin
        self._run_id = run_id
        self._is_linked = is_linked
        self._adopted: set[str] = set()

    async def carry(self, user: SourceUser, create: Create) -> str:
        """Create the user in Clerk, or find the one that an earlier attempt created; the Clerk user id."""
        try:
            made = await self._create(user, create)
        except IdentifierExists:
            # An earlier attempt may have got through although its answer was lost (invariant 7). Which password
            # it carried is unknown, and the row may have changed since: so the row is sent again (invariant 4).
            found = await self._clerk.find_user_by_external_id(user.external_id)
            if found is None:
                raise NotCarried(REASONS["email_taken"]) from None
            await self._adopt(found, user)
            return await self.renew(found.id, user, create)
        except FeatureNotAvailable as error:
            raise NotCarried(REASONS["ban_not_available"] if create.banned else reason(error.code)) from error
        await self._settle(made, user, create)
        return made.id

    async def renew(self, clerk_id: str, user: SourceUser, create: Create) -> str:
        """Make a Clerk user that is not linked yet say what the row says now; the Clerk user id.

        Nobody may have signed in there meanwhile.
        """
        updated = await self._clerk.update_user(
            clerk_id,
            first_name=user.first_name or "",  # Clerk removes a name that is empty
            last_name=user.last_name or "",
            password_digest=user.password_digest,
            password_hasher=user.password_hasher if user.password_digest else None,
            totp_secret=create.totp_secret,
            backup_codes=create.backup_codes or None,
            bypass_client_trust=create.grace,
        )
        if updated.last_sign_in_at is not None:
            # By a password that was changed since, or without the second factor that the row has by now, and with a
            # session that would outlive the link (invariants 2 and 4).
            raise NotCarried(REASONS["clerk_user_in_use"])
        if user.password_digest is None and updated.password_enabled:
            await self._clerk.remove_password(clerk_id)  # the row's was cleared since (invariant 4)
        await self._settle(updated, user, create)
        return clerk_id

    async def withdraw_leftovers(self, external_ids: Sequence[str]) -> set[str]:
        """Remove the Clerk users that came from here for these rows (LEFTOVERS at most) and that no row is linked to.

        Left alone they would be reachable by a password that the row may not have any more, or without the second
        factor that it has (invariants 2 and 4). One that somebody has signed in to stays: what it has may be newer.
        The rows that Clerk has a user for, whatever became of it, come back.
        """
        found = await self._clerk.list_users(external_ids=external_ids, limit=len(external_ids))
        self._adopted.update(user.id for user in found if _is_adopted(user, self._origin))
        ours = [
            user.id
            for user in found
            if (came_from(user, self._origin) or user.id in self._adopted) and user.last_sign_in_at is None
        ]
        for clerk_id in set(ours) - await self._is_linked(ours):
            await self.withdraw(clerk_id)
        return {user.external_id for user in found if user.external_id is not None}

    async def withdraw(self, clerk_id: str) -> None:
        """Remove a Clerk user that no row is linked to; one that something else made loses what the row gave it."""
        with suppress(ResourceNotFound):
            if clerk_id not in self._adopted:
                await self._clerk.delete_user(clerk_id)
                return
            with suppress(NoPasswordSet):
                await self._clerk.remove_password(clerk_id)
            await self._clerk.disable_mfa(clerk_id)

    async def _adopt(self, found: User, user: SourceUser) -> None:
        """Make sure that the Clerk user with the row's external ID may be written over. Raises NotCarried."""
        refusal = obstacle(found, _address(user), user.email_verified, self._origin)
        if refusal is not None:
            raise NotCarried(refusal)
        if await self._is_linked([found.id]):
            raise NotCarried(REASONS["clerk_id_taken"])
        if not came_from(found, self._origin):
            self._adopted.add(found.id)
            await self._clerk.update_user_metadata(
                found.id, private_metadata={"migration_adopted": self._origin}
            )

    async def _create(self, user: SourceUser, create: Create) -> User:
        return await self._clerk.create_user(
            external_id=user.external_id,
            email_address=_address(user),
            email_status=_email_status(user),
            first_name=user.first_name,
            last_name=user.last_name,
            password_digest=user.password_digest,
            password_hasher=user.password_hasher if user.password_digest else None,
            skip_password_requirement=user.password_digest is None,
            totp_secret=create.totp_secret,
            backup_codes=create.backup_codes or None,
            created_at=user.created_at,
            private_metadata={
                "migration_environment": self._environment,
                "migration_database": self._origin,
                "migration_run": self._run_id,
            },
            banned=create.banned,
            bypass_client_trust=create.grace or None,
            skip_legal_checks=True,
        )

    async def _settle(self, clerk_user: User, user: SourceUser, create: Create) -> None:
        """Hold Clerk's answer against the row, and mend what differs."""
        await self._settle_factor(clerk_user, create)
        if clerk_user.banned is not create.banned:
            await self._set_ban(clerk_user.id, create.banned)
        await self._settle_email(clerk_user, user)

    async def _settle_factor(self, clerk_user: User, create: Create) -> None:
        if create.factor is None:
            if clerk_user.two_factor_enabled or clerk_user.totp_enabled or clerk_user.backup_code_enabled:
                await self._clerk.disable_mfa(clerk_user.id)  # the row's was removed since
            return
        if not (clerk_user.two_factor_enabled and clerk_user.totp_enabled):
            # Reachable by password alone (invariant 2): it must not stay, not even unlinked.
            await self.withdraw(clerk_user.id)
            raise NotCarried(REASONS["second_factor_not_taken"])
        if create.backup_codes and not clerk_user.backup_code_enabled:
            await self.withdraw(clerk_user.id)
            raise NotCarried(REASONS["backup_codes_not_taken"])
        if clerk_user.backup_code_enabled and not create.backup_codes:
            await self._clerk.delete_backup_codes(clerk_user.id)

    async def _set_ban(self, clerk_id: str, banned: bool) -> None:
        try:
            await (self._clerk.ban_user(clerk_id) if banned else self._clerk.unban_user(clerk_id))
        except FeatureNotAvailable as error:
            raise NotCarried(REASONS["ban_not_available"]) from error

    async def _settle_email(self, clerk_user: User, user: SourceUser) -> None:
        held = [e for e in clerk_user.email_addresses if same_mailbox(e.email_address, _address(user))]
        if not held:
            await self._replace_email(clerk_user, user)
        elif user.email_verified and not held[0].verified:
            await self._clerk.verify_email(held[0].id)
        elif held[0].verified and not user.email_verified:
            raise NotCarried(REASONS["email_wrongly_verified"])

    async def _replace_email(self, clerk_user: User, user: SourceUser) -> None:
        """The row's address has changed since the user was created."""
        try:
            await self._clerk.replace_email(clerk_user.id, _address(user), status=_email_status(user))
        except IdentifierExists as error:
            raise NotCarried(REASONS["email_taken"]) from error


def obstacle(found: User, address: str, verified: bool, origin: str) -> Reason | None:
    """Why a Clerk user with a row's external ID is not the row's to write over; None when it is.

    It is when an earlier attempt made it. One that something else made must have the row's address, as
    ids such as 1, 2, 3 are in every database, and must never have been used: what it has may be newer.
    """
    ours = came_from(found, origin) or _is_adopted(found, origin)
    elsewhere = (found.private_metadata or {}).get("migration_database") is not None
    same = [email for email in found.email_addresses if same_mailbox(email.email_address, address)]
    if not ours and (elsewhere or not same):
        return REASONS["external_id_taken"]
    if not ours and same[0].verified and not verified:
        return REASONS["email_wrongly_verified"]
    if found.last_sign_in_at is not None or (found.two_factor_enabled and not ours):
        return REASONS["clerk_user_in_use"]
    return None


def came_from(found: User, origin: str) -> bool:
    """Whether an import from this database made the Clerk user."""
    return (found.private_metadata or {}).get("migration_database") == origin


def _is_adopted(found: User, origin: str) -> bool:
    """Whether something else made the Clerk user, and an import from this database has written it over."""
    return (found.private_metadata or {}).get("migration_adopted") == origin


def not_carried(error: ClerkApiError) -> NotCarried:
    """Clerk's refusal of one user, as a reason."""
    return NotCarried(reason(error.code, ", ".join(sorted(error.params))))


def _email_status(user: SourceUser) -> EmailStatus:
    """Reserved is not proven, but usable to sign in, and nobody else's."""
    return "verified" if user.email_verified else "reserved"


def _address(user: SourceUser) -> str:
    assert user.email is not None, "the plan refuses users without an address"
    return user.email.strip()
