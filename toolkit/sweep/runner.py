"""Sweeps in rounds. One process sweeps a database at a time: the claim is an advisory lock."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from toolkit.clerk import BackendClient, ClerkError, ClerkUnavailable
from toolkit.database import queries
from toolkit.environment import Environment
from toolkit.errors import ToolkitError
from toolkit.standins import remove_left
from toolkit.sweep.signups import SETTLE, Connect, Ending, Signups

PAGE = 1000
"""Signups that one round looks at; the next takes the rest."""
OUTAGES = 3
"""Failures in a row after which a round ends: then it is Clerk that is out, and no trouble of one signup's."""

_log = structlog.get_logger("sweep")


class SweepBusy(ToolkitError):
    """Another process is sweeping this database at the moment, perhaps a BFF. Try again."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


@dataclass(slots=True)
class Swept:
    """What was swept, in numbers of signups, and of stand-ins that canaries left."""

    finished: int = 0
    """Verified in Clerk, and now in AX too."""
    undone: int = 0
    left: int = 0
    """Perhaps still in Clerk, or in both: the next sweep goes on."""
    stand_ins: int = 0
    """Removed from Clerk."""
    errors: list[str] = field(default_factory=list)
    """Why, in Clerk's words."""

    @property
    def ended(self) -> int:
        return self.finished + self.undone

    def count(self, ending: Ending) -> None:
        """Note what became of a signup."""
        match ending:
            case "finished":
                self.finished += 1
            case "undone":
                self.undone += 1
            case "waiting":
                self.left += 1
            case "went on":
                pass

    def fail(self, error: ClerkError) -> None:
        """Note that a signup could not be ended."""
        self.left += 1
        if str(error) not in self.errors:
            self.errors.append(str(error))


class Sweep:
    """Ends all that was left, a round at a time."""

    def __init__(self, connect: Connect, clerk: BackendClient) -> None:
        self._connect = connect
        self._clerk = clerk
        self._signups = Signups(connect, clerk)

    async def round(self, *, unverified: timedelta, settle: timedelta = SETTLE) -> Swept:
        """End signups that were left in the middle for `settle`, or without their code for `unverified`.

        Raises SweepBusy, DatabaseUnreachable and the like.
        """
        async with self._claim():
            swept = await self._end_signups(settle, unverified)
            if not swept.errors:
                await self._remove_stand_ins(swept)
            return swept

    async def until_done(self, *, unverified: timedelta) -> Swept:
        """Rounds until nothing more can be ended now. Raises as `round` does."""
        total = Swept()
        while True:
            swept = await self.round(unverified=unverified)
            total.finished += swept.finished
            total.undone += swept.undone
            total.stand_ins += swept.stand_ins
            total.left, total.errors = swept.left, swept.errors
            if swept.errors or not swept.ended or swept.ended + swept.left < PAGE:
                return total

    async def forever(self, *, every: timedelta, unverified: timedelta) -> None:
        """A round now and then, for a process that serves meanwhile: what fails is logged."""
        while True:
            await asyncio.sleep(every.total_seconds())
            try:
                _tell(await self.round(unverified=unverified))
            except SweepBusy:
                continue
            except ToolkitError as error:
                _log.warning("signups were not swept", error=str(error))
            except Exception:
                _log.exception("signups were not swept")

    async def _end_signups(self, settle: timedelta, unverified: timedelta) -> Swept:
        swept, outages = Swept(), 0
        signups = await self._signups.left(settle=settle, unverified=unverified, most=PAGE)
        for done, signup in enumerate(signups):
            if outages == OUTAGES:
                swept.left += len(signups) - done
                break
            try:
                swept.count(await self._signups.end(signup))
                outages = 0
            except ClerkError as error:
                swept.fail(error)
                outages = outages + 1 if isinstance(error, ClerkUnavailable) else 0
        return swept

    async def _remove_stand_ins(self, swept: Swept) -> None:
        async with self._connect() as connection:
            try:
                swept.stand_ins = await remove_left(connection, self._clerk)
            except ClerkError as error:
                swept.errors.append(str(error))

    @asynccontextmanager
    async def _claim(self) -> AsyncIterator[None]:
        """Be the only one that sweeps. Raises SweepBusy."""
        async with self._connect() as connection:
            if not await queries.claim_sweep(connection):
                raise SweepBusy
            try:
                yield
            finally:
                await queries.release_sweep(connection)


def _tell(swept: Swept) -> None:
    if swept.ended or swept.left:
        _log.info("signups swept", finished=swept.finished, undone=swept.undone, left=swept.left)
    if swept.stand_ins:
        _log.info("stand-ins of canaries removed", stand_ins=swept.stand_ins)
    for text in swept.errors:
        _log.warning("something could not be swept", error=text)


async def count_open(environment: Environment) -> int:
    """Signups that have not ended."""
    async with environment.connect() as connection:
        signups: int = await queries.open_signups(connection)
    return signups


async def run_sweep(environment: Environment, unverified_hours: float | None = None) -> Swept:
    """Sweep an environment until nothing more is to be done now. Raises SweepBusy, ClerkNotConfigured, …"""
    settings = environment.playbook.bff.signup
    hours = settings.unverified_hours if unverified_hours is None else unverified_hours
    async with (
        environment.pool(2) as connections,
        BackendClient(environment.clerk, deadline=settings.clerk_seconds) as clerk,
    ):
        return await Sweep(connections.acquire, clerk).until_done(unverified=timedelta(hours=hours))
