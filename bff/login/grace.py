"""The grace that an import gives: Clerk's Device Trust lets a user in on the first device, and on others no more.

It ends in the background, after the login that made the device known: nobody waits for it, and no login fails with it.
"""

import asyncio

import structlog

from bff.database import Database
from toolkit.clerk import BackendClient, ClerkError, ResourceNotFound
from toolkit.database import queries
from toolkit.errors import ToolkitError

_log = structlog.get_logger("bff")


class DeviceGrace:
    """Ends graces. Without a client (Clerk is not configured) nobody has logged in there."""

    def __init__(self, clerk: BackendClient | None, database: Database) -> None:
        self._clerk = clerk
        self._database = database
        self._ending: set[asyncio.Task[None]] = set()

    def end(self, clerk_id: str | None) -> None:
        """End a user's grace, if it runs, without waiting for it; for None, do nothing."""
        if clerk_id is None or self._clerk is None:
            return
        task = asyncio.create_task(self._end(self._clerk, clerk_id))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def close(self) -> None:
        """Wait for what is still being ended."""
        await asyncio.gather(*self._ending, return_exceptions=True)

    async def _end(self, clerk: BackendClient, clerk_id: str) -> None:
        try:
            async with self._database.connection() as connection:
                runs = await queries.grace_runs(connection, clerk_id=clerk_id)
            if not runs:
                return
            await self._tell(clerk, clerk_id)
            async with self._database.connection() as connection:
                await queries.end_grace(connection, clerk_id=clerk_id)
        except ToolkitError as error:  # the next login tries again
            trace_id = error.trace_id if isinstance(error, ClerkError) else None
            _log.warning("device grace not ended", error=str(error), trace_id=trace_id)

    async def _tell(self, clerk: BackendClient, clerk_id: str) -> None:
        try:
            await clerk.update_user(clerk_id, bypass_client_trust=False)
        except ResourceNotFound:
            return  # there is nobody left to ask for a code
