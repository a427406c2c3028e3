"""How fast requests may start."""

import asyncio
import math
from collections import deque
from contextlib import suppress

WINDOW = 10.0
"""Seconds over which Clerk counts requests (https://clerk.com/docs/guides/how-clerk-works/system-limits)."""
FILL = 0.993
"""Part of the limit that is used. The rest is room for the network, which delays requests unevenly, so that Clerk may
see more of them within ten seconds than were started within any; and for making up for stalls."""
TICK = 0.001
"""Seconds of the shortest sleep: uvloop's timers know whole milliseconds, a shorter one would spin."""
LATE = 0.005
"""Seconds that a timer may be late without the pace suffering."""
CATCH_UP = 1.25
"""Factor on the pace while behind schedule, after a pause or a stall of the process."""
LAG = 2.0
"""Seconds behind schedule that are made up for at most; the rest is lost."""
NOISE = 0.02
"""Part of the requests in a window that may be refused before that is taken for more than uneven delays."""
LEAST_NOISE = 3
"""Refusals in a window that are always taken for noise."""
CUT = 0.9
"""Factor on the pace when more are refused: something else is using the limit, too."""
RECOVERY = 0.01
"""Part of the limit that the pace regains in a window."""
LEAST = 0.1
"""Part of the limit that the pace never falls below."""
LONGEST_PAUSE = 60.0
"""Seconds that a refusal pauses everybody at most, whatever Clerk asks for."""


class RateLimiter:
    """Paces the start of requests below a limit that may be counted in fixed or in sliding windows.

    Starts are spaced evenly. A record of the starts within the last window keeps any window below the limit, also
    while a pause or a stall is made up for.

    A refused request (429) waits as long as Clerk asks before it is sent again. As long as few are refused, the others
    go on: Clerk's window was full for a moment, and `Retry-After` is in whole seconds, in each of which a hundred users
    could have been moved. When more are refused, all wait as long as Clerk asks, and the pace falls, at most once in a
    window, and recovers slowly.

    `limit` is in requests a second, None for no limit: then a refusal pauses everybody at once. Belongs to one
    event loop, and takes the time from it. Nothing polls: waiters queue on a lock, and its holder sleeps.
    """

    def __init__(self, limit: float | None) -> None:
        self.limit = _checked(limit)
        self.started = 0
        """Requests that were let through."""
        self.refused = 0
        """Requests that Clerk answered 429."""
        self._share = 1.0
        self._share_changed = float("-inf")
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._due = 0.0  # when the next request starts, if everything goes evenly
        self._spaced = 0.0  # before which it does not start, even when behind
        self._paused_until = 0.0
        self._starts: deque[float] = deque()
        self._refusals: deque[float] = deque()
        self._changed = asyncio.Event()

    @property
    def rate(self) -> float | None:
        """Requests a second that are let through at present; None without a limit."""
        return None if self.limit is None else self.limit * FILL * self._share

    async def acquire(self) -> None:
        """Wait until the next request may start, in the order of asking."""
        now = asyncio.get_running_loop().time
        if self.limit is None:
            while (pause := self._paused_until - now()) > 0:  # noqa: ASYNC110 - a pause may be prolonged
                await asyncio.sleep(pause)
            self.started += 1
            return
        if not self._waiting:
            # Nobody was kept waiting, so what was not used before is not owed.
            self._due = max(self._due, now() - LATE)
        self._waiting += 1
        try:
            async with self._turn:
                while (delay := self._delay(now())) > 0:
                    await self._sleep(max(delay, TICK))
                self._note_start(now())
        finally:
            self._waiting -= 1

    def change(self, limit: float | None) -> None:
        """Go by another limit from now on, also for those who wait already."""
        if limit == self.limit:
            return
        before, self.limit = self.limit, _checked(limit)
        if limit is not None and (pace := self.rate) is not None:
            next_start = asyncio.get_running_loop().time() + 1 / pace
            self._due, self._spaced = min(self._due, next_start), min(self._spaced, next_start)
            if before is None or limit < before:
                self._starts.clear()  # the limit before let them through, and this one begins anew
        self._changed.set()

    def refuse(self, retry_after: float) -> None:
        """Take note that Clerk answered 429 and asks to wait `retry_after` seconds."""
        now = asyncio.get_running_loop().time()
        self.refused += 1
        self._refusals.append(now)
        _forget(self._refusals, now - WINDOW)
        if self.limit is not None:
            if len(self._refusals) <= max(LEAST_NOISE, NOISE * len(self._starts)):
                return
            self._give_way(now)
        self._paused_until = max(self._paused_until, now + min(retry_after, LONGEST_PAUSE))

    async def _sleep(self, seconds: float) -> None:
        """Sleep, but not on when the limit is changed."""
        self._changed.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()

    def _delay(self, now: float) -> float:
        """Seconds until the next request may start, as it looks now."""
        if self.limit is None:
            return self._paused_until - now
        self._recover(now)
        _forget(self._starts, now - WINDOW)
        earliest = max(self._due, self._spaced, self._paused_until)
        if len(self._starts) >= max(1, int(self.limit * self._share * WINDOW)):
            earliest = max(earliest, self._starts[0] + WINDOW)
        return earliest - now

    def _note_start(self, now: float) -> None:
        self.started += 1
        if (pace := self.rate) is None:
            return
        interval = 1 / pace
        self._due = max(self._due, now - LAG) + interval
        self._spaced = max(self._spaced, now - LATE) + interval / CATCH_UP
        self._starts.append(now)

    def _give_way(self, now: float) -> None:
        if now - self._share_changed >= WINDOW:
            self._share = max(LEAST, self._share * CUT)
            self._share_changed = now

    def _recover(self, now: float) -> None:
        if self._share < 1 and now - self._share_changed >= WINDOW:
            self._share = min(1.0, self._share + RECOVERY)
            self._share_changed = now


def _checked(limit: float | None) -> float | None:
    if limit is not None and not 0 < limit < math.inf:
        raise ValueError("the limit must be more than 0 requests a second, and finite; None is none")
    return limit


def _forget(times: deque[float], before: float) -> None:
    while times and times[0] <= before:
        times.popleft()
