"""Postgres: connections whose failures an operator understands, and the queries of `sql/queries`.

Every query is a named one in a `.sql` file; see aiosql for the forms (`^` one row, `$` one value, `!` none).
"""

import logging
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import aiosql
import asyncpg
from asyncpg.pool import PoolConnectionProxy

from toolkit.errors import ToolkitError, UsageError
from toolkit.paths import QUERIES

# asyncpg logs a traceback when its pool loses a connection; the error raised here says the same in words.
logging.getLogger("asyncpg").addHandler(logging.NullHandler())

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

CONNECT_SECONDS = 10
APPLICATION = "postgres-to-clerk"

queries: Any = aiosql.from_path(QUERIES, "asyncpg")
"""The named queries; aiosql makes the methods when it reads the files, so they have no static type."""


_LOST = (
    OSError,
    TimeoutError,
    asyncpg.AdminShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.CrashShutdownError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # it was just told that it is shut down
    asyncpg.PostgresConnectionError,
    asyncpg.TooManyConnectionsError,
)
"""What asyncpg raises when there is no connection, or none any more."""


class DatabaseUnreachable(ToolkitError):
    """No connection to Postgres."""


class DatabaseFailed(ToolkitError):
    """Postgres refused a statement, or went away."""


class NotMigrated(ToolkitError):
    """The database lacks the toolkit's tables and functions, or the source view."""


class SandboxRefused(UsageError):
    """DATABASE_URL leads to the embedded sandbox, and the environment is another."""

    def __init__(self, url: str) -> None:
        super().__init__(
            f"The database at {address(url)} is the embedded sandbox's, and only an environment whose playbook says "
            "embedded_sandbox uses it. Say --env sandbox, or export the DATABASE_URL that you mean."
        )


def address(url: str) -> str:
    """The URL's host and database, without user and password, for messages."""
    parts = urlsplit(url)
    if "@" in parts.path:  # a password with a / in it that is not written %2F
        return "the address in DATABASE_URL"
    try:
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        port = ""  # it is not a number; connecting will say so
    return f"{parts.hostname or 'a local socket'}{port}{parts.path}"


def _said(error: asyncpg.PostgresError) -> str:
    """What Postgres said, without its details: they quote the row, digests and all (invariant 8)."""
    said = str(error.args[0] if error.args else type(error).__name__)
    if "severity" not in error.as_dict():  # asyncpg's own words, which quote the value
        return said.partition(":")[0]
    return said


def forget_libpq_variables() -> None:
    """Take libpq's own variables (PGSSLMODE, PGHOSTADDR, …) out of this process: they are meant for another database than
    the sandbox's, and would keep it from being reached."""
    for name in [name for name in os.environ if name.startswith("PG")]:
        del os.environ[name]


@contextmanager
def database_errors(url: str) -> Iterator[None]:
    """Turn what asyncpg raises into errors with a remedy. Messages never hold the URL's password."""
    try:
        yield
    except (asyncpg.InvalidPasswordError, asyncpg.InvalidAuthorizationSpecificationError) as error:
        raise DatabaseUnreachable(
            f"Postgres at {address(url)} refuses the login: {_said(error)}. Check user and password in DATABASE_URL."
        ) from error
    except asyncpg.InvalidCatalogNameError as error:
        raise DatabaseUnreachable(
            f"{_said(error)} at {address(url)}. Check the name in DATABASE_URL."
        ) from error
    except (
        asyncpg.UndefinedTableError,
        asyncpg.UndefinedColumnError,
        asyncpg.UndefinedFunctionError,
        asyncpg.InvalidSchemaNameError,
    ) as error:
        raise NotMigrated(
            f"The database at {address(url)} is not prepared: {_said(error)}. Run `python -m toolkit migrate --env …` first."
        ) from error
    except asyncpg.InsufficientPrivilegeError as error:
        raise DatabaseFailed(
            f"The user in DATABASE_URL may not do that at {address(url)}: {_said(error)}. Grant it, or use the tables' owner."
        ) from error
    except BrokenPipeError:
        raise  # of standard output: asyncpg tells a lost connection in its own words
    except _LOST as error:
        raise DatabaseUnreachable(
            f"No connection to Postgres at {address(url)}: {str(error) or 'no answer'}. "
            "Check that it runs and that DATABASE_URL names it. What was done so far is kept; run the same command again."
        ) from error
    except asyncpg.QueryCanceledError as error:
        raise DatabaseFailed(
            f"Postgres at {address(url)} ended a statement: {_said(error)}. Give the user in DATABASE_URL a longer "
            "statement_timeout (ALTER ROLE … SET statement_timeout), then run the same command again."
        ) from error
    except asyncpg.PostgresError as error:
        raise DatabaseFailed(f"Postgres at {address(url)} said: {_said(error)}") from error


@contextmanager
def _address_errors() -> Iterator[None]:
    try:
        yield
    except (ValueError, asyncpg.ClientConfigurationError) as error:
        raise DatabaseUnreachable(
            "DATABASE_URL is malformed. Example: postgresql://user:password@host:5432/database "
            "(characters such as @ / : in a password are written %40 %2F %3A)."
        ) from error


def no_sandbox(url: str) -> Callable[[Connection], Coroutine[Any, Any, None]]:
    """A check of a new connection. Raises SandboxRefused when it leads to the embedded sandbox's database."""

    async def check(connection: Connection) -> None:
        if await queries.is_sandbox(connection):
            raise SandboxRefused(url)

    return check


@asynccontextmanager
async def connect(url: str, *, sandbox: bool = False) -> AsyncIterator[Connection]:
    """A connection of one's own; `sandbox` says that it may be to the embedded sandbox.

    Raises DatabaseUnreachable, NotMigrated, DatabaseFailed or SandboxRefused.
    """
    with database_errors(url):
        with _address_errors():
            connection = await asyncpg.connect(
                url, timeout=CONNECT_SECONDS, server_settings={"application_name": APPLICATION}
            )
        try:
            if not sandbox:
                await no_sandbox(url)(connection)
            yield connection
        finally:
            await connection.close(timeout=CONNECT_SECONDS)


@asynccontextmanager
async def pool(url: str, size: int, *, sandbox: bool = False) -> AsyncIterator[Pool]:
    """A pool of at most `size` connections. Raises as `connect` does."""
    with database_errors(url):
        async with asyncpg.create_pool(
            url,
            min_size=1,
            max_size=size,
            timeout=CONNECT_SECONDS,
            init=None if sandbox else no_sandbox(url),
            server_settings={"application_name": APPLICATION},
        ) as opened:
            yield opened
