"""Clerk locks a user after too many wrong passwords and codes, whoever typed them. So that no stranger shuts somebody out,
Clerk is not asked any more about a user before it would lock: on devices that the user is not known on long before, on
those that they are known on just before, and in between for somebody who has a session, which can be stolen.

Whoever forgot their password has tried a few, so codes of resets count apart from passwords. As anybody may begin a reset,
they also count by network: a stranger with one leaves some to the owner.

What is refused here looks like a wrong password (invariant 9). Passwords and codes that were right begin the count anew.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import structlog

from bff.accounts import Account
from bff.limits import Limits
from bff.proof.systems import Trust
from bff.refusals import AuthenticationUnavailable, CodeInvalid, CredentialsInvalid, TooManyAttempts
from bff.visitor import Visitor
from toolkit.clerk import ClerkError, FrontendClient, UserLockout
from toolkit.playbook.limits import LimitName

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
    async def guarding(self, account: Account, trust: Trust, visitor: Visitor) -> AsyncIterator[None]:
        """Around what Clerk counts if it is wrong. Raises CredentialsInvalid when Clerk is not to be asked any more."""
        await self._spend(account, trust, visitor)
        try:
            yield
        except (CredentialsInvalid, CodeInvalid):
            raise
        except (TooManyAttempts, AuthenticationUnavailable) as refused:
            await (self._forgive if refused.asked else self.take_back)(account, trust, visitor)
            raise
        except Exception:  # nothing was wrong
            await self.take_back(account, trust, visitor)
            raise

    async def _spend(self, account: Account, trust: Trust, visitor: Visitor) -> None:
        """Count a password or a code before Clerk is asked. Raises CredentialsInvalid when Clerk is not to be asked."""
        if not self._settings.enabled:
            return
        spent: list[tuple[LimitName, object]] = []
        for name, key in _counted(account, trust, visitor):
            try:
                await self._limits.spend_within(name, key, self._most(name, trust))
            except TooManyAttempts:
                await self._limits.take_back(*spent)
                raise CredentialsInvalid("guarded") from None
            spent.append((name, key))

    async def take_back(self, account: Account, trust: Trust, visitor: Visitor) -> None:
        """It was no failure, or Clerk did not look at it."""
        await self._limits.take_back(*_counted(account, trust, visitor))

    async def _forgive(self, account: Account, trust: Trust, visitor: Visitor) -> None:
        """Clerk was asked, and did not answer: a few of these count for nothing, and more as if they were wrong."""
        with suppress(TooManyAttempts):
            await self._limits.spend(("clerk_unanswered_by_user", account.id))
            await self.take_back(account, trust, visitor)

    async def forget(self, account: Account, visitor: Visitor) -> None:
        """The user got in: Clerk begins anew, and so do we."""
        await self._limits.forget(
            *{
                counted
                for trust in ("none", "reset", "session", "device")
                for counted in _counted(account, trust, visitor)
            }
        )

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

    def _most(self, name: LimitName, trust: Trust) -> int:
        """How many failures Clerk is asked about: the limit says it for an instance with the usual threshold."""
        threshold = self._settings.max_attempts
        most = min(threshold - 1, self._limits[name].attempts * threshold // USUAL.max_attempts)
        if name == "clerk_any_failure_by_user" and trust == "session":
            most -= 2 * threshold // USUAL.max_attempts
        return max(1, most)


def _counted(account: Account, trust: Trust, visitor: Visitor) -> Sequence[tuple[LimitName, object]]:
    """What a failure counts under, the narrowest first: who may not try any more uses up nothing of the others'."""
    in_all: tuple[LimitName, object] = ("clerk_any_failure_by_user", account.id)
    match trust:
        case "none":
            return ("clerk_failure_by_user", account.id), in_all
        case "reset":
            return (
                ("clerk_reset_failure_by_address", f"{account.id} from {visitor.network}"),
                ("clerk_reset_failure_by_user", account.id),
                in_all,
            )
        case "session" | "device":
            return (in_all,)
