"""Postgres going away in the middle, and coming back."""

import asyncio

import pytest

from tests.integration.migration.conftest import World
from tests.integration.migration.test_import import in_flight
from toolkit.database import DatabaseFailed, DatabaseUnreachable
from toolkit.migration.reading import SourceInvalid


async def test_connections_that_are_ended_end_the_import_and_it_goes_on_later(world: World) -> None:
    """Invariant 7."""
    await world.add_many(200)
    importing = asyncio.create_task(world.run(rate=100))
    await in_flight(world)
    await world.connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND application_name = 'postgres-to-clerk'"
    )
    with pytest.raises(DatabaseUnreachable, match="run the same command again"):
        await importing
    await world.run()
    assert await world.connection.fetchval("SELECT count(clerk_id) FROM users") == 200
    assert world.emulator.stats()["users"] == 200


async def test_a_statement_that_is_ended_says_what_to_do(world: World) -> None:
    await world.add()
    world.settings["cohorts"] = {"slow": "pg_sleep(1) IS NOT NULL"}
    database = await world.connection.fetchval("SELECT current_database()")
    await world.connection.execute(f"ALTER DATABASE {database} SET statement_timeout = '200ms'")
    with pytest.raises(DatabaseFailed, match="statement_timeout"):
        await world.run(cohort="slow")


async def test_a_database_without_a_function_of_ours_is_told_to_migrate(world: World) -> None:
    await world.add()
    await world.connection.execute("DROP FUNCTION clerk_migration.normal_address CASCADE")
    with pytest.raises(SourceInvalid, match=r"normal_address, or .* Run `python -m toolkit migrate"):
        await world.run()
