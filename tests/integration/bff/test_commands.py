"""`toolkit switch` and `toolkit sweep`, as an operator runs them."""

import asyncio
import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tests import processes
from tests.integration.bff.conftest import World

CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("CLERK_", "AX_"))}


async def run(
    world: World, command: str, playbook: Path, *arguments: str, **variables: str
) -> tuple[int, str, str]:
    """Exit code, standard output and standard error."""
    return await asyncio.to_thread(
        processes.run,
        "toolkit",
        *(command, "--env", str(playbook), *arguments),
        variables={**CLEAN, **world.variables, **variables},
    )


async def test_switches_are_shown_and_set(world: World) -> None:
    playbook = world.playbook()
    code, out, _ = await run(world, "switch", playbook)
    assert code == 0
    assert [line.split()[:2] for line in out.splitlines()] == [
        ["signup", "legacy"],
        ["legacy_login", "on"],
        ["import", "running"],
        ["import_rate", "default"],
    ]
    told = (await run(world, "switch", playbook, "signup", "clerk", "--yes"))[1]
    assert told == "signup is clerk; it was legacy.\n"
    told = (await run(world, "switch", playbook, "signup", "clerk", "--yes"))[1]
    assert told == "signup is clerk already.\n"
    assert json.loads((await run(world, "switch", playbook, "--json"))[1])["signup"] == "clerk"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ("signups", "clerk"),
            "There is no switch 'signups'. There are: signup, legacy_login, import, import_rate.",
        ),
        (("signup", "on"), "signup cannot be 'on'. signup is one of: legacy, clerk."),
        (("signup",), "A value is missing. signup is one of: legacy, clerk."),
        (("signup", "clerk"), "Say --yes if you mean it."),
    ],
)
async def test_what_is_no_switch_changes_nothing(world: World, arguments: tuple[str, ...], told: str) -> None:
    playbook = world.playbook()
    code, _, err = await run(world, "switch", playbook, *arguments)
    assert code == 2
    assert told in err
    assert json.loads((await run(world, "switch", playbook, "--json"))[1])["signup"] == "legacy"


async def test_a_database_that_is_away_is_said(world: World) -> None:
    gone = world.url.rpartition("/")[0] + "/nowhere"
    code, _, err = await run(world, "switch", world.playbook(), DATABASE_URL=gone)
    assert code == 1
    assert "nowhere" in err


async def test_a_sweep_undoes_what_was_left(world: World) -> None:
    await world.switch("signup", "clerk")
    await world.invite()
    bff, playbook = await world.bff(), world.playbook()
    await bff.sign_up()
    code, out, _ = await run(world, "sweep", playbook, "--yes")
    assert (code, out) == (0, "Signups: 0 finished, 0 undone, 0 left for the next sweep.\n")
    code, out, _ = await run(world, "sweep", playbook, "--yes", "--unverified-hours", "0", "--json")
    assert (code, json.loads(out)) == (
        0,
        {"finished": 0, "undone": 1, "left": 0, "stand_ins": 0, "errors": []},
    )
    assert (await world.people(), await world.uses_left()) == ((0, 0), 1)


async def test_a_sweep_while_clerk_is_out_leaves_the_rest_to_the_next(world: World) -> None:
    await world.switch("signup", "clerk")
    await world.invite()
    bff, playbook = await world.bff(), world.playbook()
    await bff.sign_up()
    await asyncio.to_thread(
        world.emulator.add_fault, {"match": {"path": "/v1/users*"}, "times": 100, "status": 401}
    )
    code, out, err = await run(world, "sweep", playbook, "--yes", "--unverified-hours", "0")
    await asyncio.to_thread(world.emulator.clear_faults)
    assert (code, "1 left" in out, "401" in err) == (1, True, True)
    assert (await run(world, "sweep", playbook, "--yes", "--unverified-hours", "0"))[0] == 0
    assert (await world.people(), await world.uses_left()) == ((0, 0), 1)


async def test_a_sweep_does_not_call_over_what_clerk_may_still_do(world: World) -> None:
    await world.switch("signup", "clerk")
    await world.invite()
    bff, playbook = await world.bff(), world.playbook()
    await asyncio.to_thread(
        world.emulator.add_fault,
        {"match": {"method": "POST", "path": "/v1/users"}, "times": 100, "drop": "before"},
    )
    assert (await bff.sign_up()).status == 503
    code, out, err = await run(world, "sweep", playbook, "--yes")
    assert (code, "1 left" in out, "less than 2 minutes ago" in err) == (3, True, True)
    await world.connection.execute(
        "UPDATE clerk_migration.signups SET updated_at = updated_at - interval '2 minutes'"
    )
    assert await run(world, "sweep", playbook, "--yes") == (
        0,
        "Signups: 0 finished, 1 undone, 0 left for the next sweep.\n",
        "",
    )


async def test_one_sweeps_at_a_time(world: World) -> None:
    await world.connection.execute("SELECT pg_advisory_lock(hashtextextended('clerk_migration.sweep', 0))")
    code, _, err = await run(world, "sweep", world.playbook(), "--yes")
    assert (code, "Another process is sweeping" in err) == (1, True)


async def test_a_bff_does_not_serve_another_environments_database(world: World) -> None:
    await world.connection.execute("UPDATE clerk_migration.origin SET environment = 'another'")
    command = [sys.executable, "-m", "bff", "--env", str(world.playbook())]
    variables = {**CLEAN, **world.variables}
    done = await asyncio.to_thread(subprocess.run, command, env=variables, capture_output=True, timeout=60)
    assert (done.returncode, b"belongs to the environment 'another'" in done.stderr) == (2, True), done


def test_the_bff_tells_its_version() -> None:
    code, out, err = processes.run("bff", "--version", variables=CLEAN)
    assert (code, err) == (0, "")
    assert out.strip() == version("postgres-to-clerk")
