"""Databases to migrate, and how to look at their schema."""

import os
import subprocess
from collections.abc import Iterator

import psycopg
import pytest

from tests.postgres import Server
from tests.waiting import until_now
from toolkit.paths import SQL
from toolkit.sandbox.postgres import installation

_BASELINE = (SQL / "baseline" / "baseline-0001-tables.sql").read_text(encoding="utf-8")
AX_TABLES = _BASELINE[: _BASELINE.rindex("DO $$")]
"""AX's tables as AX made them: without the comment by which the baseline marks its own, its last statement."""

Connection = psycopg.Connection[tuple[object, ...]]


@pytest.fixture
def empty(postgres: Server) -> str:
    """URL of a database with nothing in it."""
    return postgres.create_database(migrated=False)


@pytest.fixture
def adopted(postgres: Server) -> str:
    """URL of a database with AX's tables and two users, where no migration ever ran."""
    url = postgres.create_database(migrated=False)
    with psycopg.connect(url) as connection:
        connection.execute(AX_TABLES)
        connection.execute(
            "INSERT INTO users (email, hashed_password) VALUES ('ada@example.com', 'x'), ('Bob@example.com', 'y')"
        )
    return url


@pytest.fixture
def migrated(postgres: Server) -> str:
    """URL of a database with all that expand adds."""
    return postgres.create_database()


@pytest.fixture
def second(migrated: str) -> Iterator[Connection]:
    """Another session of the migrated database."""
    with psycopg.connect(migrated, autocommit=True) as connection:
        yield connection


def dump(url: str) -> str:
    """The schema as pg_dump writes it, without yoyo's own tables."""
    done = subprocess.run(
        [
            *(installation() / "bin" / "pg_dump", "--schema-only", "--no-owner", "--dbname", url),
            *("--exclude-table=*yoyo*",),
        ],
        env={**os.environ, "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=True,
    )
    return "\n".join(line for line in done.stdout.splitlines() if not line.startswith(("\\", "--")))


def users(url: str) -> list[tuple[object, ...]]:
    """The users' own columns, as they were before the move."""
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT id, email, hashed_password FROM users ORDER BY id").fetchall()


_WAITING = "SELECT pid, query_start FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


def await_waiting(connection: Connection) -> None:
    """Return once some session of this database waits for a lock."""
    until_now(lambda: bool(connection.execute(_WAITING).fetchall()))


def await_given_up(connection: Connection) -> None:
    """Return once the statements that wait for a lock do so no more; later ones may."""
    waiting = set(connection.execute(_WAITING).fetchall())
    until_now(lambda: waiting.isdisjoint(connection.execute(_WAITING).fetchall()))
