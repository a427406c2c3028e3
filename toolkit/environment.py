"""An environment: a playbook's settings plus the process environment, typed and validated.

The playbook (`playbooks/NAME.yaml`) holds what may be read by anybody; addresses and secrets come from
variables. Nothing here opens a connection: each command asks for what it needs and fails, before it
starts, with the name of what is missing.
"""

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from toolkit.clerk import ClerkConfig
from toolkit.errors import ToolkitError, UsageError
from toolkit.paths import PLAYBOOKS, ROOT

KEY_BYTES = 32  # AES-256


class PlaybookInvalid(UsageError):
    """A playbook is missing, does not parse, or has a setting that is wrong."""


class VariableInvalid(UsageError):
    """A variable of the process environment is missing or malformed."""


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceSettings(_Settings):
    """Which users table is imported, and what it needs of its own in the schema.

    All three go together; paths are relative to the folder of the checkout.
    """

    view: Path
    link: Path
    migrations: tuple[Path, ...]

    @field_validator("view", "link")
    @classmethod
    def _is_file(cls, path: Path) -> Path:
        found = ROOT / path
        if not found.is_file():
            raise ValueError(f"there is no file {found}")
        return found

    @field_validator("migrations")
    @classmethod
    def _are_folders(cls, paths: tuple[Path, ...]) -> tuple[Path, ...]:
        found = tuple(ROOT / path for path in paths)
        for folder in found:
            if not folder.is_dir():
                raise ValueError(f"there is no folder {folder}")
        return found


class ImportSettings(_Settings):
    """How users go over."""

    disabled_users: Literal["ban", "hold"] = "hold"
    """Disabled users are created banned in Clerk, or held back on legacy."""
    rate: float | None = Field(default=None, gt=0)
    """Requests a second; by default what Clerk documents for the kind of the key."""
    cohorts: dict[str, str] = Field(default_factory=dict)
    """A name for a group of users: an SQL condition over the columns of the source view."""


class Limit(_Settings):
    """So many attempts in a window of time."""

    attempts: int = Field(ge=1)
    seconds: float = Field(gt=0)


class SessionSettings(_Settings):
    """How long AX's sessions live."""

    idle_days: float = Field(default=14, gt=0)
    """Without use."""
    longest_days: float = Field(default=90, gt=0)
    """From the login, however much it is used."""


class LoginSettings(_Settings):
    """Logging in."""

    per_address: Limit = Limit(attempts=5, seconds=12)
    """By the client's IP address (an IPv6 client's /64 network); passwords, and codes. Clerk allows five sign-ins in ten
    seconds: with more, it would refuse its own users, and nobody else, which tells who is in Clerk (invariant 9)."""
    per_account: Limit = Limit(attempts=10, seconds=60)
    """By the account that was meant, whether there is one or not."""
    codes_per_user: Limit = Limit(attempts=15, seconds=900)
    """Second factors that are tried or sent: whoever has the password must not get to try all codes."""
    failure_seconds: float = Field(default=0.5, ge=0, le=5)
    """No refusal comes sooner: what went wrong must not be told by the time it took (invariant 9). It should be
    longer than Clerk usually takes to refuse a password."""
    legacy_slots: int | None = Field(default=None, ge=1)
    """Argon2 verifications at a time; by default one a core, but for one core that is left to everything else."""


class SignupSettings(_Settings):
    """Signing up."""

    per_address: Limit = Limit(attempts=20, seconds=3600)
    """By the client's IP address (an IPv6 client's /64 network)."""
    per_email: Limit = Limit(attempts=10, seconds=3600)
    """By the email address that signs up, with all that Clerk takes."""
    logins_per_email: Limit = Limit(attempts=30, seconds=86400)
    """Logins with an address that is not verified yet, right or wrong. Fewer than Clerk locks a user for (it is told in
    its dashboard: 100 unless changed), which it does not do for an address that is taken (invariant 9)."""
    codes_per_address: Limit = Limit(attempts=3, seconds=12)
    """Codes that are tried. Clerk allows three in ten seconds: with more, it would refuse them for a fresh address, and
    nobody for a taken one (invariant 9)."""
    resends_per_address: Limit = Limit(attempts=60, seconds=3600)
    """Codes that are sent again."""
    codes_per_signup: Limit = Limit(attempts=15, seconds=900)
    """Codes that are tried."""
    resends_per_signup: Limit = Limit(attempts=5, seconds=3600)
    """Codes that are sent again, so that nobody's mailbox is filled by a stranger."""
    resend_seconds: float = Field(default=30, gt=0)
    """Between two codes that are sent."""
    unverified_hours: float = Field(default=24, gt=0)
    """After which a signup that was never verified is undone."""
    clerk_seconds: float = Field(default=5, gt=0, le=30)
    """For each call to Clerk's Backend API, with its retries."""
    sweep_seconds: float = Field(default=30, gt=0)
    """Between two looks for signups that somebody left."""
    answer_seconds: float = Field(default=1.5, ge=0, le=10)
    """No answer comes sooner: whether the address has an account must not be told by the time it took (invariant 9).
    It should be longer than Clerk usually takes to create a user and send a code."""


class MailSettings(_Settings):
    """Mail that the BFF sends itself, by SMTP_URL; Clerk sends the codes."""

    sender: str = "no-reply@localhost"


class BffSettings(_Settings):
    """The runtime."""

    host: str = "127.0.0.1"
    port: int = Field(default=8400, ge=1, le=65535)
    origins: tuple[str, ...] = ()
    """Origins that may use cookies, beside the BFF's own, for example https://app.example.com."""
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    """Networks whose X-Forwarded-For is believed."""
    database_connections: int = Field(default=20, ge=2)
    """At most; the sweep holds one and uses another."""
    session: SessionSettings = SessionSettings()
    login: LoginSettings = LoginSettings()
    signup: SignupSettings = SignupSettings()
    mail: MailSettings = MailSettings()
    public_url: str | None = None
    """Where people find the BFF, for links in mails, for example https://app.example.com."""


class Playbook(_Settings):
    """What `playbooks/NAME.yaml` says."""

    description: str = ""
    clerk_instance: Literal["development", "production"]
    """The kind of Clerk instance this environment belongs to; a key of the other kind is refused."""
    embedded_sandbox: bool = False
    """Take the variables from the running embedded sandbox when none are exported."""
    confirm: bool = True
    """Ask before an import, unless --yes is given."""
    source: SourceSettings
    import_: ImportSettings = Field(default_factory=ImportSettings, alias="import")
    bff: BffSettings = BffSettings()

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read and validate a playbook. Raises PlaybookInvalid, naming file, setting and reason."""
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise PlaybookInvalid(f"Cannot read the playbook {path}: {error.strerror}.") from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise PlaybookInvalid(f"The playbook {path} is not valid YAML: {error}") from error
        if not isinstance(content, dict):
            raise PlaybookInvalid(
                f"The playbook {path} must be a mapping of settings, see playbooks/prod.yaml."
            )
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            faults = "\n".join(
                f"  {'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()
            )
            raise PlaybookInvalid(f"The playbook {path} has settings that do not fit:\n{faults}") from error


@dataclass(frozen=True)
class Environment:
    """A named environment. Properties raise VariableInvalid when what they need is missing."""

    name: str
    playbook: Playbook
    variables: Mapping[str, str]

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
        if config.instance_type != self.playbook.clerk_instance:
            wanted = "sk_live_" if self.playbook.clerk_instance == "production" else "sk_test_"
            raise VariableInvalid(
                f"CLERK_SECRET_KEY is of a {config.instance_type} instance, but the environment "
                f"{self.name!r} belongs to a {self.playbook.clerk_instance} one. Export the key that "
                f"begins with {wanted}, or name the environment that you mean."
            )
        return config

    @property
    def totp_key(self) -> bytes | None:
        """Key of the encrypted TOTP secrets (AES-256, 32 bytes); None when AX_TOTP_KEY is not set."""
        return self._key("AX_TOTP_KEY") if self.variables.get("AX_TOTP_KEY") else None

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


def playbook_names() -> list[str]:
    """Names of the environments that have a playbook."""
    return sorted(path.stem for path in PLAYBOOKS.glob("*.yaml"))


def load_environment(name: str, variables: Mapping[str, str] = os.environ) -> Environment:
    """The environment `name`: a playbook's name, or a path to one.

    Raises PlaybookInvalid, or VariableInvalid when the sandbox's variables are exported in part.
    """
    if name.endswith((".yaml", ".yml")):
        path = Path(name)
    else:
        path = PLAYBOOKS / f"{name}.yaml"
        if name not in playbook_names():
            raise PlaybookInvalid(
                f"There is no environment {name!r}. There are: {', '.join(playbook_names())}. "
                f"An environment is a file in {PLAYBOOKS}."
            )
    playbook = Playbook.load(path)
    if playbook.embedded_sandbox:
        variables = _with_sandbox(variables)
    return Environment(path.stem, playbook, variables)


def _with_sandbox(variables: Mapping[str, str]) -> Mapping[str, str]:
    """The exported variables, or else the running sandbox's: never some of each."""
    from toolkit.sandbox.state import variables as sandbox_variables

    exported = [name for name in ("DATABASE_URL", "CLERK_SECRET_KEY") if variables.get(name)]
    if len(exported) == 1:
        missing = "CLERK_SECRET_KEY" if exported == ["DATABASE_URL"] else "DATABASE_URL"
        raise VariableInvalid(
            f"{exported[0]} is set but {missing} is not: the sandbox's database and another's Clerk must not mix. "
            f'Export both (`eval "$(python -m toolkit sandbox env)"`) or unset {exported[0]}.'
        )
    if exported:
        return variables
    try:
        return {**variables, **sandbox_variables()}
    except ToolkitError as error:
        raise VariableInvalid(f"No database and no Clerk for the sandbox. {error}") from error
