"""Forgetting what has expired: challenges, devices, attempts, codes, events, changes. Any replica does it, and it does not matter which."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import structlog

from bff.database import Database
from bff.parts import Parts
from toolkit.database import queries
from toolkit.errors import ToolkitError

SECONDS = 600.0
"""Between two rounds."""
AT_ONCE = 5000
"""Rows that one statement deletes: few enough for it to end in time, however many there are."""

Forget = Callable[..., Awaitable[int]]
"""A query that deletes `most` rows at most, passing by those that another replica is at; how many they were."""

_log = structlog.get_logger("bff")


def mount(parts: Parts) -> None:
    """Tidy up as long as the server runs."""
    parts.run(
        partial(
            keep_forgetting,
            parts.database,
            queries.forget_expired_challenges,
            queries.forget_expired_devices,
            queries.forget_old_attempts,
            queries.forget_spent_codes,
            queries.forget_old_events,
            queries.forget_shelved_changes,
        )
    )


async def keep_forgetting(database: Database, *forgetting: Forget) -> None:
    """Have these queries delete what they find, now and every ten minutes; none is held up by another that fails."""
    while True:
        for forget in forgetting:
            await _forget_all(database, forget)
        await asyncio.sleep(SECONDS)


async def _forget_all(database: Database, forget: Forget) -> None:
    try:
        while await _forget_some(database, forget) == AT_ONCE:
            pass
    except ToolkitError as error:
        _log.warning("something was not tidied up", query=forget.__name__, error=str(error))
    except Exception:
        _log.exception("something was not tidied up", query=forget.__name__)


async def _forget_some(database: Database, forget: Forget) -> int:
    async with database.connection() as connection:
        return await forget(connection, most=AT_ONCE)
