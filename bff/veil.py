"""Answers that must not tell by their time, or by their words, what was looked at (invariant 9).

An answer under a veil leaves at a multiple of the veil's seconds after its request came. Where most take less than one
such step, all leave after exactly one. If some come to take longer (Clerk is slow, Argon2 busy), then for a while all are
as late as the latest of those, whichever path they took:

    async with veil.refusals(CredentialsInvalid):   # only what is refused is held back
        …
    async with veil.answers(CodeInvalid):           # what succeeds, too: it may look so for nobody
        …

What only one path can be refused with (`Unexplained`) is told as the refusal that is given here.
"""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from bff.refusals import CodeInvalid, CredentialsInvalid, Unavailable, Unexplained

SLOW_SECONDS = 60.0
"""How long all are as late as the latest was: so often, and no oftener, lateness itself tells something."""
MOST_STEPS = 10
"""What takes more steps than this makes no others late."""

Instead = type[CredentialsInvalid] | type[CodeInvalid]


class Veil:
    """One for a flow, in each process. `seconds` is a step; with 0 nothing is held back."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._steps = 1
        self._slow_until = -math.inf

    @asynccontextmanager
    async def refusals(self, instead: Instead | None = None) -> AsyncIterator[float]:
        """Hold back what goes wrong; the moment at which it began."""
        started = self._clock()
        try:
            yield started
        except Unexplained as refusal:
            await self.until_due(started)
            if instead is None:
                raise
            raise instead(refusal.outcome) from None
        except Exception as error:
            # An outage is quickly told, and makes no others late.
            await self.until_due(started, lasting=not isinstance(error, Unavailable))
            raise

    @asynccontextmanager
    async def answers(self, instead: Instead | None = None) -> AsyncIterator[None]:
        """Hold back whatever is answered."""
        async with self.refusals(instead) as started:
            yield
        await self.until_due(started)

    async def until_due(self, started: float, *, lasting: bool = True) -> None:
        """Wait until an answer may leave; `lasting` when its lateness holds up others from now on."""
        if not self._seconds:
            return
        due = self.due(started, lasting=lasting)
        while (left := due - self._clock()) > 0:  # noqa: ASYNC110 - a timer may fire a little early
            await asyncio.sleep(left)

    def due(self, started: float, *, lasting: bool = True) -> float:
        """When an answer may leave that is ready now.

        A whole millisecond, since timers count in these: how late one fires would tell when it was set.
        """
        now = self._clock()
        needed = max(1, math.ceil((now - started) / self._seconds))
        if now >= self._slow_until:
            self._steps = 1
        if lasting and max(2, self._steps) <= needed <= MOST_STEPS:
            self._steps, self._slow_until = needed, now + SLOW_SECONDS
        return math.ceil((started + max(needed, self._steps) * self._seconds) * 1000) / 1000
