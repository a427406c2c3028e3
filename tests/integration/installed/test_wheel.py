"""The wheel, installed into an environment of its own without extras, works from any folder."""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import urllib.request
import venv
from importlib.metadata import Distribution
from pathlib import Path

import psycopg
import pytest
import yaml

from tests.emulator import Emulator
from tests.integration.installed.conftest import PLAYBOOK
from tests.integration.installed.packages import PROJECT, runtime, sandbox_modules
from tests.postgres import Server
from toolkit.paths import ROOT

TOKEN_KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
VERSION = f"{PROJECT['version']}\n"


class Installation:
    """An environment with the wheel in it."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "bin"
        self.packages = (
            folder / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
        )

    def run(
        self, program: str, *arguments: str, folder: Path, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment, with nothing but these variables."""
        return subprocess.run(
            [self.bin / program, *arguments],
            cwd=folder,
            env={"PATH": os.environ["PATH"], **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


def pip(*arguments: str, folder: Path = ROOT) -> None:
    """Our own pip, without an index: whatever it does is done with what is here."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def build(folder: Path) -> Path:
    """A wheel, built from the source distribution that is built from this checkout."""
    checkout = folder / "checkout"
    checkout.mkdir()
    for name in ("bff", "playbooks", "sql", "toolkit"):
        shutil.copytree(ROOT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("LICENSE", "README.md", "pyproject.toml", "yoyo.ini"):
        shutil.copy(ROOT / name, checkout)
    subprocess.run(
        [sys.executable, "-c", "from setuptools.build_meta import build_sdist; build_sdist('..')"],
        cwd=checkout,
        check=True,
        capture_output=True,
    )
    (source,) = folder.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        archive.extractall(folder, filter="data")
    pip(
        *("wheel", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", ".."),
        ".",
        folder=folder / source.name.removesuffix(".tar.gz"),
    )
    (wheel,) = folder.glob("*.whl")
    return wheel


def lay_in(package: Distribution, target: Path) -> None:
    """Put a package that we have into another environment."""
    for file in package.files or ():
        if ".." in file.parts or file.suffix == ".pyc":
            continue  # its commands, and what Python makes by itself
        path = target / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(Path(str(package.locate_file(file))).resolve())


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    folder = tmp_path_factory.mktemp("wheel")
    venv.create(folder / "venv", symlinks=True)
    installed = Installation(folder / "venv")
    for package in runtime():
        lay_in(package, installed.packages)
    python = str(installed.bin / "python")
    pip("--python", python, "install", "--no-index", str(build(folder)))
    pip("--python", python, "check")
    return installed


@pytest.fixture
def variables(postgres: Server, emulator: Emulator) -> dict[str, str]:
    """A database with nothing in it, and an empty Clerk."""
    return {
        "DATABASE_URL": postgres.create_database(migrated=False),
        "CLERK_SECRET_KEY": emulator.secret_key,
        "CLERK_PUBLISHABLE_KEY": emulator.publishable_key,
        "CLERK_API_URL": emulator.url,
        "CLERK_FRONTEND_API_URL": emulator.url,
        "AX_CLIENT_TOKEN_KEY": TOKEN_KEY,
    }


def test_it_has_no_extras_and_is_no_checkout(installation: Installation, elsewhere: Path) -> None:
    script = (
        "import json, toolkit; from importlib.util import find_spec; "
        f"print(json.dumps([toolkit.__file__, [m for m in {sandbox_modules()} if find_spec(m)]]))"
    )
    done = installation.run("python", "-c", script, folder=elsewhere)
    assert json.loads(done.stdout) == [str(installation.packages / "toolkit" / "__init__.py"), []]


@pytest.mark.parametrize(
    "command", [("postgres-to-clerk", "--version"), ("python", "-m", "toolkit", "--version")]
)
def test_version(installation: Installation, elsewhere: Path, command: tuple[str, ...]) -> None:
    done = installation.run(*command, folder=elsewhere)
    assert (done.returncode, done.stdout, done.stderr) == (0, VERSION, "")


def test_users_go_over(
    installation: Installation, elsewhere: Path, variables: dict[str, str], emulator: Emulator
) -> None:
    done = installation.run(
        "postgres-to-clerk", "migrate", "--yes", "--env", "ours", folder=elsewhere, **variables
    )
    assert done.returncode == 0, done.stderr
    with psycopg.connect(variables["DATABASE_URL"]) as connection:
        connection.execute("INSERT INTO users (email) VALUES ('ada@example.com'), ('grace@example.com')")
    for arguments in (
        ("--env", "ours", "--only", "ada@example.com"),
        ("--env", str(elsewhere / "playbooks" / "ours.yaml"), "--only", "grace@example.com"),
        ("--env", "ours", "--playbooks", "playbooks"),
    ):
        done = installation.run(
            "python", "-m", "toolkit", "import", "--yes", *arguments, folder=elsewhere, **variables
        )
        assert done.returncode == 0, done.stderr
    assert emulator.stats()["users"] == 2


def test_a_playbook_s_own_files_go_before_those_that_are_shipped(
    installation: Installation, elsewhere: Path, variables: dict[str, str]
) -> None:
    shipped = installation.packages / "toolkit" / "shipped" / "sql" / "sources" / "ax.sql"
    (elsewhere / "sql").mkdir()
    shutil.copy(shipped, elsewhere / "sql" / "ours.sql")
    source = {**PLAYBOOK["source"], "view": "sql/ours.sql"}
    (elsewhere / "playbooks" / "ours.yaml").write_text(yaml.safe_dump({**PLAYBOOK, "source": source}))
    done = installation.run(
        "postgres-to-clerk", "migrate", "--yes", "--env", "ours", folder=elsewhere, **variables
    )
    assert f"The source view is as {elsewhere / 'sql' / 'ours.sql'} says." in done.stdout, done.stderr


def test_plain_yoyo_finds_the_migrations(
    installation: Installation, elsewhere: Path, variables: dict[str, str]
) -> None:
    config = installation.packages / "toolkit" / "shipped" / "yoyo.ini"
    done = installation.run(
        "python", "-m", "yoyo", "list", "--config", str(config), folder=elsewhere, **variables
    )
    listed = re.findall(r"^U +(\S+)", done.stdout, re.MULTILINE)
    folders = (ROOT / "sql" / "baseline", ROOT / "sql" / "expand" / "toolkit", ROOT / "sql" / "expand" / "ax")
    files = {path.stem for folder in folders for path in folder.iterdir() if ".rollback" not in path.name}
    assert set(listed) == files - {"__pycache__"}, done.stdout + done.stderr


def test_the_bff_has_its_mails(installation: Installation, elsewhere: Path) -> None:
    script = (
        "import bff.mail.rendering as r; from datetime import datetime, UTC; now = datetime.now(UTC); "
        "print(r.Templates(None).render(r.Content('totp_added', now, now, None, None)).subject)"
    )
    done = installation.run("python", "-c", script, folder=elsewhere)
    assert (done.stdout, done.stderr) == ("An authenticator app was added\n", "")


def test_the_bff_serves_its_pages(
    installation: Installation, elsewhere: Path, variables: dict[str, str]
) -> None:
    with subprocess.Popen(
        [installation.bin / "python", "-m", "bff", "--env", "ours", "--port", "0"],
        cwd=elsewhere,
        env={"PATH": os.environ["PATH"], **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            written, port = "", None
            while port is None:
                line = process.stdout.readline()
                assert line, written
                written += line
                port = re.search(r"http://127\.0\.0\.1:(\d+)", line)
            with urllib.request.urlopen(f"http://127.0.0.1:{port[1]}/login", timeout=60) as answer:
                page = answer.read().decode()
            (script,) = set(re.findall(r'"(/static/[^"]+\.js)"', page)[:1])
            urllib.request.urlopen(f"http://127.0.0.1:{port[1]}{script}", timeout=60).close()
        finally:
            process.terminate()
