"""An environment: a playbook's settings plus the process environment, typed and validated.

The playbook holds what may be read by anybody; addresses and secrets come from variables. Each command asks for what
it needs and fails, before it starts, with the name of what is missing.
"""

import base64
import os
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from toolkit import database
from toolkit.clerk import SANDBOX_KEY, ClerkConfig
from toolkit.errors import ToolkitError, UsageError
from toolkit.extras import sandbox_extra
from toolkit.playbook import PLAYBOOKS, Playbook, PlaybookInvalid, find_playbook

KEY_BYTES = 32  # AES-256


class VariableInvalid(UsageError):
    """A variable of the process environment is missing or malformed."""


@dataclass(frozen=True)
class Environment:
    """A named environment. Properties raise VariableInvalid when what they need is missing."""

    name: str
    playbook: Playbook
    variables: Mapping[str, str]
    unused: tuple[str, ...] = ()
    """Variables that are exported and not used, because the sandbox has its own."""

    def connect(self) -> AbstractAsyncContextManager[database.Connection]:
        """A connection to the database with the users. Raises as `database.connect` does."""
        return database.connect(self.database_url, self.expected)

    def pool(self, size: int) -> AbstractAsyncContextManager[database.Pool]:
        """At most `size` connections to it. Raises as `database.connect` does."""
        return database.pool(self.database_url, size, self.expected)

    @property
    def expected(self) -> database.Expected:
        """Whose the database must be."""
        sandbox = self.playbook.embedded_sandbox
        return database.Expected(None if sandbox else self.name, sandbox)

    @property
    def database_url(self) -> str:
        """Address of the Postgres database that holds the users."""
        url = self._require("DATABASE_URL", "the address of the Postgres database with the users")
        if not url.startswith(("postgresql://", "postgres://")):
            raise VariableInvalid(
                "DATABASE_URL does not begin with postgresql:// . Example: postgresql://user:password@host:5432/database"
            )
        if not _well_formed(url):
            raise VariableInvalid(
                "DATABASE_URL is malformed. Example: postgresql://user:password@host:5432/database "
                "(characters such as @ / : in a password are written %40 %2F %3A)."
            )
        return url

    @property
    def clerk(self) -> ClerkConfig:
        """The Clerk instance, checked to be of the kind that the playbook names (invariant 11)."""
        config = ClerkConfig.from_environment(self.variables)
        if not self.playbook.embedded_sandbox and config.secret_key.get_secret_value().startswith(
            SANDBOX_KEY
        ):
            raise VariableInvalid(
                f"CLERK_SECRET_KEY is the embedded sandbox's: its invented Clerk must not get the users of {self.name!r}. "
                "Export the key of the instance that you mean."
            )
        if config.instance_type != self.playbook.clerk_instance:
            wanted = "sk_live_" if self.playbook.clerk_instance == "production" else "sk_test_"
            raise VariableInvalid(
                f"CLERK_SECRET_KEY is of a {config.instance_type} instance, but the environment "
                f"{self.name!r} belongs to a {self.playbook.clerk_instance} one. Export the key that "
                f"begins with {wanted}, or name the environment that you mean."
            )
        return config

    @property
    def https(self) -> bool:
        """Whether people reach the BFF by HTTPS: they do, but for the embedded sandbox."""
        return not self.playbook.embedded_sandbox

    @property
    def totp_keys(self) -> tuple[bytes, ...]:
        """Keys of the encrypted TOTP secrets (AES-256, 32 bytes each); none when AX_TOTP_KEY is not set.

        The first is what secrets are encrypted with today, the second, AX_TOTP_KEY_OLD, what it took the place of.
        """
        given = [name for name in ("AX_TOTP_KEY", "AX_TOTP_KEY_OLD") if self.variables.get(name)]
        if given == ["AX_TOTP_KEY_OLD"]:
            raise VariableInvalid(
                "AX_TOTP_KEY_OLD is set and AX_TOTP_KEY is not. Export the key of today as AX_TOTP_KEY; with one key "
                "alone, that is the one."
            )
        return tuple(self._key(name) for name in given)

    @property
    def client_token_key(self) -> bytes:
        """Key that Clerk's client tokens are kept under (AES-256, 32 bytes)."""
        self._require(
            "AX_CLIENT_TOKEN_KEY", "the key that Clerk's client tokens are encrypted with, 32 bytes in base64"
        )
        return self._key("AX_CLIENT_TOKEN_KEY")

    @property
    def smtp_url(self) -> str | None:
        """The mail server, smtp://user:password@host:port or smtps://…; None when SMTP_URL is not set."""
        url = self.variables.get("SMTP_URL")
        if url and not url.startswith(("smtp://", "smtps://")):
            raise VariableInvalid("SMTP_URL does not begin with smtp:// or smtps:// .")
        if url and not (_well_formed(url) and urlsplit(url).hostname):
            raise VariableInvalid(
                "SMTP_URL is malformed. Example: smtp://user:password@host:587 "
                "(characters such as @ / : in a password are written %40 %2F %3A)."
            )
        return url or None

    def _key(self, variable: str) -> bytes:
        try:
            key = base64.b64decode(self.variables[variable], validate=True)
        except ValueError:  # binascii.Error, or not ASCII
            key = b""
        if len(key) != KEY_BYTES:
            raise VariableInvalid(
                f"{variable} must be 32 bytes in base64, as `openssl rand -base64 32` prints them."
            )
        return key

    def _require(self, variable: str, meaning: str) -> str:
        value = self.variables.get(variable)
        if not value:
            raise VariableInvalid(f"{variable} is not set: {meaning}. Export it and try again.")
        return value


def _well_formed(url: str) -> bool:
    """Whether the host is one, and the port a number; of several hosts, each. An @ in the path is of a password."""
    try:
        parts = urlsplit(url)
        for host in parts.netloc.rpartition("@")[2].split(","):
            _ = urlsplit(f"//{host}").port
    except ValueError:
        return False
    return "@" not in parts.path + parts.query + parts.fragment


def load_environment(
    name: str, variables: Mapping[str, str] = os.environ, playbooks: Path = PLAYBOOKS
) -> Environment:
    """The environment `name`: a playbook's name in the folder `playbooks`, or a path to one.

    Raises PlaybookInvalid, or VariableInvalid when the playbook is the sandbox's and that does not run.
    """
    path = find_playbook(name, playbooks)
    playbook = Playbook.load(path)
    if path.stem == "sandbox" and not playbook.embedded_sandbox:
        raise PlaybookInvalid(
            f"{path} is named sandbox and does not say `embedded_sandbox: true`. The demo empties the environment of that "
            "name without asking, so it can be no other: give the playbook another name."
        )
    if not playbook.embedded_sandbox:
        return Environment(path.stem, playbook, variables)
    own = _sandbox_variables()
    unused = _unused(variables, own)
    database.forget_libpq_variables()
    return Environment(path.stem, playbook, own, unused)


def _sandbox_variables() -> Mapping[str, str]:
    with sandbox_extra():
        from toolkit.sandbox import state
    try:
        return state.variables()
    except ToolkitError as error:
        raise VariableInvalid(f"No database and no Clerk for the sandbox. {error}") from error


def _unused(exported: Mapping[str, str], own: Mapping[str, str]) -> tuple[str, ...]:
    """The exported variables that name another database, Clerk, key or mail server than the sandbox's own, or say how to
    reach one."""
    return tuple(
        sorted(
            name
            for name, value in exported.items()
            if value
            and (name in ("DATABASE_URL", "SMTP_URL") or name.startswith(("AX_", "CLERK_", "PG")))
            and own.get(name) != value
        )
    )
