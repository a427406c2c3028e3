"""The sweep's rounds (invariants 5 and 7)."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from bff.database import Database
from tests.integration.bff.conftest import PASSWORD
from tests.integration.sweep.conftest import LeftWorld
from toolkit.clerk import BackendClient, ClerkUnavailable, User
from toolkit.database import ANYBODYS, Pool, pool
from toolkit.sweep import runner
from toolkit.sweep.runner import Sweep, SweepBusy, Swept
from toolkit.sweep.signups import Signups

DAY = timedelta(1)


@pytest.fixture
async def connections(world: LeftWorld) -> AsyncIterator[Pool]:
    async with pool(world.url, 2, ANYBODYS) as opened:
        yield opened


@pytest.fixture
async def clerk(world: LeftWorld) -> AsyncIterator[BackendClient]:
    async with world.clerk() as client:
        yield client


@pytest.fixture
def sweep(connections: Pool, clerk: BackendClient) -> Sweep:
    return Sweep(connections.acquire, clerk)


async def test_what_was_left_in_the_middle_is_undone_wherever_that_was(
    world: LeftWorld, sweep: Sweep
) -> None:
    await world.leave(0, "invite_taken", clerk_id_known=False)
    await world.leave(1, "row_created")
    assert await sweep.round(unverified=DAY) == Swept(undone=2)
    assert await world.people() == (0, 0)
    assert [await world.uses_left(str(number)) for number in range(2)] == [1, 1]
    assert await world.states() == ["undone", "undone"]


async def test_what_somebody_is_at_or_may_still_verify_stays(world: LeftWorld, sweep: Sweep) -> None:
    await world.leave(0, "row_created", hours=0)
    await world.leave(1, "code_sent", hours=23)
    assert await sweep.round(unverified=DAY) == Swept()
    assert await world.people() == (2, 2)


async def test_a_signup_whose_person_goes_on_just_then_stays(
    world: LeftWorld, connections: Pool, clerk: BackendClient
) -> None:
    signup_id = await world.leave(0, "row_created")
    signups = Signups(connections.acquire, clerk)
    (left,) = await signups.left(settle=timedelta(0), unverified=DAY, most=1)
    await world.connection.execute(
        "UPDATE clerk_migration.signups SET state = 'code_sent' WHERE id = $1", signup_id
    )
    assert await signups.end(left) == "went on"
    assert await world.people() == (1, 1)


async def test_rounds_go_on_until_there_is_nothing_more_to_end(
    world: LeftWorld, sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "PAGE", 2)
    for number in range(5):
        await world.leave(number, "row_created")
    assert await sweep.until_done(unverified=DAY) == Swept(undone=5)
    assert await world.people() == (0, 0)


async def test_a_round_ends_when_clerk_is_out_and_nothing_is_undone(
    world: LeftWorld, sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        await world.leave(number, "code_sent", hours=25)
    asked = []

    async def out(clerk: BackendClient, user_id: str) -> User:
        asked.append(user_id)
        raise ClerkUnavailable("Clerk is out.")

    with monkeypatch.context() as patched:
        patched.setattr(BackendClient, "get_user", out)
        swept = await sweep.until_done(unverified=DAY)
    assert swept == Swept(left=5, errors=["Clerk is out."])
    assert len(asked) == runner.OUTAGES
    assert await world.people() == (5, 5)
    assert await sweep.round(unverified=DAY) == Swept(undone=5)


async def test_one_sweeps_at_a_time_and_a_sweep_that_fails_keeps_nobody_out(
    world: LeftWorld, sweep: Sweep, clerk: BackendClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(signups: Signups, **_: object) -> list[object]:
        with pytest.raises(SweepBusy, match="Another process is sweeping"):
            await sweep.round(unverified=DAY)
        raise RuntimeError("It breaks.")

    async with Database(
        world.url, 2, ANYBODYS
    ) as database:  # a connection stays as it was when it is lent again
        with monkeypatch.context() as patched:
            patched.setattr(Signups, "left", fail)
            with pytest.raises(RuntimeError, match="breaks"):
                await Sweep(database.connection, clerk).round(unverified=DAY)
        assert await sweep.round(unverified=DAY) == Swept()


async def test_without_clerk_a_signup_is_undone_in_ax_and_the_rest_is_for_a_sweep(
    world: LeftWorld, connections: Pool, sweep: Sweep
) -> None:
    signup_id = await world.leave(0, "row_created")
    assert await Signups(connections.acquire, None).undo(signup_id, "abandoned", certain=True)
    assert (await world.people(), await world.uses_left("0"), await world.states()) == (
        (1, 0),
        1,
        ["undoing"],
    )
    assert await sweep.round(unverified=DAY) == Swept(undone=1)
    assert await world.people() == (0, 0)


async def test_a_round_removes_the_stand_ins_of_canaries_that_died(
    world: LeftWorld, clerk: BackendClient, sweep: Sweep
) -> None:
    origin = await world.connection.fetchval("SELECT id::text FROM clerk_migration.origin")
    for canary, minutes in (("canary-old", 11), ("canary-new", 9)):
        await clerk.create_user(
            external_id=canary,
            email_address=f"{canary}@example.com",
            password=PASSWORD,
            private_metadata={"migration_canary": origin},
        )
        await world.connection.execute(
            "INSERT INTO clerk_migration.canaries (canary, event, user_id, noted_at) "
            "VALUES ($1, 'begun', '1', now() - $2 * interval '1 minute')",
            canary,
            minutes,
        )
    assert await sweep.round(unverified=DAY) == Swept(stand_ins=1)
    assert await clerk.find_user_by_external_id("canary-old") is None
    assert await clerk.find_user_by_external_id("canary-new") is not None
