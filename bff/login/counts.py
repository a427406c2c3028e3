"""Logins counted by path and outcome: by the day in Postgres, where the gates of the cutover read them, and as a metric."""

import structlog
from prometheus_client import CollectorRegistry, Counter

from bff.database import Database
from toolkit.database import queries
from toolkit.errors import ToolkitError

_log = structlog.get_logger("bff")


class LoginCounts:
    """A login that can't be counted goes on all the same: what was decided stands."""

    def __init__(self, database: Database, registry: CollectorRegistry) -> None:
        self._database = database
        self._metric = Counter(
            "bff_logins", "Logins by path and outcome.", ["path", "outcome"], registry=registry
        )

    async def add(self, path: str, outcome: str) -> None:
        """Count one."""
        self._metric.labels(path, outcome).inc()
        try:
            async with self._database.connection() as connection:
                await queries.count_login(connection, path=path, outcome=outcome)
        except ToolkitError as error:
            _log.warning("a login was not counted", path=path, outcome=outcome, error=str(error))
