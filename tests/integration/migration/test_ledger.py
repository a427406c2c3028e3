"""The ledger against a real Postgres: nothing that was settled is forgotten, and little waits."""

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest

from tests.integration.migration.conftest import AX_SOURCE, World
from toolkit import database, paths
from toolkit.database import ANYBODYS
from toolkit.migration.ledger import Ledger, LinkImpossible, Outcome
from toolkit.migration.links import Links, Sent
from toolkit.migration.observer import Observer
from toolkit.migration.plan import REASONS, State
from toolkit.migration.run import begin
from toolkit.migration.source import Cohort, Source, SourceUser

LEFT = Outcome("left", State.REFUSED, REASONS["email_invalid"])


@pytest.fixture
async def ledger(world: World) -> AsyncIterator[Ledger]:
    run_id = await begin(world.connection, "test", {})
    async with database.pool(world.url, 1, ANYBODYS) as pool:
        yield Ledger(pool, Links(paths.ROOT / str(AX_SOURCE["link"])), run_id)


async def due(world: World) -> list[SourceUser]:
    source = await Source.open(world.connection, Cohort())
    await source.find_duplicates()
    return [user async for batch in source.batches() for user in batch]


async def rows(world: World) -> int:
    number: int = await world.connection.fetchval("SELECT count(*) FROM clerk_migration.import_ledger")
    return number


@pytest.mark.parametrize("users", [1, 5])
async def test_a_link_that_the_table_does_not_take_costs_no_other_outcome(
    world: World, ledger: Ledger, users: int
) -> None:
    """Invariants 1 and 7: the Clerk id is another row's, and whatever shares the transaction is written all the same."""
    await world.add("theirs@example.com", clerk_id="user_taken")
    await world.add_many(users)
    wrong, *others = await due(world)
    async with ledger:
        await ledger.begin([wrong, *others])
        ledger.record(LEFT)
        answers = await asyncio.gather(
            ledger.link(Sent(wrong, "user_taken")),
            *(ledger.link(Sent(user, f"user_{user.id}")) for user in others),
            return_exceptions=True,
        )
    assert isinstance(answers[0], LinkImpossible)
    assert answers[0].reason.code == "clerk_id_taken"
    assert answers[1:] == [True] * len(others)
    assert await world.clerk_id(wrong.external_id) is None
    assert await world.ledger("left") == ("refused", "email_invalid")
    for user in others:
        assert await world.ledger(user.external_id) == ("linked", None)
        assert await world.clerk_id(user.external_id) == f"user_{user.id}"


async def test_there_is_no_room_until_enough_is_written(
    world: World, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The backlog counts links and outcomes that wait, together."""
    monkeypatch.setattr(Ledger, "BACKLOG", 2)
    monkeypatch.setattr(Ledger, "SECONDS", 2)
    await world.add()
    [user] = await due(world)
    async with ledger:
        await ledger.begin([user])
        ledger.record(LEFT)
        await ledger.room()
        assert await rows(world) == 0, "one more may wait"
        linking = asyncio.create_task(ledger.link(Sent(user, "user_1")))
        await asyncio.sleep(0)
        await ledger.room()
        assert await rows(world) == 2
        assert await linking


async def test_an_import_never_has_more_unwritten_than_the_backlog(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise millions of rows that can't go over would fill the memory."""
    monkeypatch.setattr(Ledger, "BACKLOG", 4)
    monkeypatch.setattr(Ledger, "SECONDS", 0.01)
    for n in range(12):
        await world.add(f"broken {n}")
    waiting: list[int] = []
    with psycopg.connect(world.url, autocommit=True) as connection:

        class Counting(Observer):
            def settled(self, outcome: Outcome) -> None:
                written = connection.execute("SELECT count(*) FROM clerk_migration.import_ledger").fetchone()
                assert written is not None
                waiting.append(len(waiting) + 1 - written[0])

        await world.run(observer=Counting())
    assert len(waiting) == 12
    assert max(waiting) <= 4


async def test_attempts_add_up_over_the_runs(world: World) -> None:
    user_id = await world.add()
    for attempts in (1, 2, 3):
        world.emulator.add_fault(
            {"match": {"method": "POST", "path": "/v1/users"}, "times": 1, "status": 422}
        )
        await world.run()
        assert await world.ledger(user_id) == ("failed", "form_param_value_invalid")
        record = await world.connection.fetchrow("SELECT attempts, run_id FROM clerk_migration.import_ledger")
        assert record is not None
        assert record["attempts"] == attempts
    await world.run()
    assert await world.ledger(user_id) == ("linked", None)


async def test_what_an_earlier_run_noted_is_not_forgotten_with_those_who_were_not_sent(
    world: World, ledger: Ledger
) -> None:
    """Invariant 7: that run may have sent them."""
    before, after = await world.add("a@example.com"), await world.add("b@example.com")
    noted = "INSERT INTO clerk_migration.sending SELECT $1, max(id) FROM clerk_migration.runs"
    await world.connection.execute(noted, before)
    users = await due(world)
    async with ledger:
        await ledger.begin(users)
        await ledger.forget(users)
    left = await world.connection.fetch("SELECT user_id FROM clerk_migration.sending")
    assert ([record["user_id"] for record in left], len(users)) == ([before], 2), after
