"""`bff:` — how the runtime behaves."""

from ipaddress import IPv4Network, IPv6Network

from pydantic import Field

from toolkit.playbook.limits import Limit
from toolkit.playbook.settings import Settings


class SessionSettings(Settings):
    """How long AX's sessions live."""

    idle_days: float = Field(default=14, gt=0)
    """Without use."""
    longest_days: float = Field(default=90, gt=0)
    """From the login, however much it is used."""


class LoginSettings(Settings):
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


class SignupSettings(Settings):
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


class MailSettings(Settings):
    """Mail that the BFF sends itself, by SMTP_URL; Clerk sends the codes."""

    sender: str = "no-reply@localhost"


class BffSettings(Settings):
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
