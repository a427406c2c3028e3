"""The settings of an instance, as its Frontend API tells them to anybody."""

from collections.abc import Mapping
from typing import Literal

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

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
    """How the instance uses one thing that a user may have, such as a phone number."""

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
    second_factor: SecondFactor


@dataclass(frozen=True, slots=True)
class SignUp:
    mode: Literal["public", "restricted", "waitlist"]
    legal_consent_enabled: bool


@dataclass(frozen=True, slots=True)
class PasswordSettings:
    """Rules for new passwords; lengths in characters, where a `max_length` of 0 stands for Clerk's own limit."""

    min_length: int
    max_length: int
    require_special_char: bool
    require_numbers: bool
    require_uppercase: bool
    require_lowercase: bool
    min_zxcvbn_strength: int
    """From 0 to 4."""
    show_zxcvbn: bool
    """Pages are to show how strong a password is."""
    enforce_hibp_on_sign_in: bool
    """Whoever has a leaked password must reset it before signing in."""


@dataclass(frozen=True, slots=True)
class EnumerationProtection:
    """Whether the instance hides who has an account ("strict" in the Dashboard)."""

    enabled: bool


@dataclass(frozen=True, slots=True)
class UserLockout:
    """Whether a user is locked after too many failures in all, of passwords and codes, and for how long."""

    enabled: bool
    max_attempts: int
    duration_in_minutes: int


@dataclass(frozen=True, slots=True)
class AttackProtection:
    enumeration_protection: EnumerationProtection
    user_lockout: UserLockout


@dataclass(frozen=True, slots=True)
class UserSettings:
    attributes: Mapping[str, Attribute]
    sign_in: SignIn
    sign_up: SignUp
    password_settings: PasswordSettings
    attack_protection: AttackProtection


@dataclass(frozen=True, slots=True)
class NativeSettings:
    """Whether the instance serves native applications; this client is one to Clerk."""

    api_enabled: bool


@dataclass(frozen=True, slots=True)
class AuthConfig:
    native_settings: NativeSettings


@dataclass(frozen=True, slots=True)
class DisplayConfig:
    application_name: str
    instance_environment_type: str


@dataclass(frozen=True, slots=True)
class InstanceSettings:
    """The settings of an instance, by Clerk's names; the properties say what an import must know of them."""

    auth_config: AuthConfig
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
        return self.is_second_factor("authenticator_app")

    @property
    def backup_codes_enabled(self) -> bool:
        """Users may have backup codes, which stand in for their second factor."""
        return self._has("backup_code") and self._attributes["backup_code"].used_for_second_factor

    @property
    def second_factor_required(self) -> bool:
        """Everybody must have a second factor."""
        return self.user_settings.sign_in.second_factor.required

    @property
    def native_api_enabled(self) -> bool:
        """Native applications, and this client, may sign people in."""
        return self.auth_config.native_settings.api_enabled

    @property
    def open_to_anybody(self) -> bool:
        """Whoever likes may sign up at Clerk itself."""
        return self.user_settings.sign_up.mode == "public"

    @property
    def legal_consent_required(self) -> bool:
        """A user who signs up must accept terms."""
        return self.user_settings.sign_up.legal_consent_enabled

    @property
    def hides_who_has_an_account(self) -> bool:
        """A sign-in for an unknown address is answered like one with a wrong password."""
        return self.user_settings.attack_protection.enumeration_protection.enabled

    @property
    def refuses_leaked_passwords_at_sign_in(self) -> bool:
        """Whoever has a password that Have I Been Pwned knows must reset it before signing in."""
        return self.user_settings.password_settings.enforce_hibp_on_sign_in

    @property
    def required_beyond_email_and_password(self) -> tuple[str, ...]:
        """What else Clerk wants of every user, in words."""
        return tuple(
            _NAMES.get(name, name)
            for name, attribute in self._attributes.items()
            if attribute.enabled and attribute.required and name not in ("email_address", "password")
        )

    def is_second_factor(self, name: str) -> bool:
        """Users may have this attribute (authenticator_app, phone_number, backup_code) as second factor."""
        return self._has(name) and self._attributes[name].used_for_second_factor

    @property
    def _attributes(self) -> Mapping[str, Attribute]:
        return self.user_settings.attributes

    def _has(self, name: str) -> bool:
        return name in self._attributes and self._attributes[name].enabled


INSTANCE_SETTINGS = TypeAdapter(InstanceSettings)


@dataclass(frozen=True, slots=True)
class ProxyHealth:
    """What Clerk finds of the proxy of a domain."""

    status: Literal["healthy", "unhealthy"]
    x_forwarded_for: str | None = None
    """The address that Clerk saw; only of a healthy one."""
    message: str | None = None
    """What is wrong with an unhealthy one."""


PROXY_HEALTH = TypeAdapter(ProxyHealth)
