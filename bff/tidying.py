"""Forgetting what has expired: challenges, devices, attempts, codes, events. Any replica does it, and it does not matter which."""

import asyncio
from functools import partial

import structlog

from bff.database import Database
from bff.parts import Parts
from toolkit.database import queries
from toolkit.errors import ToolkitError

SECONDS = 600.0
"""Between two rounds."""

_log = structlog.get_logger("bff")


def mount(parts: Parts) -> None:
    """Tidy up as long as the server runs."""
    parts.run(partial(_keep_tidying, parts.database))


async def _keep_tidying(database: Database) -> None:
    while True:
        await asyncio.sleep(SECONDS)
        try:
            async with database.connection() as connection:
                await queries.forget_expired_challenges(connection)
                await queries.forget_expired_devices(connection)
                await queries.forget_old_attempts(connection)
                await queries.forget_spent_codes(connection)
                await queries.forget_old_events(connection)
        except ToolkitError as error:
            _log.warning("nothing was tidied up", error=str(error))
        except Exception:
            _log.exception("nothing was tidied up")
