"""Schema changes: yoyo's migrations, and the source view that the import reads.

The migrations are plain yoyo ones, so `yoyo apply` does the same as `apply` here. What `apply` adds: tables that
are there already are adopted, a killed process leaves no lock behind, the playbook's source view is installed,
and failures are told in words.
"""

import glob
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import aiosql
import psycopg
import yoyo
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict
from yoyo.exceptions import BadMigration, LockTimeout, MigrationConflict
from yoyo.migrations import Migration, MigrationList, read_sql_migration, topological_sort

from toolkit.database import (
    ANYBODYS,
    APPLICATION,
    CONNECT_SECONDS,
    DatabaseFailed,
    DatabaseUnreachable,
    Expected,
    address,
)
from toolkit.errors import ToolkitError, UsageError
from toolkit.paths import QUERIES

BASELINE = "baseline"
"""Name of the folder whose migrations are adopted where their tables are there already."""

CLAIM_SECONDS = 10

_yoyo: Any = yoyo  # untyped
_queries: Any = aiosql.from_path(QUERIES / "schema.sql", "psycopg")
_Connection = psycopg.Connection[tuple[Any, ...]]

# yoyo logs a traceback for a migration that does not load; the error raised here says the same in words.
logging.getLogger("yoyo").addHandler(logging.NullHandler())


class MigrationFailed(ToolkitError):
    """A migration did not go through; those before it stay applied."""


class SchemaBusy(ToolkitError):
    """Another process is changing the schema."""


class BaselineIncomplete(ToolkitError):
    """The database has some of the tables and columns that the baseline describes, but not all."""


class MigrationsInvalid(UsageError):
    """A migration file or the source view's file cannot be read."""


class Status(NamedTuple):
    """How far a database is, and who one is there."""

    role: str
    migrations: Sequence["MigrationStatus"]
    """In the order in which they are applied."""


class MigrationStatus(NamedTuple):
    """A migration, and when it was applied (UTC); None when it was not."""

    id: str
    applied_at: datetime | None


def apply(
    database_url: str, directories: Sequence[Path], source_view: Path, expected: Expected = ANYBODYS
) -> list[str]:
    """Apply what is not applied yet, install the source view, write down whose the database is from now on, and return
    the ids of what was applied or adopted.

    `directories` are folders of migrations; one named `baseline` describes the tables as they are before the
    move, and is marked as applied where they exist. Raises MigrationsInvalid, DatabaseUnreachable, DatabaseFailed,
    SandboxRefused, OtherEnvironment, SchemaBusy, BaselineIncomplete or MigrationFailed.
    """
    migrations = _read(directories)
    view = _read_view(source_view)
    done: list[str] = []
    with _exclusive(database_url, expected) as backend:
        for migration in backend.to_apply(migrations):
            with _failing(f"Migration {migration.id}", done):
                if _is_there_already(backend, migration):
                    backend.mark_migrations([migration])
                else:
                    backend.apply_one(migration)
            done.append(migration.id)
        with _failing(f"Installing the source view {source_view}", done):
            _install(backend, view)
        if expected.environment is not None:
            with _failing(f"Binding the database to {expected.environment!r}", done), backend.transaction():
                _queries.bind(backend.connection, environment=expected.environment)
    return done


def status(database_url: str, directories: Sequence[Path], expected: Expected = ANYBODYS) -> Status:
    """How far the database is. Changes nothing.

    Raises MigrationsInvalid, DatabaseUnreachable, DatabaseFailed, SandboxRefused or OtherEnvironment.
    """
    migrations = _read(directories)
    with _reaching(database_url), psycopg.connect(_conninfo(database_url), autocommit=True) as connection:
        _check(connection, database_url, expected)
        applied = {}
        if _queries.has_history(connection):
            applied = dict(_queries.history(connection))
        role: str = _queries.role(connection)
    return Status(
        role, [MigrationStatus(migration.id, applied.get(migration.id)) for migration in migrations]
    )


def rollback_last(
    database_url: str, directories: Sequence[Path], source_view: Path, expected: Expected = ANYBODYS
) -> str | None:
    """Take the last migration back and return its id; None when there is none.

    The source view goes first, because it may stand on what is taken back; the next `apply` installs it again, and
    so does a rollback that fails. Raises as `apply` does.
    """
    migrations = _read(directories)
    view = _read_view(source_view)
    with _exclusive(database_url, expected) as backend:
        applied = backend.to_rollback(migrations)
        if not applied:
            return None
        last = applied[0]
        with _failing(f"Taking migration {last.id} back", []):
            with backend.transaction():
                _queries.set_lock_timeout(backend.connection)
                _queries.drop_source_view(backend.connection)
            try:
                backend.rollback_one(last)
            except psycopg.Error:
                with suppress(psycopg.Error):  # the first failure is the one to tell
                    _install(backend, view)
                raise
        return str(last.id)


def _read(directories: Sequence[Path]) -> MigrationList:
    """The folders' migrations in the order in which they are applied."""
    for directory in directories:
        if not directory.is_dir():
            raise MigrationsInvalid(f"There is no folder {directory} with migrations.")
    try:
        found = _yoyo.read_migrations(*(glob.escape(str(directory)) for directory in directories))
        ordered: MigrationList = found.replace(topological_sort(found))
    except (BadMigration, MigrationConflict, OSError, UnicodeDecodeError) as error:
        raise MigrationsInvalid(f"The migrations cannot be read: {error}") from error
    return ordered


def _read_view(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MigrationsInvalid(f"The source view's file {path} cannot be read: {error}") from error


def _install(backend: Any, view: str) -> None:
    """Put the source view in place of the one that is there."""
    with backend.transaction():
        _queries.set_lock_timeout(backend.connection)
        _queries.drop_source_view(backend.connection)
        backend.connection.execute(view)  # and not yoyo's execute, to which % and :name mean parameters


def _conninfo(database_url: str) -> str:
    """The URL as libpq takes it, checked. A URL that libpq cannot read is not repeated: it may hold a password."""
    try:
        conninfo_to_dict(database_url)
        _ = urlsplit(database_url).port
    except (psycopg.Error, ValueError):
        raise DatabaseUnreachable(
            "DATABASE_URL is malformed. Example: postgresql://user:password@host:5432/database "
            "(characters such as @ / : in a password are written %40 %2F %3A)."
        ) from None
    return psycopg.conninfo.make_conninfo(
        database_url, connect_timeout=CONNECT_SECONDS, application_name=APPLICATION
    )


@contextmanager
def _exclusive(database_url: str, expected: Expected) -> Iterator[Any]:
    """yoyo's backend (untyped), while nobody else changes the schema."""
    conninfo = _conninfo(database_url)
    with _reaching(database_url):
        with psycopg.connect(conninfo, autocommit=True) as connection:
            _check(connection, database_url, expected)
            if not _queries.may_create(connection):
                raise DatabaseFailed(
                    f"The user in DATABASE_URL may not create tables at {address(database_url)}. "
                    "Grant it CREATE on the schema, or use the tables' owner."
                )
            if (encoding := _queries.encoding(connection)) != "UTF8":
                raise DatabaseFailed(
                    f"The database at {address(database_url)} keeps text as {encoding}, and addresses of all scripts can be "
                    "compared in UTF8 only. Move it into a database of that encoding first (pg_dump, "
                    "createdb --encoding UTF8, pg_restore)."
                )
        # yoyo passes the parameters of its own URLs on to psycopg, so libpq reads the address, not yoyo.
        backend = _yoyo.get_backend(f"postgresql+psycopg://?conninfo={quote(conninfo, safe='')}")
        try:
            _claim(backend)
            try:
                yield backend
            finally:
                if not backend.connection.broken:
                    _queries.release_yoyo(backend.connection)
        finally:
            backend.connection.close()


def _check(connection: _Connection, database_url: str, expected: Expected) -> None:
    """Raises SandboxRefused or OtherEnvironment."""
    bound = None
    with suppress(errors.UndefinedTable, errors.UndefinedColumn, errors.InsufficientPrivilege):
        bound = _queries.bound_to(connection)
    expected.refuse(database_url, is_sandbox=_queries.is_sandbox(connection), bound=bound)


def _claim(backend: Any) -> None:
    """Keep other toolkit processes and plain yoyo out, or raise SchemaBusy after CLAIM_SECONDS."""
    connection, deadline = backend.connection, time.monotonic() + CLAIM_SECONDS
    while not _queries.claim_schema(connection):
        _wait(
            deadline,
            "Another `python -m toolkit migrate` is at work on this database. Let it end, then try again.",
        )
    _queries.forget_killed_claim(connection)
    try:
        backend.ensure_internal_schema_updated()
    except LockTimeout as error:
        raise SchemaBusy(
            f"{error}. If that process is gone, run `yoyo break-lock`, then try again."
        ) from error
    while not _queries.claim_yoyo(connection):
        _wait(
            deadline,
            f"yoyo, as process {_queries.yoyo_process(connection)}, is at work on this database. Let it end, then try "
            "again. If that process is gone, run `yoyo break-lock` first.",
        )


def _wait(deadline: float, message: str) -> None:
    if time.monotonic() > deadline:
        raise SchemaBusy(message)
    time.sleep(0.2)


def _is_there_already(backend: Any, migration: Migration) -> bool:
    """Whether the tables of a baseline migration exist. Raises BaselineIncomplete when only a part does.

    The migration's own SQL says what to expect: it is run into the connection's temporary schema, compared, and
    rolled back.
    """
    if Path(migration.source_dir).name != BASELINE:
        return False
    connection: _Connection = backend.connection
    with backend.transaction(rollback_on_exit=True):
        _queries.build_aside(connection)
        for statement in read_sql_migration(migration.path)[2]:
            backend.execute(statement)
        _queries.look_up_again(connection)
        columns = list(_queries.compare_tables(connection))
    if not any(has_table for _, _, has_table, _ in columns):
        return False
    missing_tables = dict.fromkeys(table for table, _, has_table, _ in columns if not has_table)
    missing = [
        *(f"table {table}" for table in missing_tables),
        *(
            f"column {table}.{column}"
            for table, column, has_table, has_column in columns
            if has_table and not has_column
        ),
    ]
    if missing:
        raise BaselineIncomplete(
            f"The database has some of the tables of {migration.path}, but not all of it. It lacks: "
            f"{', '.join(missing)}. Add them, or describe your own tables: a source view with its write-back query "
            "(sql/sources) and migrations without sql/baseline, named in the playbook."
        )
    return True


@contextmanager
def _reaching(database_url: str) -> Iterator[None]:
    """Tell a database that cannot be reached, or went away, in words."""
    try:
        yield
    except psycopg.OperationalError as error:
        raise DatabaseUnreachable(
            f"No connection to Postgres at {address(database_url)}: {_text(error)}. Check that it runs and that "
            "DATABASE_URL names it. What was done so far is kept; run the same command again."
        ) from error
    except psycopg.Error as error:
        raise DatabaseFailed(f"Postgres at {address(database_url)} said: {_text(error)}") from error


@contextmanager
def _failing(what: str, done: Sequence[str]) -> Iterator[None]:
    """Tell what Postgres has against a step, and how to go on. Lost connections are left to `_reaching`."""
    kept = f" Applied before it, and kept: {', '.join(done)}." if done else ""
    try:
        yield
    except (errors.LockNotAvailable, errors.QueryCanceled) as error:
        raise MigrationFailed(
            f"{what} gave up ({_text(error)}), so that nobody queues behind it: another session holds what it needs. "
            f"Look for long transactions in pg_stat_activity, then run the same command again.{kept}"
        ) from error
    except errors.DependentObjectsStillExist as error:
        raise MigrationFailed(
            f"{what} failed: {_text(error)}. If an import or a preflight is running, let it end; then run the same "
            f"command again.{kept}"
        ) from error
    except errors.InsufficientPrivilege as error:
        raise MigrationFailed(
            f"{what} failed: {_text(error)}. Use the role that owns the tables, or grant it; then run the same "
            f"command again.{kept}"
        ) from error
    except BadMigration as error:
        raise MigrationFailed(f"{what} cannot be read: {error}.{kept}") from error
    except psycopg.OperationalError:
        raise
    except psycopg.Error as error:
        raise MigrationFailed(
            f"{what} failed: {_text(error)}. Once that is mended, run the same command again.{kept}"
        ) from error


def _text(error: psycopg.Error) -> str:
    """What Postgres said, with its hint, in one line."""
    primary = error.diag.message_primary or str(error) or type(error).__name__
    text = " ".join(primary.split()).rstrip(".")
    return f"{text}. {error.diag.message_hint.rstrip('.')}" if error.diag.message_hint else text
