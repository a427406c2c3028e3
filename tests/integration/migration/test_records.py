"""What is kept of runs and users: append-only, with who, when and why, and no secret."""

import asyncio
import json
from functools import partial

import pytest

from tests.integration.migration.conftest import World
from tests.integration.migration.test_cli import command, more_users, run
from tests.integration.migration.test_cli import playbook as playbook
from tests.waiting import until
from toolkit.migration.importer import ImportStopped
from toolkit.migration.observer import Begun, Observer
from toolkit.migration.status import PastRun, read_runs
from toolkit.paths import ROOT
from toolkit.who import version, who

_PAGE = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
HANDBOOK = _PAGE.partition("## A copy of a database")[2].partition("```sql")[2].partition("```")[0]
"""What it has an operator run on a copy."""


async def runs(world: World) -> list[PastRun]:
    """The oldest first."""
    return (await read_runs(world.environment, 100))[::-1]


async def test_a_run_is_kept_with_who_what_and_how_it_ended(world: World) -> None:
    await world.add()
    await world.run(rate=50, limit=7)
    (kept,) = await runs(world)
    assert (kept.operator, kept.role, kept.version) == (who(), "ax", version())
    assert kept.options | {"limit": 7, "rate": 50, "cohort": None} == kept.options
    assert (kept.outcome, kept.error, kept.counts["states"]) == ("finished", None, {"linked": 1})
    assert kept.finished_at is not None


async def test_what_stopped_a_run_is_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolkit.migration.importer.Importer.OUTAGES", 3)
    monkeypatch.setattr("toolkit.clerk.transport.FIRST_DELAY", 0.01)
    await world.add_many(10)
    world.emulator.add_fault({"match": {"method": "POST", "path": "/v1/users"}, "times": 1000, "status": 503})
    with pytest.raises(ImportStopped) as stopped:
        await world.run()
    (kept,) = await runs(world)
    assert (kept.outcome, kept.error) == ("failed", str(stopped.value))


async def test_what_postgres_refuses_is_kept_without_the_row(world: World) -> None:
    """Invariant 8: its details quote the row, digests and all."""
    await world.add()
    await world.connection.execute(
        "ALTER TABLE clerk_migration.import_ledger ADD CHECK (state <> 'linked') NOT VALID"
    )
    ended = await world.run()
    (kept,) = await runs(world)
    assert (ended.outcome, kept.error) == ("finished", None), "it is told of the user"
    await world.connection.execute("DROP TABLE clerk_migration.sending")
    with pytest.raises(Exception, match="sending"):
        await world.run()
    kept = (await runs(world))[-1]
    assert kept.outcome == "failed"
    assert kept.error is not None
    assert "sending" in kept.error
    assert "argon2" not in kept.error


async def test_an_unexpected_error_is_kept_by_its_name(world: World) -> None:
    class Failing(Observer):
        def begun(self, run: Begun) -> None:
            raise RuntimeError("hunter2")

    await world.add()
    with pytest.raises(RuntimeError):
        await world.run(observer=Failing())
    (kept,) = await runs(world)
    assert (kept.outcome, kept.error) == ("failed", "RuntimeError")


async def test_a_run_that_was_stopped_at_once_says_so(world: World) -> None:
    await world.add_many(50)
    importing = asyncio.create_task(world.run(rate=5))
    await until(partial(more_users, world, 0))
    importing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await importing
    (kept,) = await runs(world)
    assert (kept.outcome, kept.error) == ("interrupted", "It was stopped at once.")


async def test_a_killed_run_is_closed_by_the_next(world: World, playbook: str) -> None:
    await world.add_many(60)
    importing = command("import", "--yes", "--env", playbook, "--rate", "20", variables=world.variables)
    await until(partial(more_users, world, 3))
    importing.kill()
    (killed,) = await runs(world)
    assert killed.outcome is None
    await world.run()
    killed, second = await runs(world)
    assert (killed.outcome, killed.finished_at, second.outcome) == ("killed", None, "finished")
    assert killed.error == f"It never said how it ended; run {second.id} found that."
    code, out, _ = run("status", "--runs", "--env", playbook, variables=world.variables)
    lines = out.splitlines()
    assert (code, len(lines)) == (0, 3)
    assert f"finished, by {who()} as ax, version {version()}, {{" in lines[0]
    assert f"killed, by {who()}" in lines[1]
    assert lines[2].strip() == killed.error
    told = run("status", "--runs", "--json", "--env", playbook, variables=world.variables)[1]
    assert [json.loads(line)["outcome"] for line in told.splitlines()] == ["finished", "killed"]


async def test_what_became_of_each_user_in_each_run_is_kept(world: World) -> None:
    good, broken = await world.add(), await world.add("broken")
    first = await world.run()
    await world.connection.execute("UPDATE users SET email = 'mended@example.com' WHERE email = 'broken'")
    second = await world.run()
    kept = await world.connection.fetch(
        "SELECT run_id, user_id, state, error_code, clerk_id FROM clerk_migration.import_history ORDER BY run_id, state"
    )
    assert [tuple(record) for record in kept] == [
        (first.run_id, good, "linked", None, await world.clerk_id(good)),
        (first.run_id, broken, "refused", "email_invalid", None),
        (second.run_id, broken, "linked", None, await world.clerk_id(broken)),
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE clerk_migration.import_history SET state = 'held'",
        "DELETE FROM clerk_migration.import_history",
        "UPDATE clerk_migration.runs SET operator = 'somebody else'",
        "DELETE FROM clerk_migration.runs",
    ],
)
async def test_no_record_is_rewritten(world: World, statement: str) -> None:
    await world.add()
    await world.run()
    with pytest.raises(Exception, match="is a record"):
        await world.connection.execute(statement)


async def test_a_copy_is_emptied_as_the_handbook_says(world: World) -> None:
    await world.add()
    await world.run()
    await world.connection.execute(HANDBOOK)
    assert await runs(world) == []
    assert await world.connection.fetchval("SELECT count(*) FROM clerk_migration.import_history") == 0
