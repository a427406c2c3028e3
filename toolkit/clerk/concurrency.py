"""How many requests may be in flight at once."""

import asyncio
import math
from typing import Self

LEAST = 8
MOST = 512
"""Each request in flight is a connection, and processes are commonly allowed 1024 open files."""
START = 32
LATENCY = 5.12
"""Seconds of latency that a paced client allows for: at 100 requests a second, that is 512 in flight."""
PROBE = 100
"""Rounds after which the latency without a queue is measured afresh; a round is as many answers as there is room."""


class InFlightLimit:
    """Room for requests in flight, as an async context manager, that finds by itself how much is worth it.

    It watches the latency, as TCP Vegas does: the lowest seen is that of a server without a queue, so of N
    requests in flight about N x (1 - lowest / latency) are waiting somewhere. It grows while few wait, shrinks when
    many do, and halves when told of an overload. Belongs to one event loop.
    """

    def __init__(self, start: int = START, *, least: int = LEAST, most: int = MOST) -> None:
        self.size = start
        """Requests that may be in flight at present."""
        self.most = most
        """Requests that may ever be in flight."""
        self._least = least
        self._room = asyncio.Semaphore(start)
        self._excess = 0  # room in use that is not given back, because the limit has shrunk
        self._lowest = math.inf
        self._rounds = 0
        self._latencies = 0.0
        self._answers = 0
        self._halved = False

    @classmethod
    def for_rate(cls, limit: float | None) -> Self:
        """A fixed number that leaves `limit` requests a second alone, or one that adapts when there is no limit."""
        if limit is None:
            return cls()
        size = _size_for(limit)
        return cls(size, least=size, most=size)

    def fit(self, limit: float | None) -> None:
        """Find, from the next round on, the room that `for_rate` gives for this limit."""
        if limit is None:
            self._least, self.most = LEAST, MOST
        else:
            self._least = self.most = _size_for(limit)

    async def __aenter__(self) -> None:
        await self._room.acquire()

    async def __aexit__(self, *_: object) -> None:
        if self._excess:
            self._excess -= 1
        else:
            self._room.release()

    def answered(self, latency: float) -> None:
        """Take note of an answer that came after `latency` seconds; to be called while in flight."""
        self._latencies += latency
        self._answers += 1
        if self._answers >= self.size:
            self._adapt(self._latencies / self._answers)
            self._latencies, self._answers, self._halved = 0.0, 0, False

    def overloaded(self) -> None:
        """Take note that the server refused a request, failed or did not answer; once in a round it counts."""
        if not self._halved:
            self._resize(self.size // 2)
            self._halved = True

    def _adapt(self, latency: float) -> None:
        """End a round of answers with this mean latency."""
        self._rounds += 1
        self._lowest = min(self._lowest, latency)
        waiting = self.size * (1 - self._lowest / latency)
        step = math.ceil(math.sqrt(self.size))
        if self._rounds % PROBE == 0:
            self._lowest = math.inf
            self._resize(self.size // 2)
        elif waiting > 2 * step:
            self._resize(self.size - step)
        elif waiting < step and self._room.locked():
            self._resize(self.size + (self.size // 2 if waiting < 1 else step))

    def _resize(self, size: int) -> None:
        size = min(self.most, max(self._least, size))
        change, self.size = size - self.size, size
        self._excess -= change
        while self._excess < 0:
            self._excess += 1
            self._room.release()


def _size_for(limit: float) -> int:
    return min(MOST, max(LEAST, math.ceil(limit * LATENCY)))
