"""Limits on attempts, counted in Postgres so that all replicas share them."""

import hashlib
from collections.abc import Mapping

from bff.database import Database
from bff.problems import Problem
from toolkit.database import queries
from toolkit.environment import Limit


class Limits:
    """Counts attempts in fixed windows of time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def spend(self, limits: Mapping[str, Limit]) -> None:
        """Count an attempt under each key. Raises Problem (too_many_attempts) when a limit is passed."""
        hashed = {hashlib.sha256(key.encode()).digest(): limit for key, limit in limits.items()}
        async with self._database.connection() as connection:
            found = [
                record
                async for record in queries.count_attempts(
                    connection, keys=list(hashed), seconds=[limit.seconds for limit in hashed.values()]
                )
            ]
        waits = [
            record["begun"] + hashed[record["key_hash"]].seconds
            for record in found
            if record["count"] > hashed[record["key_hash"]].attempts
        ]
        if waits:
            raise Problem("too_many_attempts", retry_after=max(waits))
