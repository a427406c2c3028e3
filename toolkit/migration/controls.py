"""What an import is told while it runs: to stop, to pause, to go at another pace.

The first comes from a signal or from what went wrong, the others from the switches `import` and `import_rate`, which
are looked at several times a second.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from toolkit import switches
from toolkit.clerk import BackendClient
from toolkit.database import Connection
from toolkit.environment import Environment
from toolkit.errors import ToolkitError
from toolkit.migration.observer import Observer, Pause


class Stop:
    """Asked to stop: what is in flight ends, nothing new begins."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self.because: ToolkitError | None = None

    def __call__(self, because: ToolkitError | None = None) -> None:
        """Stop; `because` is raised at the end."""
        self.because = self.because or because
        self._event.set()

    def __bool__(self) -> bool:
        return self._event.is_set()

    async def within(self, seconds: float) -> bool:
        """Wait so long for it; whether it came."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._event.wait()
        return bool(self)


class Controls:
    """Has an import go by the switches. `own_rate` is its limit as long as import_rate says nothing else."""

    SECONDS = 0.3
    """How often the switches are looked at."""

    def __init__(
        self,
        environment: Environment,
        clerk: BackendClient,
        stop: Stop,
        observer: Observer,
        *,
        own_rate: float | None,
    ) -> None:
        self._environment = environment
        self._clerk = clerk
        self._stop = stop
        self._observer = observer
        self._own_rate = own_rate
        self._pause: Pause | None = None
        self._looked = asyncio.Event()
        self._going = asyncio.Event()

    @asynccontextmanager
    async def heeded(self) -> AsyncIterator[None]:
        """Go by the switches meanwhile. If they can't be read any more, the import is stopped."""
        looking = asyncio.create_task(self._look_until_stopped())
        try:
            await self._looked.wait()
            yield
        finally:
            looking.cancel()
            with suppress(asyncio.CancelledError):
                await looking

    @property
    def paused(self) -> bool:
        return self._pause is not None

    async def may_go(self) -> None:
        """Return when the import is not paused, or is to stop."""
        await self._going.wait()

    async def _look_until_stopped(self) -> None:
        try:
            async with self._environment.connect() as connection:
                while not self._stop:
                    await self._look(connection)
                    self._looked.set()
                    await self._stop.within(self.SECONDS)
        except ToolkitError as error:
            self._stop(error)
        finally:
            self._looked.set()
            self._going.set()

    async def _look(self, connection: Connection) -> None:
        found = {switch.name: switch for switch in await switches.current(connection)}
        self._heed_rate(found[switches.RATE].value)
        switch = found["import"]
        self._heed_pause(Pause(switch.by or "", switch.since) if switch.value == "paused" else None)

    def _heed_rate(self, value: str) -> None:
        limit = limit_of(value, self._own_rate)
        if limit != self._clerk.limiter.limit:
            self._clerk.change_rate(limit)
            self._observer.paced(limit)

    def _heed_pause(self, pause: Pause | None) -> None:
        if pause is None:
            self._going.set()
        else:
            self._going.clear()
        if pause != self._pause:
            self._pause = pause
            if pause is None:
                self._observer.resumed()
            else:
                self._observer.paused(pause)


def limit_of(import_rate: str, own: float | None) -> float | None:
    """Requests a second at most, by the switch import_rate and the import's own rate."""
    return own if import_rate == switches.DEFAULT else float(import_rate)
