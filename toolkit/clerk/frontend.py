"""Clerk's Frontend API: https://clerk.com/docs/reference/frontend-api.

It can be asked for the instance's settings without a key, and is the only one of the APIs that tells them.
"""

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from toolkit.clerk.concurrency import InFlightLimit
from toolkit.clerk.config import ClerkConfig
from toolkit.clerk.errors import ClerkNotConfigured
from toolkit.clerk.rate import RateLimiter
from toolkit.clerk.transport import DEADLINE, Transport

_NAMES = {
    "phone_number": "Phone number",
    "username": "Username",
    "web3_wallet": "Web3 wallet",
    "first_name": "First name",
    "last_name": "Last name",
    "authenticator_app": "Authenticator application",
    "backup_code": "Backup codes",
    "passkey": "Passkey",
}


@dataclass(frozen=True, slots=True)
class Attribute:
    """What the instance does with one thing that a user may have."""

    enabled: bool
    required: bool
    used_for_first_factor: bool
    used_for_second_factor: bool


@dataclass(frozen=True, slots=True)
class SecondFactor:
    """Whether everybody must have a second factor."""

    required: bool


@dataclass(frozen=True, slots=True)
class SignIn:
    """Settings of signing in."""

    second_factor: SecondFactor


@dataclass(frozen=True, slots=True)
class SignUp:
    """Settings of signing up."""

    mode: Literal["public", "restricted", "waitlist"]
    legal_consent_enabled: bool


@dataclass(frozen=True, slots=True)
class PasswordSettings:
    """Rules for new passwords; lengths in characters, where a `max_length` of 0 stands for Clerk's own limit."""

    min_length: int
    max_length: int


@dataclass(frozen=True, slots=True)
class UserSettings:
    """What users have and how they get in."""

    attributes: Mapping[str, Attribute]
    sign_in: SignIn
    sign_up: SignUp
    password_settings: PasswordSettings


@dataclass(frozen=True, slots=True)
class DisplayConfig:
    """How the instance presents itself."""

    application_name: str
    instance_environment_type: str


@dataclass(frozen=True, slots=True)
class InstanceSettings:
    """The settings of an instance, in Clerk's words, and what an import must know of them."""

    user_settings: UserSettings
    display_config: DisplayConfig

    @property
    def email_address_enabled(self) -> bool:
        """Users have email addresses."""
        return self._has("email_address")

    @property
    def email_address_identifies(self) -> bool:
        """Users sign in with their email address."""
        return self._has("email_address") and self._attributes["email_address"].used_for_first_factor

    @property
    def password_enabled(self) -> bool:
        """Users have passwords."""
        return self._has("password")

    @property
    def authenticator_app_enabled(self) -> bool:
        """Users may have an authenticator application as their second factor."""
        return self._has("authenticator_app") and self._attributes["authenticator_app"].used_for_second_factor

    @property
    def second_factor_required(self) -> bool:
        """Everybody must have a second factor."""
        return self.user_settings.sign_in.second_factor.required

    @property
    def required_beyond_email_and_password(self) -> tuple[str, ...]:
        """What else Clerk wants of every user, in words."""
        return tuple(
            _NAMES.get(name, name)
            for name, attribute in self._attributes.items()
            if attribute.enabled and attribute.required and name not in ("email_address", "password")
        )

    @property
    def _attributes(self) -> Mapping[str, Attribute]:
        return self.user_settings.attributes

    def _has(self, name: str) -> bool:
        return name in self._attributes and self._attributes[name].enabled


_INSTANCE_SETTINGS = TypeAdapter(InstanceSettings)


class FrontendClient:
    """The Frontend API of one instance; an async context manager.

    Raises ClerkNotConfigured when the configuration does not say where it is.
    """

    def __init__(self, config: ClerkConfig, *, deadline: float = DEADLINE) -> None:
        if config.frontend_api_url is None:
            raise ClerkNotConfigured(
                "CLERK_PUBLISHABLE_KEY is not set; it tells where the instance's settings are to be read. Copy the "
                "publishable key from Clerk's Dashboard (API keys) and export it."
            )
        self._transport = Transport(
            config.frontend_api_url,
            variable="CLERK_PUBLISHABLE_KEY (or CLERK_FRONTEND_API_URL)",
            headers={"Clerk-API-Version": config.api_version},
            limiter=RateLimiter(None),
            in_flight=InFlightLimit(),
            deadline=deadline,
        )

    async def __aenter__(self) -> Self:
        await self._transport.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._transport.__aexit__()

    async def environment(self) -> InstanceSettings:
        """The instance's settings. Raises ClerkUnavailable."""
        return await self._transport.request(
            "GET", "/environment", _INSTANCE_SETTINGS, query=[("_is_native", "1")]
        )
