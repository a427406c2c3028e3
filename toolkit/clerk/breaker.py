"""A circuit breaker: while an API is out it is not asked, and callers are told so at once instead of waiting."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Literal

from toolkit.clerk.errors import ClerkAnswerUnexpected, ClerkCircuitOpen, ClerkRateLimited, ClerkUnavailable

FAILURES = 5
"""Outages in a row after which it opens; or people in a row whom nothing but odd answers came for."""
ODD_SECONDS = 60.0
"""How long an odd answer is remembered."""
OPEN_SECONDS = 5.0
"""Time until one call may try again."""

State = Literal["closed", "open", "half_open"]


class CircuitBreaker:
    """Opens after FAILURES outages (ClerkUnavailable) in a row. After OPEN_SECONDS one call may probe; an answer closes
    it, a refusal too.

    Two things count neither way. A call that is cancelled: the next one may probe in its place. And an odd answer, which is
    not Clerk's (ClerkAnswerUnexpected) or 429 (ClerkRateLimited): it came in time, and may concern one person only, say a
    firewall that takes offence at one password, or somebody who asked Clerk too often past us. Everybody else must not be
    refused for that. But in its own outages Clerk answers 429 to nearly all. So odd answers to FAILURES different people,
    with nothing else in between, open it, too; and before anything else was ever answered, each of them is an outage.

    `clock` gives seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._open_until: float | None = None
        self._probing = False
        self._odd: dict[str, float] = {}
        self._answered = False

    @property
    def state(self) -> State:
        """`half_open` when a call may probe, or does."""
        if self._open_until is None:
            return "closed"
        return "open" if self._clock() < self._open_until else "half_open"

    @asynccontextmanager
    async def call(self, whose: str | None = None) -> AsyncIterator[None]:
        """Put this around a call; `whose` is the network of the person whom it is for, if it is for one.

        Raises ClerkCircuitOpen when Clerk is not to be asked now, and ClerkUnavailable in place of an odd answer that is an
        outage.
        """
        probe = self._admit()
        try:
            yield
        except (ClerkAnswerUnexpected, ClerkRateLimited) as error:
            if whose is not None and self._is_outage(whose):
                raise _outage(error) from error
            raise
        except ClerkUnavailable:
            self._fail()
            raise
        except Exception:
            self._succeed()
            raise
        else:
            self._succeed()
        finally:
            if probe:
                self._probing = False

    def _admit(self) -> bool:
        """Whether the call is the probe."""
        if self._open_until is None:
            return False
        left = self._open_until - self._clock()
        if left > 0 or self._probing:
            raise ClerkCircuitOpen(max(left, 1.0))
        self._probing = True
        return True

    def _is_outage(self, whose: str) -> bool:
        """Whether an odd answer is not about the person alone."""
        now = self._clock()
        self._odd = {other: at for other, at in self._odd.items() if at > now - ODD_SECONDS} | {whose: now}
        if len(self._odd) >= FAILURES:
            self._open_until = now + OPEN_SECONDS
        return self._open_until is not None or not self._answered

    def _fail(self) -> None:
        self._failures += 1
        if self._failures >= FAILURES:
            self._open_until = self._clock() + OPEN_SECONDS

    def _succeed(self) -> None:
        self._answered = True
        self._odd.clear()
        self._failures = 0
        self._open_until = None


def _outage(error: ClerkAnswerUnexpected | ClerkRateLimited) -> ClerkUnavailable:
    outage = ClerkUnavailable(str(error), retry_after=error.retry_after)
    outage.attempts, outage.maybe_applied = error.attempts, error.maybe_applied
    return outage
