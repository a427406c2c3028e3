"""The BFF's connections to Postgres.

They are made when they are first needed: the BFF starts without Postgres, answers 503 as long as it is away, and
goes on by itself when it is back. Nothing waits for Clerk while it holds a connection.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

import asyncpg

from toolkit.database import Connection, Expected, Pool, database_errors

ACQUIRE_SECONDS = 2.0
STATEMENT_SECONDS = 2.0
APPLICATION = "postgres-to-clerk bff"
THEN = "The BFF goes on by itself."
"""What is told to be done once Postgres is mended."""


async def _keep(connection: Connection) -> None:
    """Nothing to clean up after use, and a round trip less: no query here leaves a setting, a cursor or a lock."""


class Database:
    """A pool; an async context manager."""

    def __init__(self, url: str, size: int, expected: Expected) -> None:
        self._url = url
        self._check = expected.check_of(url)
        self._size = size
        self._pool: Pool | None = None
        self._on_commit: dict[Connection, list[Callable[[], object]]] = {}

    async def __aenter__(self) -> Self:
        self._pool = await asyncpg.create_pool(
            self._url,
            min_size=0,
            max_size=self._size,
            timeout=ACQUIRE_SECONDS,
            command_timeout=STATEMENT_SECONDS,
            reset=_keep,
            init=self._check,
            server_settings={"application_name": APPLICATION},
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.terminate()

    def connection(self) -> "_Held":
        """A connection, as an async context manager. Raises DatabaseUnreachable, NotMigrated or DatabaseFailed."""
        if self._pool is None:
            raise RuntimeError("use the database as an async context manager")
        return _Held(self._pool, self._url)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A connection in a transaction. Raises as `connection` does."""
        async with self.connection() as connection:
            committed = self._on_commit[connection] = []
            try:
                async with connection.transaction():
                    yield connection
            finally:
                del self._on_commit[connection]
        for call in committed:
            call()

    def on_commit(self, connection: Connection, call: Callable[[], object]) -> None:
        """Call something once the connection's transaction is committed; at once when it is in none."""
        if connection in self._on_commit:
            self._on_commit[connection].append(call)
        else:
            call()


class _Held:
    """A connection of the pool. A class, as every request goes through it and a generator costs more."""

    __slots__ = ("_connection", "_errors", "_pool")

    def __init__(self, pool: Pool, url: str) -> None:
        self._pool = pool
        self._errors = database_errors(url, THEN)

    async def __aenter__(self) -> Connection:
        self._errors.__enter__()
        try:
            if self._pool.get_idle_size():
                self._connection = await self._pool.acquire()
            else:  # the pool's own timeout costs two tasks a time
                async with asyncio.timeout(ACQUIRE_SECONDS):
                    self._connection = await self._pool.acquire()
        except BaseException as error:
            self._errors.__exit__(type(error), error, error.__traceback__)
            raise
        return self._connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if isinstance(error, asyncpg.InternalClientError | TimeoutError):
                self._connection.terminate()  # it waits for what will not come
            await self._pool.release(self._connection, timeout=STATEMENT_SECONDS)
        finally:
            self._errors.__exit__(kind, error, trace)
