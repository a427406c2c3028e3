"""Whom a run is about."""

import pytest

from tests.integration.migration.conftest import World
from toolkit.migration.selection import CohortUnknown, EmailUnknown
from toolkit.migration.source import CohortInvalid


async def linked(world: World) -> set[str]:
    return {
        record["id"]
        for record in await world.connection.fetch("SELECT id::text FROM users WHERE clerk_id IS NOT NULL")
    }


async def test_a_cohort_is_a_condition_over_the_source(world: World) -> None:
    world.settings["cohorts"] = {"staff": "email LIKE '%@ax.example'"}
    staff = await world.add("ada@ax.example")
    await world.add("bob@example.com")
    await world.run(cohort="staff")
    assert await linked(world) == {staff}


@pytest.mark.parametrize(
    "condition", ["no_such_column", "email LIKE", "true; DROP TABLE users", "1", "email = 5 OR"]
)
async def test_a_condition_that_is_not_one_is_refused(world: World, condition: str) -> None:
    world.settings["cohorts"] = {"odd": condition}
    with pytest.raises(CohortInvalid, match="odd|condition"):
        await world.run(cohort="odd")
    assert await world.connection.fetchval("SELECT count(*) FROM users") == 0


async def test_an_unknown_cohort_is_refused_with_the_known_ones(world: World) -> None:
    world.settings["cohorts"] = {"staff": "true"}
    with pytest.raises(CohortUnknown, match="staff"):
        await world.run(cohort="stuff")


async def test_a_percentage_is_stable_and_grows(world: World) -> None:
    await world.add_many(300)
    await world.run(percent=10)
    tenth = await linked(world)
    await world.run(percent=10)
    assert await linked(world) == tenth
    assert 10 <= len(tenth) <= 60
    await world.run(percent=50)
    assert tenth < await linked(world)
    await world.run(percent=100)
    assert len(await linked(world)) == 300


async def test_only_these_addresses(world: World) -> None:
    ada = await world.add("Ada@Example.com")
    await world.add("bob@example.com")
    await world.run(emails=("ada@example.COM",))
    assert await linked(world) == {ada}


async def test_an_address_that_nobody_has_is_named(world: World) -> None:
    await world.add("ada@example.com")
    with pytest.raises(EmailUnknown, match="eve@example.com"):
        await world.run(emails=("ada@example.com", "eve@example.com"))
    assert await linked(world) == set()


async def test_a_limit_ends_the_run_and_the_next_goes_on(world: World) -> None:
    await world.add_many(25)
    await world.run(limit=10)
    assert len(await linked(world)) == 10
    await world.run(limit=10)
    assert len(await linked(world)) == 20


async def test_rows_that_cannot_go_over_do_not_use_up_the_limit(world: World) -> None:
    for number in range(20):
        await world.add(f"broken{number}")
    await world.add_many(5)
    await world.run(limit=5)
    assert len(await linked(world)) == 5
