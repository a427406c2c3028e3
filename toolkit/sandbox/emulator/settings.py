"""How the emulated instance is set up, and how the emulator behaves; changed over HTTP, kept with the state."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

RateLimit = Literal["production", "development", "off"]
Requirable = Literal["first_name", "last_name", "username", "phone_number"]
Characters = Literal["special_char", "numbers", "uppercase", "lowercase"]

REQUESTS: dict[RateLimit, int | None] = {"production": 1000, "development": 100, "off": None}
"""Backend API requests in ten seconds that Clerk documents for the kinds of instances."""


MOST_LATENCY_MS = 60_000


class Settings(BaseModel):
    """Settings with their defaults: a production instance's limit, everything that an import needs switched on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rate_limit: RateLimit = "production"
    latency_ms: float = Field(default=0, ge=0, le=MOST_LATENCY_MS)
    """Time that each answer takes at least, in milliseconds."""
    latency_jitter_ms: float = Field(default=0, ge=0, le=MOST_LATENCY_MS)
    """Up to so many milliseconds more, evenly spread."""
    user_quota: int | None = Field(default=None, ge=0)
    """Users that the instance takes at most; None for no limit."""
    traffic: int = Field(default=10_000, ge=0, le=1_000_000)
    """Exchanges that are kept."""
    email_address: bool = True
    password: bool = True
    password_min_length: int = Field(default=8, ge=1)
    """Characters of a new password at least."""
    password_max_length: int = Field(default=0, ge=0)
    """Characters of a new password at most; 0 leaves it at the 72 bytes that Clerk's own hasher reads."""
    password_requires: tuple[Characters, ...] = ()
    """Kinds of characters that a new password must have."""
    password_strength: int = Field(default=0, ge=0, le=4)
    """What zxcvbn has to say of a new password at least; with any but 0, `weak_passwords` are refused."""
    weak_passwords: tuple[str, ...] = ("abcdefgh", "qwerty1234", "letmein123")
    """Passwords that are not strong enough. Strength is not computed."""
    show_password_strength: bool = False
    """Pages are to show how strong a new password is."""
    reject_pwned: bool = True
    """A new password must not be one of `pwned_passwords`."""
    reject_pwned_at_sign_in: bool = False
    """Whoever has such a password cannot sign in with it, and has to reset it."""
    pwned_passwords: tuple[str, ...] = (
        *("password", "password1", "password123", "12345678", "123456789", "1234567890", "qwertyuiop"),
        *("iloveyou", "correct horse battery staple"),
    )
    """What stands for the list of leaked passwords, in lower case."""
    cognito_passwords: dict[str, str] = {}
    """What stands for AWS Cognito, which Clerk asks for passwords of `awscognito` digests: by the user's identifier there."""
    authenticator_app: bool = True
    backup_code: bool = True
    username: bool = False
    phone_number: bool = False
    phone_number_identifies: bool = False
    """Users sign in with a number that is no second factor, and reset their password with a code that is sent there."""
    enumeration_protection: bool = False
    """Sign-ins do not tell whether there is an account (strict user enumeration protection in the Dashboard)."""
    native_api: bool = True
    """Native applications are served (Native applications in the Dashboard)."""
    proxy_url: str | None = None
    """Where the Frontend API is proxied, as the domain has it in the Dashboard."""
    proxy_passes_addresses: bool = True
    """End users' addresses come through the proxy."""
    sign_up_mode: Literal["public", "restricted", "waitlist"] = "restricted"
    """Who may sign up at Clerk itself, as the Frontend API tells it; it serves no sign-ups here."""
    client_trust: bool = False
    """A password alone is not enough on a device that the user never signed in on: an emailed code is asked for."""
    single_session_mode: bool = True
    """A client has one session at most."""
    lockout_attempts: int = Field(default=100, ge=1)
    """Failed attempts after which a user is locked."""
    lockout_seconds: int = Field(default=3600, ge=1)
    """How long a lock lasts."""
    compromised_sign_in: Literal["new_password", "refused"] = "new_password"
    """What happens when a password that is set as compromised is right: a new one is due, or the sign-in is refused."""
    sign_in_as: str | None = None
    """A user id: every sign-in ends as this user's, whoever signed in. To test that nobody believes it."""
    bans: bool = True
    """The plan includes banning users."""
    required: tuple[Requirable, ...] = ()
    """Fields that every user must have."""
