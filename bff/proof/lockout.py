"""Clerk locks a user after too many wrong passwords and codes, whoever typed them. So that no stranger shuts somebody out,
Clerk is not asked any more about a user before it would lock: on devices that the user is not known on long before, on
those that they are known on just before, and in between for
somebody who has a session, which can be stolen, or has begun a reset: whoever forgot their password has tried a few.

What is refused here looks like a wrong password (invariant 9). Passwords and codes that were right begin the count anew.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog

from bff.accounts import Account
from bff.limits import Limits
from bff.proof.systems import Trust
from bff.refusals import AuthenticationUnavailable, CodeInvalid, CredentialsInvalid, TooManyAttempts
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

    @asynccontextmanager
    async def guarding(self, account: Account, trust: Trust) -> AsyncIterator[None]:
        """Around what Clerk counts if it is wrong. Raises CredentialsInvalid when Clerk is not to be asked any more."""
        await self._spend(account, trust)
        try:
            yield
        except (CredentialsInvalid, CodeInvalid):
            raise
        except (TooManyAttempts, AuthenticationUnavailable) as refused:
            await (self._forgive if refused.asked else self.take_back)(account)
            raise
        except Exception:  # nothing was wrong
            await self.take_back(account)
            raise

    async def _spend(self, account: Account, trust: Trust) -> None:
        """Count a password or a code before Clerk is asked. Raises CredentialsInvalid when Clerk is not to be asked."""
        most = self._most(trust)
        if most is None:
            return
        try:
            await self._limits.spend_within("clerk_failure_by_user", account.id, most)
        except TooManyAttempts:
            raise CredentialsInvalid("guarded") from None

    async def take_back(self, account: Account) -> None:
        """It was no failure, or Clerk did not look at it."""
        await self._limits.take_back("clerk_failure_by_user", account.id)

    async def _forgive(self, account: Account) -> None:
        """Clerk was asked, and did not answer: a few of these count for nothing, and more as if they were wrong."""
        with suppress(TooManyAttempts):
            await self._limits.spend(("clerk_unanswered_by_user", account.id))
            await self.take_back(account)

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

    def _most(self, trust: Trust) -> int | None:
        """How many failures Clerk is asked about; None on an instance that locks nobody."""
        if not self._settings.enabled:
            return None
        threshold = self._settings.max_attempts
        most = threshold - 1
        strangers = min(
            most, self._limits["clerk_failure_by_user"].attempts * threshold // USUAL.max_attempts
        )
        between = (strangers + most) // 2
        shares: dict[Trust, int] = {"none": strangers, "reset": between, "session": between, "device": most}
        return max(1, shares[trust])
