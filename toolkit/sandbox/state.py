"""A sandbox on disk: one folder with everything, so that several live side by side.

    sandbox.json   ports, keys and the database's password; made once
    lock           held while a command changes the sandbox
    postgres/      the server's data and log
    emulator/      the emulator's state and log
    users.jsonl    who was seeded: id, email, password, totp_secret, kind
    secrets.jsonl  invites and API keys that were seeded

The folder is `.sandbox` in the current folder, or `$SANDBOX_DIR`.
"""

import base64
import fcntl
import os
import random
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from toolkit.clerk import SANDBOX_KEY
from toolkit.errors import ToolkitError
from toolkit.sandbox.emulator.process import Emulator
from toolkit.sandbox.postgres import Postgres

LOCK_SECONDS = 120
PORTS = range(20000, 32000)
"""Where free ports are looked for: below those that Linux gives to outgoing connections (32768 and up), so that
none of these takes the port of a sandbox that is stopped."""


class SandboxStopped(ToolkitError):
    """There is no sandbox, or it does not run."""


class SandboxBusy(ToolkitError):
    """Another command is changing the sandbox."""


class FolderUnusable(ToolkitError):
    """The sandbox's folder, or what is kept in it, cannot be read or written."""


class Settings(BaseModel):
    """What `sandbox.json` holds."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    postgres_port: int = Field(ge=1, le=65535)
    clerk_port: int = Field(ge=1, le=65535)
    database_password: str = Field(repr=False)
    clerk_secret_key: str = Field(repr=False)
    totp_key: str = Field(repr=False)
    """AX's key for TOTP secrets: 32 bytes, in base64."""
    client_token_key: str = Field(repr=False)
    """The key for Clerk's client tokens: 32 bytes, in base64."""
    smtp_port: int | None = Field(default=None, ge=1, le=65535)
    """None in a sandbox that was made before it took mail; its next start has one."""


@dataclass(frozen=True)
class Sandbox:
    """A sandbox: where it is, and the two servers in it."""

    folder: Path
    settings: Settings

    @property
    def postgres(self) -> Postgres:
        """AX's database server."""
        return Postgres(
            self.folder / "postgres", self.settings.postgres_port, self.settings.database_password
        )

    @property
    def emulator(self) -> Emulator:
        """The emulated Clerk."""
        return Emulator(
            self.folder / "emulator",
            self.settings.clerk_port,
            self.settings.clerk_secret_key,
            self.settings.smtp_port,
        )

    @property
    def is_running(self) -> bool:
        """Whether both servers run."""
        return self.postgres.is_running and self.emulator.is_running

    @property
    def users_file(self) -> Path:
        """Where the seeded users are listed, with their passwords."""
        return self.folder / "users.jsonl"

    @property
    def secrets_file(self) -> Path:
        """Where the seeded invites and API keys are listed."""
        return self.folder / "secrets.jsonl"

    @property
    def variables(self) -> dict[str, str]:
        """What a program needs in its environment to work on this sandbox."""
        smtp_port = self.settings.smtp_port
        return {
            "DATABASE_URL": self.postgres.url,
            "CLERK_SECRET_KEY": self.emulator.secret_key,
            "CLERK_PUBLISHABLE_KEY": self.emulator.publishable_key,
            "CLERK_API_URL": self.emulator.url,
            "CLERK_FRONTEND_API_URL": self.emulator.url,
            "CLERK_PROXY_URL": f"{self.emulator.url}/__clerk",
            "AX_TOTP_KEY": self.settings.totp_key,
            "AX_CLIENT_TOKEN_KEY": self.settings.client_token_key,
            **({"SMTP_URL": f"smtp://127.0.0.1:{smtp_port}"} if smtp_port else {}),
        }


def folder() -> Path:
    """Where the sandbox is: `$SANDBOX_DIR`, or `.sandbox` in the current folder."""
    return Path(os.environ.get("SANDBOX_DIR") or ".sandbox").resolve()


def find() -> Sandbox | None:
    """The sandbox of `folder()`; None when none was ever started there. Raises FolderUnusable."""
    path = folder() / "sandbox.json"
    try:
        return Sandbox(folder(), Settings.model_validate_json(path.read_bytes()))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FolderUnusable(f"Cannot read {path}: {error.strerror}.") from error
    except ValidationError as error:
        raise FolderUnusable(
            f"{path} is damaged. Delete the folder {folder()} for a new sandbox (`sandbox start`)."
        ) from error


def running() -> Sandbox:
    """The sandbox of `folder()`. Raises SandboxStopped when it does not run, FolderUnusable when it is damaged."""
    sandbox = find()
    if sandbox is None or not sandbox.is_running:
        raise SandboxStopped(
            f"The sandbox in {folder()} is not running. Start it: `python -m toolkit sandbox start`."
        )
    return sandbox


def variables() -> dict[str, str]:
    """The environment variables of the running sandbox. Raises as `running` does."""
    return running().variables


def make(postgres_port: int | None, clerk_port: int | None) -> Sandbox:
    """The sandbox of `folder()` with these ports, made when there is none.

    Ports that are not given stay what they are, and are free ones the first time. To be called under `lock`.
    Raises FolderUnusable.
    """
    existing, free = find(), free_ports()
    if existing:
        kept = existing.settings
        settings = kept.model_copy(
            update={
                "postgres_port": postgres_port or kept.postgres_port,
                "clerk_port": clerk_port or kept.clerk_port,
                "smtp_port": kept.smtp_port or next(free),
            }
        )
    else:
        settings = Settings(
            postgres_port=postgres_port or next(free),
            clerk_port=clerk_port or next(free),
            smtp_port=next(free),
            database_password=secrets.token_hex(16),
            clerk_secret_key=_secret_key(),
            totp_key=base64.b64encode(secrets.token_bytes(32)).decode(),
            client_token_key=base64.b64encode(secrets.token_bytes(32)).decode(),
        )
    if existing is None or settings != existing.settings:
        _write(settings)
    return Sandbox(folder(), settings)


def renew_key(sandbox: Sandbox) -> Sandbox:
    """The sandbox with a key by which other environments know its Clerk; one that was made before keys told has none.

    Only for one that is stopped and empty: the key names the instance, which the users of its database belong to. To be
    called under `lock`.
    """
    if sandbox.settings.clerk_secret_key.startswith(SANDBOX_KEY):
        return sandbox
    settings = sandbox.settings.model_copy(update={"clerk_secret_key": _secret_key()})
    _write(settings)
    return Sandbox(sandbox.folder, settings)


def _secret_key() -> str:
    return f"{SANDBOX_KEY}{secrets.token_hex(20)}"


def _write(settings: Settings) -> None:
    with private_file(folder() / "sandbox.json") as file:
        file.write(settings.model_dump_json(indent=2) + "\n")


@contextmanager
def lock() -> Iterator[None]:
    """Let one command at a time change the sandbox. Raises SandboxBusy after LOCK_SECONDS, or FolderUnusable."""
    path = folder() / "lock"
    try:
        path.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
        file = path.open("w")
    except OSError as error:
        raise FolderUnusable(
            f"Cannot write to {folder()}: {error.strerror}. Set SANDBOX_DIR to a folder that is yours."
        ) from error
    with file:
        _acquire(file.fileno())
        yield


@contextmanager
def private_file(path: Path) -> Iterator[TextIO]:
    """A file to write that only its owner reads; it takes its place when it is whole, or not at all."""
    unfinished = path.with_name(path.name + ".unfinished")
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=0o600)
    with unfinished.open("w", encoding="utf-8") as file:
        yield file
    unfinished.replace(path)


def _acquire(descriptor: int) -> None:
    """Take the lock; the system gives it back when the process ends, however it ends."""
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise SandboxBusy(
                    f"Another `sandbox` command has been at work in {folder()} for {LOCK_SECONDS} s. "
                    "Let it end, then try again."
                ) from None
            time.sleep(0.1)
        else:
            return


def free_ports() -> Iterator[int]:
    """Ports of this machine that nobody listens on, in no order, each once."""
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                yield port
