"""Clerk locks a user after too many wrong passwords and codes, whoever typed them. So that no stranger shuts somebody out,
Clerk is not asked any more about a user before it would lock: on devices that the user is not known on long before, on
those that they are known on just before.

What is refused here looks like a wrong password (invariant 9). Passwords and codes that were right begin the count anew.
"""

import asyncio

import structlog

from bff.accounts import Account
from bff.limits import Limits
from bff.refusals import CredentialsInvalid, TooManyAttempts
from toolkit.clerk import ClerkError, FrontendClient, UserLockout

USUAL = UserLockout(enabled=True, max_attempts=10, duration_in_minutes=60)
"""What new instances say (https://clerk.com/docs/guides/secure/user-lockout)."""
SECONDS = 300.0
"""Between two questions after the instance's own number."""

_log = structlog.get_logger("bff")


class Lockout:
    """Counts what Clerk would count."""

    def __init__(self, limits: Limits, frontend: FrontendClient | None) -> None:
        self._limits = limits
        self._frontend = frontend
        self._settings = USUAL

    async def spend(self, account: Account, *, known_device: bool) -> None:
        """Count a password or a code before Clerk is asked. Raises CredentialsInvalid when Clerk is not to be asked."""
        most = self._most(known_device=known_device)
        if most is None:
            return
        try:
            await self._limits.spend_within("clerk_failure_by_user", account.id, most)
        except TooManyAttempts:
            raise CredentialsInvalid("guarded") from None

    async def take_back(self, account: Account) -> None:
        """It was no failure, or Clerk did not look at it."""
        await self._limits.take_back("clerk_failure_by_user", account.id)

    async def forget(self, account: Account) -> None:
        """The user got in: Clerk begins anew, and so do we."""
        await self._limits.forget("clerk_failure_by_user", account.id)

    async def keep_informed(self) -> None:
        """Ask the instance for its number, now and then; until it answers, the usual one counts."""
        while self._frontend is not None:
            try:
                settings = await self._frontend.environment()
            except ClerkError as error:
                _log.warning("clerk does not say when it locks users", error=str(error))
            else:
                self._settings = settings.user_settings.attack_protection.user_lockout
            await asyncio.sleep(SECONDS)

    def _most(self, *, known_device: bool) -> int | None:
        """How many failures Clerk is asked about; None on an instance that locks nobody."""
        if not self._settings.enabled:
            return None
        threshold = self._settings.max_attempts
        strangers = self._limits["clerk_failure_by_user"].attempts * threshold // USUAL.max_attempts
        return max(1, threshold - 1 if known_device else min(strangers, threshold - 1))
