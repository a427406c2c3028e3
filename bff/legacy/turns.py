"""Turns at something scarce, fair by network: who asks again and again waits for themselves, and for nobody else."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bff.refusals import Crowded


class Turns:
    """`at_once` have a turn at a time, and `most_waiting` more may wait. The networks that wait are served in rotation.

    Where no more may wait, whoever comes takes the place of the last in the longest line, unless their own is as long.
    """

    def __init__(self, at_once: int, most_waiting: int) -> None:
        self._free = at_once
        self._taken = 0
        self._most_waiting = most_waiting
        self._lines: OrderedDict[str | None, deque[asyncio.Future[None]]] = OrderedDict()

    @property
    def pending(self) -> int:
        """How many have a turn, or wait for one."""
        return self._taken + self._waiting

    def crowded(self, network: str | None) -> bool:
        """Whether somebody of this network would be turned away now."""
        if self._waiting < self._most_waiting:
            return False
        return len(self._lines.get(network, ())) + 1 >= max(map(len, self._lines.values()), default=0)

    @asynccontextmanager
    async def turn(self, network: str | None) -> AsyncIterator[None]:
        """Wait for a turn, and have it. Raises Crowded when too many wait."""
        if self._free:
            self._free -= 1
        else:
            await self._wait(network)
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1
            self._pass_on()

    @property
    def _waiting(self) -> int:
        return sum(map(len, self._lines.values()))

    async def _wait(self, network: str | None) -> None:
        if self.crowded(network):
            raise Crowded
        if self._waiting >= self._most_waiting:
            self._turn_last_away()
        turn = asyncio.get_running_loop().create_future()
        self._lines.setdefault(network, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn in self._lines.get(network, ()):
                self._leave(network, turn)
            elif not turn.cancelled() and turn.exception() is None:  # it had come just now
                self._pass_on()
            raise

    def _turn_last_away(self) -> None:
        network, line = max(self._lines.items(), key=lambda item: len(item[1]))
        turn = line[-1]
        self._leave(network, turn)
        if not turn.done():
            turn.set_exception(Crowded())

    def _leave(self, network: str | None, turn: asyncio.Future[None]) -> None:
        line = self._lines[network]
        line.remove(turn)
        if not line:
            del self._lines[network]

    def _pass_on(self) -> None:
        """Let the first of the next line have the turn; that line is the last from then on."""
        while self._lines:
            network, line = self._lines.popitem(last=False)
            turn = line.popleft()
            if line:
                self._lines[network] = line
            if not turn.done():  # else they went away just now
                turn.set_result(None)
                return
        self._free += 1
