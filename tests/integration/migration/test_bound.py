"""A database belongs to one environment, and nothing is written there before it is said what (invariant 11)."""

import asyncio
from pathlib import Path

import pytest
import yaml

from tests.integration.migration.conftest import World
from tests.integration.migration.test_cli import PLAYBOOK, run
from tests.terminal import answer
from toolkit.database import address


@pytest.fixture
def playbooks(tmp_path: Path) -> dict[str, str]:
    """Paths of two environments' playbooks, by their names."""
    for name in ("demo", "prod"):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(PLAYBOOK))
    return {name: str(tmp_path / f"{name}.yaml") for name in ("demo", "prod")}


async def bound_to(world: World) -> str | None:
    name: str | None = await world.connection.fetchval("SELECT environment FROM clerk_migration.origin")
    return name


async def test_migrate_writes_the_environments_name_into_the_database(
    world: World, playbooks: dict[str, str]
) -> None:
    assert await bound_to(world) is None
    assert run("migrate", "--yes", "--env", playbooks["demo"], variables=world.variables)[0] == 0
    assert await bound_to(world) == "demo"
    assert run("migrate", "--yes", "--env", playbooks["demo"], variables=world.variables)[0] == 0


@pytest.mark.parametrize(
    "command",
    [
        ("migrate", "--yes"),
        ("migrate", "--status"),
        ("migrate", "--rollback", "--yes"),
        ("preflight",),
        ("import", "--yes"),
        ("import", "--dry-run"),
        ("status",),
        ("switch",),
        ("switch", "signup", "clerk", "--yes"),
        ("sweep", "--yes"),
    ],
    ids=" ".join,
)
async def test_another_environments_commands_are_refused(
    world: World, playbooks: dict[str, str], command: tuple[str, ...]
) -> None:
    await world.add()
    run("migrate", "--yes", "--env", playbooks["demo"], variables=world.variables)
    code, _, err = run(*command, "--env", playbooks["prod"], variables=world.variables)
    assert code == 2
    assert "belongs to the environment 'demo'" in err
    assert "'prod'" in err
    assert await bound_to(world) == "demo"
    assert world.emulator.stats()["users"] == 0
    assert (
        await world.connection.fetchval("SELECT value FROM clerk_migration.switches WHERE name = 'signup'")
        == "legacy"
    )


@pytest.mark.parametrize(
    ("command", "named"),
    [
        (("migrate",), ["Install the source view", "as ax", "'demo'"]),
        (("migrate", "--rollback"), ["the migration ax-0006-source-view", "as ax", "'demo'"]),
        (("canary", "--email", "ada@example.com"), ["a stand-in for one account", "instance ins_"]),
        (
            ("import",),
            ["No password was proven there yet", "1 users (everybody)", "development instance ins_"],
        ),
        (("import", "--percent", "100", "--limit", "3"), ["1 users (100 % of all, 3 at most)"]),
        (("switch", "legacy_login", "off"), ["1 users are not in Clerk", "legacy_login to off"]),
        (("switch", "signup", "clerk"), ["becomes a user of Clerk", "signup to clerk"]),
        (("sweep",), ["0 signups are open", "development instance"]),
    ],
    ids=lambda value: " ".join(value),
)
async def test_what_is_declined_changes_nothing(
    world: World, playbooks: dict[str, str], command: tuple[str, ...], named: list[str]
) -> None:
    await world.add()
    before = await everything(world)
    code, shown = await asyncio.to_thread(
        answer, "n", *command, "--env", playbooks["demo"], variables=world.variables
    )
    said = " ".join(shown.split())
    for what in (address(world.url), *named):
        assert what in said
    assert "Aborted." in said
    assert code == 130
    assert await everything(world) == before
    assert world.emulator.stats()["users"] == 0


async def test_what_is_agreed_to_is_done(world: World, playbooks: dict[str, str]) -> None:
    user_id = await world.add()
    arguments = ("import", "--env", playbooks["demo"])
    code, _ = await asyncio.to_thread(answer, "y", *arguments, variables=world.variables)
    assert code == 0
    assert await world.clerk_id(user_id) is not None


async def everything(world: World) -> str:
    """What the commands write to."""
    tables = ("users", "clerk_migration.switches", "clerk_migration.origin", "_yoyo_migration")
    return str([await world.connection.fetch(f"SELECT * FROM {table} ORDER BY 1") for table in tables])  # noqa: S608
