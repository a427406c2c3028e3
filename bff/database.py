"""The BFF's connections to Postgres.

They are made when they are first needed: the BFF starts without Postgres, answers 503 as long as it is away, and
goes on by itself when it is back. Nothing waits for Clerk while it holds a connection.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

import asyncpg

from toolkit.database import Connection, Pool, database_errors

ACQUIRE_SECONDS = 2.0
STATEMENT_SECONDS = 5.0
APPLICATION = "postgres-to-clerk bff"


async def _keep(connection: Connection) -> None:
    """Nothing to clean up after use, and a round trip less: no query here leaves a setting, a cursor or a lock."""


class Database:
    """A pool; an async context manager."""

    def __init__(self, url: str, size: int) -> None:
        self._url = url
        self._size = size
        self._pool: Pool | None = None

    async def __aenter__(self) -> Self:
        self._pool = await asyncpg.create_pool(
            self._url,
            min_size=0,
            max_size=self._size,
            timeout=ACQUIRE_SECONDS,
            command_timeout=STATEMENT_SECONDS,
            reset=_keep,
            server_settings={"application_name": APPLICATION},
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.terminate()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection. Raises DatabaseUnreachable, NotMigrated or DatabaseFailed."""
        if self._pool is None:
            raise RuntimeError("use the database as an async context manager")
        with database_errors(self._url):
            async with self._pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
                yield connection

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A connection in a transaction. Raises as `connection` does."""
        async with self.connection() as connection, connection.transaction():
            yield connection
