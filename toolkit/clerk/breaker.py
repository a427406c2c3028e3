"""A circuit breaker: an API that is out is left alone for a while, and everybody told so at once."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Literal

from toolkit.clerk.errors import ClerkAnswerUnexpected, ClerkCircuitOpen, ClerkUnavailable

FAILURES = 5
"""Outages in a row that open it."""
OPEN_SECONDS = 5.0
"""Time until one call may try again."""

State = Literal["closed", "open", "half_open"]


class CircuitBreaker:
    """Opens after FAILURES outages (ClerkUnavailable) in a row; after OPEN_SECONDS one call probes, and its answer
    closes it. What Clerk refuses is an answer. A call that is cancelled says nothing, and gives its probe back; nor does
    an answer that is not Clerk's (ClerkAnswerUnexpected): nobody waited for it, and it may be about one user, or what a
    firewall thinks of one password, for which not everybody is to be refused.

    `clock` tells seconds that only go forward.
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
        """Around a call. Raises ClerkCircuitOpen when there is to be none now."""
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
