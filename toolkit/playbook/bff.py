"""`bff:` — how the runtime behaves."""

from ipaddress import IPv4Network, IPv6Network

from pydantic import Field

from toolkit.playbook.limits import Limit, LimitName
from toolkit.playbook.settings import Settings


class SessionSettings(Settings):
    """How long AX's sessions live."""

    idle_days: float = Field(default=14, gt=0)
    """Days without use after which a session ends."""
    longest_days: float = Field(default=90, gt=0)
    """Days after its login at which a session ends, however much it is used."""
    former_cookie: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]+$")
    """The name of AX's own session cookie, read where a browser has none of the BFF's: so nobody is logged out when the BFF
    takes over. Take it out after `longest_days`: until then a sister domain's page can plant a session under that name."""


class LoginSettings(Settings):
    """Logging in."""

    failure_seconds: float = Field(default=0.5, ge=0, le=5)
    """Refusals come after a multiple of this: what went wrong must not be told by the time it took (invariant 9). It
    should be longer than Clerk usually takes to refuse a password."""
    legacy_slots: int | None = Field(default=None, ge=1)
    """Argon2 verifications at a time; by default one a core, but for one core that is left to everything else."""


class SignupSettings(Settings):
    """Signing up."""

    unverified_hours: float = Field(default=24, gt=0)
    """Hours after which a signup that was never verified is undone."""
    clerk_seconds: float = Field(default=5, gt=0, le=30)
    """Seconds for each call to Clerk's Backend API, with its retries."""
    sweep_seconds: float = Field(default=30, gt=0)
    """Seconds between two looks for signups that somebody left."""
    answer_seconds: float = Field(default=2.0, ge=0, le=10)
    """Answers come after a multiple of this: whether the address has an account must not be told by the time it took
    (invariant 9). It should be longer than Clerk usually takes to create a user and send a code."""


class MailSettings(Settings):
    """Mail that the BFF sends itself, by SMTP_URL; Clerk sends the codes."""

    sender: str = "no-reply@localhost"


class ConnectionSettings(Settings):
    """Connections of clients."""

    by_address: int = Field(default=100, ge=1)
    """Connections at most from one IP address, of IPv6 from its /64 network. One more takes the place of an idle one.
    Trusted proxies may have as many as the process has files for."""
    idle_seconds: float = Field(default=15, gt=0)
    """Seconds after which a connection without a request ends; a request's header must come within them, too."""
    proxy_idle_seconds: float = Field(default=75, gt=0)
    """The same for trusted proxies. It should be longer than they keep an idle connection themselves."""


class BffSettings(Settings):
    """The runtime."""

    host: str = "127.0.0.1"
    port: int = Field(default=8400, ge=1, le=65535)
    origins: tuple[str, ...] = ()
    """Origins that may use cookies, beside the BFF's own, for example https://app.example.com."""
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    """Networks whose X-Forwarded-For is believed."""
    connections: ConnectionSettings = ConnectionSettings()
    database_connections: int = Field(default=20, ge=2)
    """Connections at most; the sweep holds one and uses another."""
    session: SessionSettings = SessionSettings()
    login: LoginSettings = LoginSettings()
    signup: SignupSettings = SignupSettings()
    limits: dict[LimitName, Limit] = Field(default_factory=dict)
    """In place of what toolkit/playbook/limits.py says."""
    mail: MailSettings = MailSettings()
    public_url: str | None = None
    """Where people find the BFF, for links in mails, for example https://app.example.com."""
