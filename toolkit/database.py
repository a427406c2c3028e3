"""Postgres: connections whose failures an operator understands, and the queries of `sql/queries`.

Every query is a named one in a `.sql` file; see aiosql for the forms (`^` one row, `$` one value, `!` none).
"""

import logging
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
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
NOT_MIGRATED = (
    asyncpg.UndefinedTableError,
    asyncpg.UndefinedColumnError,
    asyncpg.UndefinedFunctionError,
    asyncpg.InvalidSchemaNameError,
)
"""What Postgres says where `migrate` did not run."""


class DatabaseUnreachable(ToolkitError):
    """No connection to Postgres."""


class DatabaseFailed(ToolkitError):
    """Postgres refused a statement, or went away."""


class RowsHidden(ToolkitError):
    """Row-level security hides rows from the role, so whatever is read would be a part of the truth."""


class NotMigrated(ToolkitError):
    """The database lacks the toolkit's tables and functions, or the source view."""


class SandboxRefused(UsageError):
    """DATABASE_URL leads to the embedded sandbox, and the environment is another."""

    def __init__(self, url: str) -> None:
        super().__init__(
            f"The database at {address(url)} is the embedded sandbox's, and only an environment whose playbook says "
            "embedded_sandbox uses it. Say --env sandbox, or export the DATABASE_URL that you mean."
        )


class OtherEnvironment(UsageError):
    """The database belongs to another environment."""

    def __init__(self, url: str, bound: str, named: str) -> None:
        super().__init__(
            f"The database at {address(url)} belongs to the environment {bound!r}, which `migrate` wrote into it, and this is "
            f"{named!r}. Say --env {bound}, or export the DATABASE_URL that you mean. If it is a copy of that environment's "
            'database, docs/operating.md says how to make it one of its own ("A copy of a database").'
        )


@dataclass(frozen=True, slots=True)
class Expected:
    """Whose the database is that one means to reach."""

    environment: str | None = None
    """The environment's name; None for the embedded sandbox, and where no environment is meant."""
    sandbox: bool = False
    """It may be the embedded sandbox's."""

    def refuse(self, url: str, *, is_sandbox: bool, bound: str | None) -> None:
        """Raises SandboxRefused or OtherEnvironment, for a database that is another's than expected."""
        if is_sandbox and not self.sandbox:
            raise SandboxRefused(url)
        if bound is not None and self.environment not in (None, bound):
            assert self.environment is not None
            raise OtherEnvironment(url, bound, self.environment)

    def check_of(self, url: str) -> Callable[[Connection], Coroutine[Any, Any, None]]:
        """A check of a new connection. Raises as `refuse` does."""

        async def check(connection: Connection) -> None:
            bound = None
            with suppress(*NOT_MIGRATED, asyncpg.InsufficientPrivilegeError):  # nothing is written there yet
                bound = await queries.bound_to(connection)
            self.refuse(url, is_sandbox=await queries.is_sandbox(connection), bound=bound)

        return check


ANYBODYS = Expected()
"""Whosever database it is, but for the sandbox's."""


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
def database_errors(
    url: str, then: str = "What was done so far is kept; run the same command again."
) -> Iterator[None]:
    """Turn what asyncpg raises into errors with a remedy, and with what is to be done `then`, once Postgres is mended.

    Messages never hold the URL's password.
    """
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
    except NOT_MIGRATED as error:
        raise NotMigrated(
            f"The database at {address(url)} is not prepared: {_said(error)}. Run `python -m toolkit migrate --env …` first."
        ) from error
    except asyncpg.InsufficientPrivilegeError as error:
        if error.server_source_function == "check_enable_rls":
            raise RowsHidden(
                f"Row-level security at {address(url)} hides rows from the user in DATABASE_URL: {_said(error)}. Users who are "
                "hidden would be forgotten, so nothing was done. Give the role BYPASSRLS (ALTER ROLE … BYPASSRLS, as a "
                "superuser), or use the table's owner, and have the table not say FORCE ROW LEVEL SECURITY. Through the "
                "installed view it is the view's owner who needs that."
            ) from error
        raise DatabaseFailed(
            f"The user in DATABASE_URL may not do that at {address(url)}: {_said(error)}. Grant it, or use the tables' owner."
        ) from error
    except BrokenPipeError:
        raise  # of standard output: asyncpg tells a lost connection in its own words
    except _LOST as error:
        raise DatabaseUnreachable(
            f"No connection to Postgres at {address(url)}: {str(error) or 'no answer'}. "
            f"Check that it runs and that DATABASE_URL names it. {then}"
        ) from error
    except asyncpg.QueryCanceledError as error:
        raise DatabaseFailed(
            f"Postgres at {address(url)} ended a statement: {_said(error)}. Give the user in DATABASE_URL a longer "
            f"statement_timeout (ALTER ROLE … SET statement_timeout). {then}"
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


@asynccontextmanager
async def connect(url: str, expected: Expected) -> AsyncIterator[Connection]:
    """A connection of one's own.

    Raises DatabaseUnreachable, NotMigrated, DatabaseFailed, SandboxRefused or OtherEnvironment.
    """
    with database_errors(url):
        with _address_errors():
            connection = await asyncpg.connect(
                url, timeout=CONNECT_SECONDS, server_settings={"application_name": APPLICATION}
            )
        try:
            await expected.check_of(url)(connection)
            yield connection
        finally:
            await connection.close(timeout=CONNECT_SECONDS)


@asynccontextmanager
async def pool(url: str, size: int, expected: Expected) -> AsyncIterator[Pool]:
    """A pool of at most `size` connections. Raises as `connect` does."""
    with database_errors(url):
        async with asyncpg.create_pool(
            url,
            min_size=1,
            max_size=size,
            timeout=CONNECT_SECONDS,
            init=expected.check_of(url),
            server_settings={"application_name": APPLICATION},
        ) as opened:
            yield opened
