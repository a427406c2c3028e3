"""A circuit breaker: while an API is out it is not asked, and callers are told so at once instead of waiting."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Literal

from toolkit.clerk.errors import ClerkAnswerUnexpected, ClerkCircuitOpen, ClerkUnavailable

FAILURES = 5
"""Outages in a row after which it opens."""
OPEN_SECONDS = 5.0
"""Time until one call may try again."""

State = Literal["closed", "open", "half_open"]


class CircuitBreaker:
    """Opens after FAILURES outages (ClerkUnavailable) in a row. After OPEN_SECONDS one call may probe; an answer closes
    it, a refusal too.

    Two things count neither way. A call that is cancelled: the next one may probe in its place. And an answer that isn't
    Clerk's (ClerkAnswerUnexpected): it came in time, and may concern one user only, say a firewall that takes offence at
    one password. Everybody else must not be refused for that.

    `clock` gives seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._open_until: float | None = None
        self._probing = False

    @property
    def state(self) -> State:
        """`half_open` when a call may probe, or does."""
        if self._open_until is None:
            return "closed"
        return "open" if self._clock() < self._open_until else "half_open"

    @asynccontextmanager
    async def call(self) -> AsyncIterator[None]:
        """Put this around a call. Raises ClerkCircuitOpen when Clerk is not to be asked now."""
        probe = self._admit()
        try:
            yield
        except ClerkAnswerUnexpected:
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

    def _fail(self) -> None:
        self._failures += 1
        if self._failures >= FAILURES:
            self._open_until = self._clock() + OPEN_SECONDS

    def _succeed(self) -> None:
        self._failures = 0
        self._open_until = None
