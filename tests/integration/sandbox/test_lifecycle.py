"""Starting, stopping, emptying: what a tester can rely on."""

import json
import os
import shlex
import socket
import subprocess
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from tests.integration.sandbox.conftest import kill, query, toolkit, toolkit_here
from toolkit.clerk import SANDBOX_KEY
from toolkit.errors import UsageError
from toolkit.sandbox import lifecycle, state
from toolkit.sandbox.emulator.process import EmulatorFailed
from toolkit.sandbox.processes import PortInUse
from toolkit.sandbox.state import FolderUnusable, Sandbox, SandboxBusy, SandboxStopped


def create_clerk_user(sandbox: Sandbox, email: str) -> None:
    """Create a user over the Backend API, with the sandbox's key."""
    request = urllib.request.Request(
        f"{sandbox.variables['CLERK_API_URL']}/v1/users",
        data=json.dumps({"email_address": [email], "password": "a long enough passphrase 7"}).encode(),
        headers={
            "Authorization": f"Bearer {sandbox.variables['CLERK_SECRET_KEY']}",
            "Content-Type": "application/json",
        },
    )
    urllib.request.urlopen(request, timeout=60).close()


def fill(sandbox: Sandbox) -> None:
    """Put something into Postgres and into Clerk that must be kept."""
    with psycopg.connect(sandbox.postgres.url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1")
    create_clerk_user(sandbox, "ada@example.com")


def is_kept(sandbox: Sandbox) -> bool:
    return query(sandbox, "TABLE kept") == [(1,)] and sandbox.emulator.count_users() == 1


def test_what_is_in_it_survives_a_stop_and_a_kill_but_not_a_reset(folder: Path) -> None:
    """Invariant 7. Variables that were exported stay true through all of it."""
    sandbox = lifecycle.start()
    before = state.variables()
    fill(sandbox)
    lifecycle.stop()
    assert not sandbox.is_running
    assert is_kept(lifecycle.start())

    kill(sandbox)
    assert not sandbox.is_running
    assert is_kept(lifecycle.start())

    sandbox.users_file.touch()
    lifecycle.reset()
    assert not sandbox.users_file.exists()
    assert query(sandbox, "SELECT to_regclass('kept')") == [(None,)]
    assert sandbox.emulator.count_users() == 0
    assert state.variables() == before

    lifecycle.stop()
    lifecycle.reset()
    assert not sandbox.is_running


def test_a_reset_renews_a_key_that_is_not_known_as_a_sandbox_s(folder: Path) -> None:
    """A sandbox that was made before its key said what it is."""
    lifecycle.start()
    path = folder / "sandbox.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "clerk_secret_key": "sk_test_old"}))
    lifecycle.reset()
    sandbox = state.running()
    assert sandbox.settings.clerk_secret_key.startswith(SANDBOX_KEY)
    create_clerk_user(sandbox, "ada@example.com")


def test_a_sandbox_on_the_command_line(folder: Path) -> None:
    for early in ("env", "seed"):
        ran = toolkit_here(early)
        assert (ran.code, "is not running" in ran.err, "sandbox start" in ran.err) == (1, True, True)
    assert toolkit_here("status").code == 1
    assert toolkit_here("stop").code == 0
    assert toolkit_here("reset").code == 0

    started = toolkit_here("start")
    assert started.code == 0, started.err
    shell = subprocess.run(
        ["sh", "-c", f"eval {shlex.quote(toolkit_here('env').out)} && env"],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    exported = dict(line.split("=", 1) for line in shell.stdout.splitlines())
    assert state.variables().items() <= exported.items()
    assert set(state.variables()) == {
        *("DATABASE_URL", "CLERK_SECRET_KEY", "CLERK_PUBLISHABLE_KEY"),
        *("CLERK_API_URL", "CLERK_FRONTEND_API_URL", "CLERK_PROXY_URL", "AX_TOTP_KEY"),
        "AX_CLIENT_TOKEN_KEY",
        "SMTP_URL",
    }

    status = toolkit_here("status")
    assert status.code == 0
    assert "running, 0 users" in status.out
    told = json.loads(toolkit_here("status", "--json").out)
    assert told["running"] is True
    assert told["postgres"]["users"] == told["emulator"]["users"] == 0
    password = state.running().settings.database_password
    assert password not in started.out + status.out + json.dumps(told)

    assert toolkit_here("stop").code == 0
    status = toolkit_here("status")
    assert (status.code, "stopped" in status.out) == (1, True)


def test_two_live_side_by_side(folder: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDBOX_DIR", str(folder))
    other = lifecycle.start()
    fill(other)
    assert is_kept(other)
    assert query(sandbox, "SELECT to_regclass('kept')") == [(None,)]
    assert sandbox.emulator.count_users() == 0
    assert set(sandbox.variables.values()).isdisjoint(other.variables.values())
    lifecycle.stop()
    assert sandbox.is_running


def test_starting_at_the_same_time_starts_one(folder: Path) -> None:
    with ThreadPoolExecutor() as pool:
        ran = list(pool.map(lambda _: toolkit(folder, "start"), range(3)))
    assert [done.code for done in ran] == [0, 0, 0]
    assert len({done.out for done in ran}) == 1
    assert state.running().is_running


def test_ports_are_the_given_ones_and_stay(folder: Path) -> None:
    ports = state.free_ports()
    postgres, clerk = next(ports), next(ports)
    with (
        socket.create_server(("127.0.0.1", clerk)),
        pytest.raises(PortInUse, match=rf"Port {clerk} is taken.*--clerk-port"),
    ):
        lifecycle.start(postgres, clerk)
    again = lifecycle.start()
    assert (again.postgres.port, again.emulator.port) == (postgres, clerk)
    with pytest.raises(UsageError, match=rf"Postgres runs already, on port {postgres}\. Stop it first"):
        lifecycle.start(postgres_port=next(ports))
    with pytest.raises(UsageError, match=rf"runs already, on port {clerk}\. Stop it first"):
        lifecycle.start(clerk_port=next(ports))
    lifecycle.start(postgres, clerk)


def test_the_emulator_is_deaf_to_the_terminal(sandbox: Sandbox) -> None:
    pid = int((sandbox.emulator.folder / "emulator.pid").read_text())
    assert os.getsid(pid) != os.getsid(0)


def test_an_emulator_that_does_not_start_shows_its_log_and_can_start_again(folder: Path) -> None:
    sandbox = lifecycle.start()
    lifecycle.stop()
    (state_file,) = sandbox.emulator.folder.glob("*.sqlite")
    for path in sandbox.emulator.folder.glob("*.sqlite*"):
        path.unlink()
    state_file.mkdir()
    with pytest.raises(EmulatorFailed, match=r"The Clerk emulator ended at once:\n.+"):
        lifecycle.start()
    state_file.rmdir()

    # What the failed one left behind may by now be the process id of a stranger, who is left alone.
    (sandbox.emulator.folder / "emulator.pid").write_text(str(os.getpid()))
    assert not sandbox.is_running
    assert lifecycle.start().is_running


def test_a_damaged_sandbox_is_told(folder: Path) -> None:
    folder.mkdir()
    settings = folder / "sandbox.json"
    settings.write_text('{"database_password": "hunter2"}')
    with pytest.raises(FolderUnusable, match=r"sandbox\.json is damaged\. Delete the folder") as error:
        lifecycle.start()
    assert "hunter2" not in str(error.value)
    settings.unlink()


def test_a_folder_that_cannot_be_written_is_named(folder: Path) -> None:
    folder.write_text("not a folder")
    with pytest.raises(FolderUnusable, match="Set SANDBOX_DIR to a folder that is yours"):
        lifecycle.start()
    folder.unlink()


def test_a_command_that_takes_too_long_is_not_waited_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "LOCK_SECONDS", 0.3)
    with state.lock(), pytest.raises(SandboxBusy), state.lock():
        pass


def test_without_a_sandbox_there_are_no_variables(folder: Path) -> None:
    with pytest.raises(SandboxStopped, match="python -m toolkit sandbox start"):
        state.variables()


def test_what_is_secret_is_for_its_owner_alone(sandbox: Sandbox) -> None:
    """Invariant 8."""
    assert (sandbox.folder / "sandbox.json").stat().st_mode & 0o077 == 0
    assert sandbox.emulator.folder.stat().st_mode & 0o077 == 0
    for secret in (
        sandbox.settings.database_password,
        sandbox.settings.clerk_secret_key,
        sandbox.settings.totp_key,
    ):
        assert secret not in repr(sandbox)
