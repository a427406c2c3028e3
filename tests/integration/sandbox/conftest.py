"""Sandboxes in folders of their own."""

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import psycopg
import pytest

from tests.postgres import quick_folder
from toolkit.cli.main import main
from toolkit.paths import ROOT
from toolkit.sandbox import lifecycle, state
from toolkit.sandbox.state import Sandbox


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str


def toolkit(folder: Path, *arguments: str) -> Ran:
    """Run `python -m toolkit sandbox …` on the sandbox in this folder."""
    done = subprocess.run(
        [sys.executable, "-m", "toolkit", "sandbox", *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": "", "SANDBOX_DIR": str(folder)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return Ran(done.returncode, done.stdout, done.stderr)


def toolkit_here(*arguments: str) -> Ran:
    """The same on `state.folder()`, and quicker: in this process."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
        main(["sandbox", *arguments])
    return Ran(int(ended.value.code or 0), out.getvalue(), err.getvalue())


def query(sandbox: Sandbox, statement: str) -> list[tuple[object, ...]]:
    """Rows of AX's database."""
    with psycopg.connect(sandbox.postgres.url) as connection:
        return connection.execute(statement.encode()).fetchall()


def kill(sandbox: Sandbox) -> None:
    """Kill both servers and wait until they are gone."""
    pids = [
        int((sandbox.postgres.data / "postmaster.pid").read_text().splitlines()[0]),
        int((sandbox.emulator.folder / "emulator.pid").read_text()),
    ]
    processes = [psutil.Process(pid) for pid in pids]
    for process in processes:
        process.kill()
    psutil.wait_procs(processes, timeout=60)


@contextmanager
def closed_folder() -> Iterator[Path]:
    """A folder that nobody else may enter, as `mktemp -d` makes them.

    Not pytest's own: each run of pytest on this machine closes the folder above those to other users.
    """
    with TemporaryDirectory(prefix="sandbox-", dir=quick_folder(), ignore_cleanup_errors=True) as path:
        yield Path(path).resolve()


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for a sandbox, which is `state.folder()` and is stopped at the end."""
    with closed_folder() as parent:
        monkeypatch.setenv("SANDBOX_DIR", str(parent / "sandbox"))
        yield parent / "sandbox"
        monkeypatch.setenv("SANDBOX_DIR", str(parent / "sandbox"))
        lifecycle.stop()


@pytest.fixture(scope="module")
def shared() -> Iterator[Sandbox]:
    """A running sandbox that the tests of a module share."""
    with closed_folder() as folder, pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("SANDBOX_DIR", str(folder))
        yield lifecycle.start()
        lifecycle.stop()


@pytest.fixture
def sandbox(shared: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """The shared sandbox, emptied."""
    monkeypatch.setenv("SANDBOX_DIR", str(shared.folder))
    assert state.folder() == shared.folder
    empty(shared)
    return shared


def empty(sandbox: Sandbox) -> None:
    """Do what `reset` does, but in a moment."""
    with psycopg.connect(sandbox.postgres.url) as connection:
        connection.execute(
            "DROP SCHEMA IF EXISTS clerk_migration CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public"
        )
    sandbox.users_file.unlink(missing_ok=True)
    sandbox.secrets_file.unlink(missing_ok=True)
