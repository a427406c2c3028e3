"""The resources that the Backend API answers with: the fields that this project uses, by Clerk's names.

Times are in milliseconds since 1970, UTC, as Clerk gives them. Pydantic checks an answer and makes these of it in one
step, from the bytes; fields that are not named here are skipped.
"""

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from pydantic import JsonValue, TypeAdapter
from pydantic.dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verification:
    """How far the proof of an email address is: `verified`, `unverified`, `failed`, `expired`, …"""

    status: str
    strategy: str


@dataclass(frozen=True, slots=True)
class EmailAddress:
    """An email address of a user. A reserved one is not proven, yet signs its user in, and nobody else can have it."""

    id: str
    email_address: str
    reserved: bool
    verification: Verification | None

    @property
    def verified(self) -> bool:
        """The address is proven to be the user's."""
        return self.verification is not None and self.verification.status == "verified"


@dataclass(frozen=True, slots=True)
class UserPhoneNumber:
    """A phone number of a user."""

    id: str
    reserved_for_second_factor: bool = False
    default_second_factor: bool = False


@dataclass(frozen=True, slots=True)
class User:
    id: str
    external_id: str | None
    first_name: str | None
    last_name: str | None
    username: str | None
    primary_email_address_id: str | None
    email_addresses: tuple[EmailAddress, ...]
    password_enabled: bool
    two_factor_enabled: bool
    totp_enabled: bool
    backup_code_enabled: bool
    banned: bool
    locked: bool
    created_at: int
    last_sign_in_at: int | None = None
    password_last_updated_at: int | None = None
    phone_numbers: tuple[UserPhoneNumber, ...] = ()
    passkeys: tuple[Mapping[str, JsonValue], ...] = ()
    external_accounts: tuple[Mapping[str, JsonValue], ...] = ()
    web3_wallets: tuple[Mapping[str, JsonValue], ...] = ()
    public_metadata: Mapping[str, JsonValue] = field(default_factory=dict)
    private_metadata: Mapping[str, JsonValue] | None = None

    @property
    def primary_email(self) -> EmailAddress | None:
        """The address that Clerk writes to."""
        return next((e for e in self.email_addresses if e.id == self.primary_email_address_id), None)


@dataclass(frozen=True, slots=True)
class Session:
    id: str
    user_id: str
    client_id: str
    status: str
    expire_at: int
    abandon_at: int
    last_active_at: int
    created_at: int


@dataclass(frozen=True, slots=True)
class SignInToken:
    """A token with which its user signs in once. Only the answer to its creation has the `token` itself."""

    id: str
    user_id: str
    status: Literal["pending", "accepted", "revoked"]
    created_at: int
    token: str | None = field(default=None, repr=False)
    url: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Instance:
    """The instance that the secret key belongs to."""

    id: str
    environment_type: str


@dataclass(frozen=True, slots=True)
class Domain:
    """A domain of the instance. The primary one is no satellite."""

    id: str
    name: str
    is_satellite: bool
    proxy_url: str | None = None
    """Where the Frontend API is proxied on it."""


@dataclass(frozen=True, slots=True)
class Domains:
    data: tuple[Domain, ...]


@dataclass(frozen=True, slots=True)
class DeletedObject:
    deleted: bool
    id: str | None = None


@dataclass(frozen=True, slots=True)
class TotalCount:
    total_count: int


@dataclass(frozen=True, slots=True)
class UserId:
    """Clerk's answer when second factors were removed."""

    user_id: str


@dataclass(frozen=True, slots=True)
class Verified:
    verified: bool


USER = TypeAdapter(User)
USERS = TypeAdapter(list[User])
EMAIL_ADDRESS = TypeAdapter(EmailAddress)
SESSIONS = TypeAdapter(list[Session])
SESSION = TypeAdapter(Session)
SIGN_IN_TOKEN = TypeAdapter(SignInToken)
INSTANCE = TypeAdapter(Instance)
DOMAINS = TypeAdapter(Domains)
DELETED_OBJECT = TypeAdapter(DeletedObject)
TOTAL_COUNT = TypeAdapter(TotalCount)
USER_ID = TypeAdapter(UserId)
VERIFIED = TypeAdapter(Verified)
