"""Starting, stopping and emptying a sandbox."""

from dataclasses import dataclass

from toolkit.errors import UsageError
from toolkit.sandbox import state
from toolkit.sandbox.state import Sandbox


class OtherPort(UsageError):
    """The sandbox runs already, on another port than the one asked for."""


@dataclass(frozen=True)
class Server:
    """One of the sandbox's two servers."""

    running: bool
    url: str
    """Without a password."""
    users: int | None
    """None when it does not run."""


@dataclass(frozen=True)
class Status:
    """Whether the two servers run, where, and how many users each has."""

    folder: str
    postgres: Server | None
    """None, as `emulator`, when there is no sandbox."""
    emulator: Server | None

    @property
    def running(self) -> bool:
        """Whether both servers run."""
        return bool(self.postgres and self.postgres.running and self.emulator and self.emulator.running)


def start(postgres_port: int | None = None, clerk_port: int | None = None) -> Sandbox:
    """Start what does not run yet; the ports are kept for the next time.

    Raises OtherPort, PortInUse, PostgresFailed, EmulatorFailed, FolderUnusable or SandboxBusy.
    """
    with state.lock():
        _check_ports(postgres_port, clerk_port)
        sandbox = state.make(postgres_port, clerk_port)
        _start(sandbox)
        return sandbox


def stop() -> None:
    """Stop what runs; the data stay. Raises PostgresFailed, EmulatorFailed, FolderUnusable or SandboxBusy."""
    if state.find() is None:
        return
    with state.lock():
        if sandbox := state.find():
            _stop(sandbox)


def reset() -> None:
    """Empty both servers. Ports and keys stay as they are, and so does whether it runs. Raises as `start` does."""
    if state.find() is None:
        return
    with state.lock():
        sandbox = state.make(None, None)
        was_running = sandbox.postgres.is_running or sandbox.emulator.is_running
        _stop(sandbox)
        sandbox.postgres.remove()
        sandbox.emulator.remove()
        sandbox.users_file.unlink(missing_ok=True)
        sandbox.secrets_file.unlink(missing_ok=True)
        sandbox = state.renew_key(sandbox)
        if was_running:
            _start(sandbox)


def status() -> Status:
    """How the sandbox is. Raises PostgresFailed or EmulatorFailed when a server runs but does not answer."""
    sandbox = state.find()
    if sandbox is None:
        return Status(str(state.folder()), None, None)
    postgres, emulator = sandbox.postgres, sandbox.emulator
    return Status(
        str(sandbox.folder),
        Server(
            running=postgres.is_running,
            url=postgres.address,
            users=postgres.count_users() if postgres.is_running else None,
        ),
        Server(
            running=emulator.is_running,
            url=emulator.url,
            users=emulator.count_users() if emulator.is_running else None,
        ),
    )


def _start(sandbox: Sandbox) -> None:
    sandbox.postgres.start()
    sandbox.emulator.start()


def _stop(sandbox: Sandbox) -> None:
    sandbox.emulator.stop()
    sandbox.postgres.stop()


def _check_ports(postgres_port: int | None, clerk_port: int | None) -> None:
    """A server that runs keeps its port: exported variables name it."""
    sandbox = state.find()
    if sandbox is None:
        return
    for name, server, wanted in (
        ("Postgres", sandbox.postgres, postgres_port),
        ("The Clerk emulator", sandbox.emulator, clerk_port),
    ):
        if wanted and wanted != server.port and server.is_running:
            raise OtherPort(
                f"{name} runs already, on port {server.port}. Stop it first: `python -m toolkit sandbox stop`."
            )
