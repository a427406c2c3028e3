"""The commands as an operator meets them: exit codes, messages, and never a traceback."""

import asyncio
import json
import os
import shlex
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from tests import processes
from tests.integration.migration.conftest import AX_SOURCE, World, with_totp
from tests.processes import Running
from tests.waiting import until
from toolkit.terminal.events import schema

SURROUNDINGS = {"PATH": os.environ["PATH"], "COLUMNS": "200"}
PLAYBOOK: dict[str, Any] = {
    "clerk_instance": "development",
    "import": {"disabled_users": "ban"},
    "source": AX_SOURCE,
}


def command(*arguments: str, variables: dict[str, str]) -> Running:
    """Start `python -m toolkit …` with nothing but these variables."""
    return Running("toolkit", *arguments, variables={**SURROUNDINGS, **variables})


def run(*arguments: str, variables: dict[str, str]) -> tuple[int, str, str]:
    """Exit code, standard output and standard error."""
    return processes.run("toolkit", *arguments, variables={**SURROUNDINGS, **variables})


@pytest.fixture
def playbook(tmp_path: Path) -> str:
    path = tmp_path / "test.yaml"
    path.write_text(yaml.safe_dump(PLAYBOOK))
    return str(path)


async def test_import_ends_with_a_summary_and_exit_code_0(world: World, playbook: str) -> None:
    await world.add_many(12)
    code, out, err = run("import", "--yes", "--env", playbook, variables=world.variables)
    assert code == 0, err
    assert "linked to Clerk" in out
    assert "12" in out
    assert "12 of 12" in err
    assert run("import", "--yes", "--env", playbook, variables=world.variables)[0] == 0


async def test_users_who_need_a_person_make_exit_code_3_and_are_listed(world: World, playbook: str) -> None:
    broken = await world.add("broken")
    code, out, _ = run("import", "--yes", "--env", playbook, variables=world.variables)
    assert code == 3
    assert "email_invalid" in out
    assert run("import", "--dry-run", "--env", playbook, variables=world.variables)[0] == 3
    code, out, _ = run("status", "--env", playbook, "--users", variables=world.variables)
    assert (code, out.split()) == (0, [broken, "refused", "email_invalid"])


@pytest.mark.parametrize(
    "command", [("preflight",), ("import", "--dry-run"), ("import", "--yes")], ids=" ".join
)
async def test_an_empty_cohort_is_exit_code_3_and_a_sentence(
    world: World, tmp_path: Path, command: tuple[str, ...]
) -> None:
    await world.add()
    playbook = tmp_path / "own.yaml"
    cohorts = {"staff": "email LIKE '%@nowhere.example'"}
    playbook.write_text(yaml.safe_dump(PLAYBOOK | {"import": {"cohorts": cohorts}}))
    code, _, err = run(*command, "--env", str(playbook), "--cohort", "staff", variables=world.variables)
    assert code == 3
    assert err.startswith("Nobody is in the selection (the cohort 'staff')")
    assert await world.connection.fetchval("SELECT count(*) FROM clerk_migration.runs") == 0


async def test_a_cohort_that_is_all_in_clerk_is_done(world: World, playbook: str) -> None:
    await world.add()
    for _ in range(2):
        code, _, _ = run("import", "--yes", "--percent", "100", "--env", playbook, variables=world.variables)
        assert code == 0


async def test_events_are_json_lines(world: World, playbook: str) -> None:
    await world.add_many(3)
    broken = await world.add("broken")
    _, out, _ = run("import", "--yes", "--env", playbook, "--json", variables=world.variables)
    events = [json.loads(line) for line in out.splitlines()]
    assert events[0] | {"event": "begun", "due": 4, "limit": 10.0} == events[0]
    assert [event for event in events if event["event"] == "user"] == [
        {
            "at": events[1]["at"],
            "event": "user",
            "user_id": broken,
            "state": "refused",
            "code": "email_invalid",
            "clerk_id": None,
        }
    ]
    assert events[-1] | {"event": "ended", "outcome": "finished", "users": 4} == events[-1]
    assert events[-1]["states"] == {"linked": 3, "refused": 1}


async def test_what_follows_is_what_one_would_type(world: World, tmp_path: Path) -> None:
    await world.add_many(2)
    (tmp_path / "a folder").mkdir()
    (tmp_path / "a folder" / "staging.yaml").write_text(yaml.safe_dump(PLAYBOOK))
    naming = ["--env", "staging", "--playbooks", str(tmp_path / "a folder")]
    selection = [
        "--only",
        "user1@example.com",
        "--only",
        "user2@example.com",
        "--limit",
        "1",
        "--rate",
        "7.5",
    ]
    _, out, _ = run("preflight", *selection, *naming, variables=world.variables)
    last = out.splitlines()[-1]
    assert last.startswith("Next: ")
    typed = shlex.split(last.removeprefix("Next: "))
    assert typed == ["python", "-m", "toolkit", "import", *naming, *selection]
    code, _, err = run(*typed[3:], "--yes", variables=world.variables)
    assert code == 0, err
    assert await world.connection.fetchval("SELECT count(clerk_id) FROM users") == 1


async def test_a_dry_run_gives_the_account_of_preflight_and_sends_nothing(
    world: World, playbook: str
) -> None:
    await world.add_many(3)
    await world.add("broken")
    async with world.clerk() as clerk:
        await clerk.create_user(
            email_address="user1@example.com", external_id="somebody else", password="a stranger's password"
        )
    before = world.requests()
    for form in ([], ["--json"]):
        preflight, dry_run = (
            run(*command, "--env", playbook, *form, variables=world.variables)
            for command in (["preflight"], ["import", "--dry-run"])
        )
        assert preflight[:2] == dry_run[:2]
        assert preflight[0] == 3
        assert "email_taken" in dry_run[1]
    assert world.requests() == before
    assert await world.connection.fetchval("SELECT count(clerk_id) FROM users") == 0


async def test_each_has_an_event_for_everybody(world: World, playbook: str) -> None:
    ids = set(await world.add_many(3))
    broken = await world.add("broken")
    arguments = ("import", "--yes", "--env", playbook, "--each")
    _, out, _ = run(*arguments, "--json", variables=world.variables)
    users = [event for event in map(json.loads, out.splitlines()) if event["event"] == "user"]
    linked = {event["user_id"]: event["clerk_id"] for event in users if event["state"] == "linked"}
    assert linked == {user_id: await world.clerk_id(user_id) for user_id in ids}
    assert {event["user_id"]: event["code"] for event in users} == {
        **dict.fromkeys(ids),
        broken: "email_invalid",
    }
    code, _, err = run(*arguments, variables=world.variables)
    assert (code, "Give both" in err) == (2, True)


def test_the_schema_of_the_events_is_printed() -> None:
    code, out, _ = run("events", "--schema", variables={})
    described = json.loads(out)
    Draft202012Validator.check_schema(described)
    assert (code, described) == (0, schema())
    code, out, _ = run("events", variables={})
    assert code == 0
    assert sorted(line.split()[0] for line in out.splitlines()) == sorted(
        described["discriminator"]["mapping"]
    )


async def test_what_the_database_says_cannot_steer_the_terminal(world: World, playbook: str) -> None:
    await world.add("broken")
    run("import", "--yes", "--env", playbook, variables=world.variables)
    await world.connection.execute("UPDATE clerk_migration.import_ledger SET error_code = E'\\x1b[2J\\u009b'")
    for arguments in (("--users",), ()):
        _, out, _ = run("status", "--env", playbook, *arguments, variables=world.variables)
        assert "\\x1b[2J\\x9b" in out
        assert not {"\x1b", "\x9b"} & set(out)


async def test_preflight_and_status_speak_json(world: World, playbook: str) -> None:
    await world.add_many(3)
    await world.add(**with_totp())
    code, out, _ = run("preflight", "--env", playbook, "--json", variables=world.variables)
    found = json.loads(out)
    assert (code, found["importable"], found["second_factor"], found["blocked"]) == (0, 4, 1, False)
    run("import", "--yes", "--env", playbook, variables=world.variables)
    code, out, _ = run("status", "--env", playbook, "--json", variables=world.variables)
    told = json.loads(out)
    assert (code, told["users"], told["linked"], told["legacy"], told["clerk_users"]) == (0, 4, 4, 0, 4)
    assert told["last_run"]["outcome"] == "finished"


async def test_preflight_lists_every_user_that_would_stay(world: World, playbook: str) -> None:
    broken = [await world.add(f"broken{n}") for n in range(30)]
    code, out, _ = run("preflight", "--users", "--env", playbook, variables=world.variables)
    assert code == 3
    assert {*out.splitlines()} == {f"{user_id}\trefused\temail_invalid" for user_id in broken}
    _, out, _ = run("preflight", "--users", "--json", "--env", playbook, variables=world.variables)
    assert {json.loads(line)["user_id"] for line in out.splitlines()} == {*broken}


async def test_no_secret_is_ever_shown(world: World, playbook: str) -> None:
    """Invariant 8."""
    await world.add(**with_totp())
    await world.add("broken@example.com", hashed_password="$argon2id$brokendigest")
    world.emulator.add_fault({"match": {"path": "/v1/users"}, "times": 1, "status": 503})
    shown = ""
    for arguments in (
        ["preflight"],
        ["import", "--yes"],
        ["import", "--yes", "--json"],
        ["status"],
        ["status", "--json"],
    ):
        _, out, err = run(*arguments, "--env", playbook, variables=world.variables)
        shown += out + err
    digests = await world.connection.fetch("SELECT hashed_password FROM users")
    for secret in (
        *[record["hashed_password"] for record in digests],
        world.variables["AX_TOTP_KEY"],
        "JBSWY3DP",
    ):
        assert secret not in shown
    assert world.emulator.secret_key not in shown


def more_users(world: World, than: int) -> bool:
    """Whether Clerk has more."""
    return bool(world.emulator.stats()["users"] > than)


async def test_killed_anywhere_and_run_again(world: World, playbook: str) -> None:
    """Invariant 7: each user once in Clerk, and every one linked."""
    users = 600
    await world.add_many(users)
    world.emulator.settings(latency_ms=20)
    for _ in range(4):
        importing = command("import", "--yes", "--env", playbook, "--rate", "off", variables=world.variables)
        enough = world.emulator.stats()["users"] + 20
        await until(partial(more_users, world, enough))
        importing.kill()
    orphans = world.emulator.stats()["users"] - await world.connection.fetchval(
        "SELECT count(clerk_id) FROM users"
    )
    assert orphans >= 0
    code, out, err = run("import", "--yes", "--env", playbook, "--rate", "off", variables=world.variables)
    assert code == 0, out + err
    assert world.emulator.stats()["users"] == users
    assert await world.connection.fetchval("SELECT count(DISTINCT clerk_id) FROM users") == users


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_ctrl_c_finishes_what_is_in_flight_and_says_how_to_go_on(
    world: World, playbook: str, number: signal.Signals
) -> None:
    await world.add_many(500)
    importing = command("import", "--yes", "--env", playbook, "--rate", "50", variables=world.variables)
    await until(partial(more_users, world, 5))
    importing.send_signal(number)
    assert await asyncio.to_thread(importing.wait) == 130
    assert "goes on from here" in importing.out()
    assert "Traceback" not in importing.err()
    linked = await world.connection.fetchval("SELECT count(clerk_id) FROM users")
    assert world.emulator.stats()["users"] == linked
    assert linked < 500, "it went on to the end"


def without(variables: dict[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in variables.items() if name not in names}


@pytest.mark.parametrize("action", ["preflight", "import"])
@pytest.mark.parametrize(
    ("change", "code", "told"),
    [
        ({"DATABASE_URL": ""}, 2, "DATABASE_URL"),
        ({"DATABASE_URL": "mysql://localhost/ax"}, 2, "postgresql://"),
        ({"DATABASE_URL": "postgresql://postgres@127.0.0.1:1/ax"}, 1, "127.0.0.1:1/ax"),
        ({"DATABASE_URL": "postgresql://postgres@127.0.0.1:port/ax"}, 2, "malformed"),
        ({"CLERK_SECRET_KEY": ""}, 2, "CLERK_SECRET_KEY"),
        ({"CLERK_SECRET_KEY": "hunter2"}, 2, "CLERK_SECRET_KEY"),
        ({"CLERK_SECRET_KEY": "sk_live_" + "x" * 40, "CLERK_PUBLISHABLE_KEY": ""}, 2, "production"),
        ({"CLERK_SECRET_KEY": "sk_test_" + "x" * 40}, 1, "CLERK_SECRET_KEY"),
        ({"CLERK_API_URL": "http://127.0.0.1:1"}, 1, "127.0.0.1:1"),
        ({"CLERK_API_URL": "not an address"}, 2, "CLERK_API_URL"),
        ({"AX_TOTP_KEY": "short"}, 2, "AX_TOTP_KEY"),
    ],
)
async def test_wrong_configuration_is_named_and_nothing_is_done(
    world: World, playbook: str, action: str, change: dict[str, str], code: int, told: str
) -> None:
    await world.add_many(3)
    got, out, err = run(action, "--env", playbook, variables={**world.variables, **change})
    assert (got, told in err) == (code, True), out + err
    assert "hunter2" not in err
    assert world.emulator.stats()["users"] == 0


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("clerk_instance: [", "not valid YAML"),
        ("just words", "mapping"),
        ("clerk_instance: sometimes", "clerk_instance"),
        ("{clerk_instance: development, clerk: x}", "clerk"),
        ("{clerk_instance: development, source: {view: nowhere.sql}}", "nowhere.sql"),
        ("{clerk_instance: development, import: {rate: -1}}", "import.rate"),
    ],
)
def test_a_playbook_that_does_not_fit_is_named(tmp_path: Path, content: str, told: str) -> None:
    path = tmp_path / "odd.yaml"
    path.write_text(content)
    code, _, err = run("status", "--env", str(path), variables={})
    assert (code, told in err) == (2, True), err


@pytest.mark.parametrize(
    "arguments",
    [
        ["import"],
        ["import", "--env", "nowhere"],
        ["import", "--env", "prod", "--percent", "0"],
        ["import", "--env", "prod", "--percent", "101"],
        ["import", "--env", "prod", "--limit", "0"],
        ["import", "--env", "prod", "--rate", "fast"],
        ["import", "--env", "prod", "--rate", "nan"],
        ["import", "--env", "prod", "--cohort", "staff", "--percent", "5"],
        ["import", "--env", "prod", "ada@example.com"],
        ["import", "--env", "prod", "--oops"],
        ["migrate", "--env", "prod", "--oops"],
        ["migrate", "--env", "sandbox", "--status", "--rollback"],
        ["oops"],
    ],
)
def test_wrong_usage_is_exit_code_2(arguments: list[str]) -> None:
    code, _, err = run(*arguments, variables={})
    assert code == 2, err
    assert err


async def test_without_a_terminal_an_import_needs_yes(world: World, playbook: str) -> None:
    """Invariant 11."""
    await world.add_many(1)
    code, _, err = run("import", "--env", playbook, variables=world.variables)
    assert (code, "--yes" in err) == (2, True)
    assert world.emulator.stats()["users"] == 0
    assert run("import", "--env", playbook, "--yes", variables=world.variables)[0] == 0


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("DROP VIEW clerk_migration.source", "migrate"),
        (
            "CREATE OR REPLACE VIEW clerk_migration.source AS SELECT 1 AS id",
            "email: is missing",
        ),
        (
            "CREATE VIEW clerk_migration.source AS SELECT id, 1 AS email, true AS email_verified FROM users",
            "email: is integer, must be text",
        ),
    ],
)
async def test_a_source_view_that_does_not_fit_is_named(
    world: World, playbook: str, statement: str, told: str
) -> None:
    await world.connection.execute("DROP VIEW clerk_migration.source CASCADE")
    if "DROP" not in statement:
        await world.connection.execute(statement)
    reading = (
        ["preflight"] if "DROP" not in statement else []
    )  # its file stands in for a view that is not there
    for action in (*reading, "import", "status"):
        code, _, err = run(action, "--env", playbook, variables=world.variables)
        assert (code, told in err) == (2, True), err


async def test_migrate_tells_of_a_view_that_does_not_fit(world: World, tmp_path: Path) -> None:
    view = tmp_path / "view.sql"
    view.write_text("CREATE VIEW clerk_migration.source AS SELECT id, email FROM users;")
    playbook = tmp_path / "own.yaml"
    playbook.write_text(yaml.safe_dump(PLAYBOOK | {"source": {**AX_SOURCE, "view": str(view)}}))
    code, _, err = run("migrate", "--yes", "--env", str(playbook), variables=world.variables)
    assert (code, "password_digest: is missing" in err) == (2, True)


@pytest.mark.parametrize(
    ("returned", "told"),
    [
        ("id", "it returns id (uuid)"),
        ("id::text AS user_id", "it returns user_id (text)"),
        ("no_such_column", "does not work"),
    ],
)
async def test_a_write_back_that_cannot_work_is_named_before_anybody_is_sent(
    world: World, tmp_path: Path, returned: str, told: str
) -> None:
    await world.add()
    link = tmp_path / "link.sql"
    link.write_text(
        "-- name: link\nUPDATE users SET clerk_id = g.clerk_id FROM unnest(:ids::uuid[], :clerk_ids::text[]) AS g (gid, clerk_id) "
        f"WHERE id = gid AND email NOT LIKE '100%' RETURNING {returned};"
    )
    playbook = tmp_path / "own.yaml"
    playbook.write_text(yaml.safe_dump(PLAYBOOK | {"source": {**AX_SOURCE, "link": str(link)}}))
    code, _, err = run("import", "--yes", "--env", str(playbook), variables=world.variables)
    assert (code, str(link) in err, told in err) == (2, True, True), err
    assert world.emulator.stats()["users"] == 0


def test_an_interrupt_at_once_is_told_in_a_sentence() -> None:
    """While Python still loads the modules."""
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED], env=SURROUNDINGS, stderr=subprocess.PIPE, text=True
    )
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "Interrupted. Nothing was begun.\n")


INTERRUPTED = """
import runpy, sys
class Interrupted:
    def find_spec(self, name, path=None, target=None):
        if name == "toolkit.cli.main":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupted())
sys.argv = ["toolkit"]
runpy.run_module("toolkit", run_name="__main__")
"""
"""A Ctrl-C that comes while the command line is loaded."""


def test_every_command_has_help() -> None:
    for arguments in (
        [],
        ["migrate"],
        ["preflight"],
        ["import"],
        ["status"],
        ["user"],
        ["sandbox"],
        ["sandbox", "start"],
    ):
        code, out, _ = run(*arguments, "--help", variables={})
        assert code == 0
        assert "Usage: python -m toolkit" in out


async def test_an_output_that_is_closed_is_not_told_as_a_lost_database(world: World, playbook: str) -> None:
    await world.add_many(5)
    importing = subprocess.Popen(  # noqa: ASYNC220 - it starts at once
        [sys.executable, "-m", "toolkit", "import", "--yes", "--env", playbook, "--json"],
        env={**SURROUNDINGS, **world.variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    assert importing.stdout is not None
    importing.stdout.close()
    assert importing.stderr is not None
    told = await asyncio.to_thread(importing.stderr.read)
    assert importing.wait(60) == 1
    assert "Postgres" not in told
    assert "Traceback" not in told
