"""An import that runs goes by the switches `import` and `import_rate`."""

import asyncio
import json
import signal
from functools import partial

import pytest
from jsonschema import Draft202012Validator

from tests.integration.migration.conftest import World
from tests.integration.migration.test_cli import command, more_users, run
from tests.integration.migration.test_cli import playbook as playbook
from tests.processes import Running
from tests.waiting import until
from toolkit import switches
from toolkit.errors import ToolkitError
from toolkit.migration.controls import Controls, Stop
from toolkit.migration.observer import Begun, Observer, Pause
from toolkit.migration.run import AlreadyRunning
from toolkit.terminal.events import schema
from toolkit.who import who

VALID = Draft202012Validator(schema(), format_checker=Draft202012Validator.FORMAT_CHECKER)


class Telling(Observer):
    """Keeps what an import tells of its controls."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def begun(self, run: Begun) -> None:
        self.told.append(("begun", run.limit))

    def paused(self, pause: Pause) -> None:
        self.told.append(pause)

    def resumed(self) -> None:
        self.told.append("resumed")

    def paced(self, limit: float | None) -> None:
        self.told.append(limit)


def switch(world: World, playbook: str, *arguments: str) -> str:
    code, out, err = run("switch", "--env", playbook, *arguments, "--yes", variables=world.variables)
    assert code == 0, err
    return out


def events_of(importing: Running) -> list[dict[str, object]]:
    """What it has told so far, each as the schema has it."""
    lines = importing.out().splitlines(keepends=True)
    events = [json.loads(line) for line in lines if line.endswith("\n")]
    for event in events:
        VALID.validate(event)
    return events


def names(importing: Running) -> list[object]:
    return [event["event"] for event in events_of(importing)]


async def test_a_pause_holds_an_import_that_runs_until_it_is_over(world: World, playbook: str) -> None:
    await world.add_many(60)
    importing = command(
        *("import", "--yes", "--json", "--env", playbook, "--rate", "20"), variables=world.variables
    )
    await until(partial(more_users, world, 3))
    switch(world, playbook, "import", "paused")
    await until(lambda: "paused" in names(importing))
    await asyncio.sleep(1)  # what was under way ends
    held = world.emulator.stats()["users"]
    await until(lambda: events_of(importing)[-1].get("paused_by"))
    with pytest.raises(AlreadyRunning):
        await world.run()
    await asyncio.sleep(0.5)
    assert world.emulator.stats()["users"] == held < 60
    pause = next(event for event in events_of(importing) if event["event"] == "paused")
    (change,) = await switches.read_history(world.environment)
    assert (pause["by"], "@" in change.by, change.role) == (change.by, True, "ax")
    switch(world, playbook, "import", "running")
    assert await asyncio.to_thread(importing.wait) == 0, importing.err()
    assert world.emulator.stats()["users"] == 60
    assert names(importing).index("resumed") > names(importing).index("paused")


async def test_an_import_that_is_started_in_a_pause_says_so_and_waits(world: World, playbook: str) -> None:
    await world.add_many(3)
    switch(world, playbook, "import", "paused")
    importing = command("import", "--yes", "--env", playbook, variables=world.variables)
    await until(lambda: "Imports are paused by" in importing.err())
    await asyncio.sleep(0.5)
    assert world.emulator.stats()["users"] == 0
    switch(world, playbook, "import", "running")
    assert await asyncio.to_thread(importing.wait) == 0
    assert "The import goes on." in importing.err()
    assert world.emulator.stats()["users"] == 3


async def test_ctrl_c_ends_a_paused_import_at_once(world: World, playbook: str) -> None:
    await world.add_many(60)
    importing = command("import", "--yes", "--env", playbook, "--rate", "20", variables=world.variables)
    await until(partial(more_users, world, 3))
    switch(world, playbook, "import", "paused")
    await until(lambda: "Imports are paused by" in importing.err())
    importing.send_signal(signal.SIGINT)
    assert await asyncio.to_thread(importing.wait) == 130
    users = world.emulator.stats()["users"]
    assert users == await world.connection.fetchval("SELECT count(clerk_id) FROM users") < 60
    assert await world.connection.fetchval("SELECT count(*) FROM clerk_migration.sending") == 0


async def test_clerk_is_left_alone_in_a_pause_also_about_what_a_killed_run_left(world: World) -> None:
    user_id = await world.add()
    await world.run()
    await world.connection.execute("UPDATE users SET clerk_id = NULL")
    await world.connection.execute(
        "INSERT INTO clerk_migration.sending SELECT $1, max(id) FROM clerk_migration.runs", user_id
    )
    await switches.write(world.environment, "import", "paused")
    asked, stop, telling = world.requests("GET /v1/users"), Stop(), Telling()
    importing = asyncio.create_task(world.run(stop=stop, observer=telling))
    await until(lambda: len(telling.told) == 2)
    stop()
    assert (await importing).outcome == "interrupted"
    assert world.requests("GET /v1/users") == asked
    assert await world.connection.fetchval("SELECT count(*) FROM clerk_migration.sending") == 1


async def test_another_pace_is_gone_by_at_once(world: World) -> None:
    await world.add_many(40)
    telling = Telling()
    importing = asyncio.create_task(world.run(rate=0.1, observer=telling))
    await until(lambda: telling.told)
    await switches.write(world.environment, "import_rate", "200")
    await importing
    assert telling.told == [("begun", 0.1), 200.0]
    assert await world.connection.fetchval("SELECT count(clerk_id) FROM users") == 40
    await world.add("late@example.com")
    again = Telling()
    await world.run(rate=0.1, observer=again)
    assert again.told == [("begun", 200.0)], "it holds for the next import, too"


async def test_an_import_that_cannot_be_paused_any_more_stops(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.add_many(40)
    telling = Telling()
    importing = asyncio.create_task(world.run(rate=5, observer=telling))
    await until(lambda: telling.told)
    await world.connection.execute("ALTER TABLE clerk_migration.switches RENAME TO elsewhere")
    with pytest.raises(ToolkitError, match="not prepared"):
        await importing
    assert await world.connection.fetchval("SELECT count(clerk_id) FROM users") < 40


def test_the_switches_are_looked_at_several_times_a_second() -> None:
    assert Controls.SECONDS < 0.5


async def test_every_change_of_a_switch_is_kept(world: World, playbook: str) -> None:
    switch(world, playbook, "import_rate", "12.5")
    switch(world, playbook, "import_rate", "12.5")
    await world.connection.execute(
        "UPDATE clerk_migration.switches SET value = 'off' WHERE name = 'legacy_login'"
    )
    code, out, _ = run("switch", "--env", playbook, "--history", "--json", variables=world.variables)
    changes = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [(c["name"], c["before"], c["value"], c["role"]) for c in changes] == [
        ("import_rate", "default", "12.5", "ax"),
        ("legacy_login", "on", "off", "ax"),
    ]
    assert "@" in changes[0]["by"]
    assert changes[1]["by"] == "the role ax", "it was changed past the toolkit"
    told = run("switch", "--env", playbook, "--history", variables=world.variables)[1]
    assert "legacy_login    on -> off  by the role ax, as ax" in told
    assert f"by {changes[0]['by']}" in switch(world, playbook)


@pytest.mark.parametrize("statement", ["UPDATE {} SET value = 'on'", "DELETE FROM {}"])
async def test_the_history_of_the_switches_is_not_rewritten(world: World, statement: str) -> None:
    await switches.write(world.environment, "signup", "clerk")
    with pytest.raises(Exception, match="is a record"):
        await world.connection.execute(statement.format("clerk_migration.switch_history"))


@pytest.mark.parametrize("value", ["0", "0.0", "-1", "10000", "1e3", "off", "nan", "1.2345", "", "١"])
async def test_what_is_no_rate_is_refused(world: World, playbook: str, value: str) -> None:
    code, _, err = run(
        "switch", "--env", playbook, "--yes", "--", "import_rate", value, variables=world.variables
    )
    assert (code, "requests a second above 0 and below 10000, default" in err) == (2, True), err
    with pytest.raises(Exception, match="check"):
        await world.connection.execute(
            "UPDATE clerk_migration.switches SET value = $1 WHERE name = 'import_rate'", value
        )


async def test_an_import_stands_by_and_takes_over_when_the_other_dies(world: World, playbook: str) -> None:
    """Invariant 7."""
    await world.add_many(60)
    arguments = ("import", "--yes", "--json", "--env", playbook, "--rate", "20")
    first = command(*arguments, variables=world.variables)
    await until(partial(more_users, world, 3))
    second = command(*arguments, "--wait", variables=world.variables)
    await until(lambda: "waiting" in names(second))
    assert names(second) == ["waiting"]
    assert events_of(second)[0] | {"run": events_of(first)[0]["run"], "by": who()} == events_of(second)[0]
    first.kill()
    assert await asyncio.to_thread(second.wait) == 0, second.err()
    assert names(second)[:2] == ["waiting", "begun"]
    assert world.emulator.stats()["users"] == 60
    assert await world.connection.fetchval("SELECT count(DISTINCT clerk_id) FROM users") == 60


async def test_ctrl_c_ends_an_import_that_stands_by_at_once(world: World, playbook: str) -> None:
    await world.add()
    await world.connection.execute("SELECT pg_advisory_lock(hashtextextended('clerk_migration.import', 0))")
    waiting = command("import", "--yes", "--json", "--wait", "--env", playbook, variables=world.variables)
    await until(lambda: "waiting" in names(waiting))
    waiting.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(waiting.wait) == 130
    assert events_of(waiting)[-1]["outcome"] == "interrupted"
    assert "Interrupted while it waited for another import. Nothing was begun." in waiting.err()
    assert await world.connection.fetchval("SELECT count(*) FROM clerk_migration.runs") == 0


async def test_who_runs_the_other_import_is_told(world: World) -> None:
    await world.add_many(30)
    importing = asyncio.create_task(world.run(rate=20))
    await until(partial(more_users, world, 1))
    with pytest.raises(AlreadyRunning, match=rf"run 1 of {who()}, since .* With --wait"):
        await world.run()
    await importing


async def test_a_wrong_key_is_told_before_the_waiting(world: World, playbook: str) -> None:
    await world.add()
    await world.connection.execute("SELECT pg_advisory_lock(hashtextextended('clerk_migration.import', 0))")
    wrong = {**world.variables, "CLERK_SECRET_KEY": "sk_test_" + "x" * 40}
    code, _, err = run("import", "--yes", "--wait", "--env", playbook, variables=wrong)
    assert (code, "CLERK_SECRET_KEY" in err) == (1, True)
