"""The BFF's connections to Postgres."""

import contextlib

import asyncpg
import pytest

from bff.database import Database
from tests.postgres import Server
from toolkit.database import ANYBODYS, DatabaseFailed, DatabaseUnreachable

PID = "SELECT pg_backend_pid()"


async def test_a_connection_that_waits_for_nothing_is_not_used_again(postgres: Server) -> None:
    """asyncpg, told on an idle connection that it is shut down, takes no query on it and never recovers."""
    async with Database(postgres.create_database(), 1, ANYBODYS) as database:
        async with database.connection() as connection:
            first = await connection.fetchval(PID)
        with pytest.raises(DatabaseUnreachable):
            async with database.connection():
                raise asyncpg.InternalClientError("cannot switch to state 12")
        async with database.connection() as connection:
            assert await connection.fetchval(PID) != first


async def test_what_a_query_was_given_is_not_told(postgres: Server) -> None:
    """Invariant 8."""
    async with Database(postgres.create_database(), 1, ANYBODYS) as database:
        with pytest.raises(DatabaseFailed) as failed:
            async with database.connection() as connection:
                await connection.fetchval("SELECT $1::integer", "a password")
    assert "password" not in str(failed.value)
    assert "query argument $1" in str(failed.value)


async def test_what_waits_for_a_commit_happens_after_it_and_only_then(postgres: Server) -> None:
    told: list[object] = []
    async with Database(postgres.create_database(), 2, ANYBODYS) as database:
        async with database.transaction() as connection, database.transaction() as other:
            database.on_commit(connection, lambda: told.append("committed"))
            database.on_commit(other, lambda: told.append("also committed"))
            assert told == []
        assert told == ["also committed", "committed"]
        with contextlib.suppress(ZeroDivisionError):
            async with database.transaction() as connection:
                database.on_commit(connection, lambda: told.append("rolled back"))
                raise ZeroDivisionError
        async with database.connection() as connection:
            database.on_commit(connection, lambda: told.append("in no transaction"))
    assert told == ["also committed", "committed", "in no transaction"]


async def test_who_reads_the_log_is_not_told_to_run_a_command_again() -> None:
    with pytest.raises(DatabaseUnreachable, match="The BFF goes on by itself") as failed:
        async with (
            Database("postgresql://127.0.0.1:1/nothing", 1, ANYBODYS) as database,
            database.connection(),
        ):
            pass
    assert "command" not in str(failed.value)
