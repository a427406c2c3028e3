"""A process that sweeps while it serves."""

import asyncio
from contextlib import suppress
from datetime import timedelta

from structlog.testing import capture_logs

from toolkit.database import DatabaseUnreachable
from toolkit.sweep.runner import Sweep, SweepBusy, Swept
from toolkit.sweep.signups import SETTLE


class Meeting(Sweep):
    """Its rounds meet with one thing after the other; then `through` is set."""

    def __init__(self, *meets: Exception | Swept) -> None:
        self.meets = list(meets)
        self.through = asyncio.Event()

    async def round(self, *, unverified: timedelta, settle: timedelta = SETTLE) -> Swept:
        if not self.meets:
            self.through.set()
            return Swept()
        met = self.meets.pop(0)
        if isinstance(met, Exception):
            raise met
        return met


async def test_it_goes_on_and_tells_whatever_a_round_meets_with() -> None:
    sweep = Meeting(
        DatabaseUnreachable("No connection."),
        SweepBusy(),
        ValueError("It breaks."),
        Swept(undone=1, left=1, errors=["Clerk is out."]),
    )
    with capture_logs() as log:
        sweeping = asyncio.create_task(sweep.forever(every=timedelta(0), unverified=timedelta(1)))
        through = asyncio.create_task(sweep.through.wait())
        await asyncio.wait([sweeping, through], return_when=asyncio.FIRST_COMPLETED)
        sweeping.cancel()
        with suppress(asyncio.CancelledError):
            await sweeping
    assert through.done()
    told = [(entry["event"], entry.get("error")) for entry in log]
    assert told == [
        ("signups were not swept", "No connection."),
        ("signups were not swept", None),
        ("signups swept", None),
        ("something could not be swept", "Clerk is out."),
    ], "that another process sweeps is nothing to tell"
