"""The resources that the Frontend API answers with: the fields that this project uses, by Clerk's names.

Times are in milliseconds since 1970, UTC.
"""

from collections.abc import Mapping
from dataclasses import field
from typing import Generic, TypeVar

from pydantic import Field, TypeAdapter
from pydantic.dataclasses import dataclass

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Factor:
    """One of the factors that Clerk offers."""

    strategy: str
    """Clerk's word for a method: password, totp, backup_code, phone_code, email_code, reset_password_email_code, …"""
    safe_identifier: str | None = None
    """Where a code goes, masked."""
    email_address_id: str | None = None
    phone_number_id: str | None = None
    primary: bool | None = None
    default: bool | None = None


@dataclass(frozen=True, slots=True)
class Verification:
    """How far the proof of an address or a number is."""

    status: str
    """unverified, verified, failed, expired, transferable."""
    strategy: str | None = None
    attempts: int | None = None
    expire_at: int | None = None


@dataclass(frozen=True, slots=True)
class FrontendEmailAddress:
    id: str
    email_address: str
    verification: Verification | None = None


@dataclass(frozen=True, slots=True)
class PhoneNumber:
    id: str
    phone_number: str
    reserved_for_second_factor: bool = False
    default_second_factor: bool = False
    verification: Verification | None = None
    backup_codes: tuple[str, ...] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class FrontendUser:
    """The user of a session."""

    id: str
    first_name: str | None = None
    last_name: str | None = None
    primary_email_address_id: str | None = None
    password_enabled: bool = False
    two_factor_enabled: bool = False
    totp_enabled: bool = False
    backup_code_enabled: bool = False
    email_addresses: tuple[FrontendEmailAddress, ...] = ()
    phone_numbers: tuple[PhoneNumber, ...] = ()
    passkeys: tuple[Mapping[str, object], ...] = ()
    external_accounts: tuple[Mapping[str, object], ...] = ()
    web3_wallets: tuple[Mapping[str, object], ...] = ()


@dataclass(frozen=True, slots=True)
class FrontendSession:
    """A session of a client."""

    id: str
    status: str
    """active, pending, ended, expired, removed, revoked, abandoned, replaced."""
    expire_at: int
    user: FrontendUser | None = None
    factor_verification_age: tuple[int, int] | None = None
    """Minutes since the first and the second factor were proven; -1 for never."""


@dataclass(frozen=True, slots=True)
class Client:
    """A device, with its sessions."""

    id: str
    sessions: tuple[FrontendSession, ...] = ()
    last_active_session_id: str | None = None

    def session(self, session_id: str | None) -> FrontendSession | None:
        return next((session for session in self.sessions if session.id == session_id), None)


@dataclass(frozen=True, slots=True)
class SignInResource:
    """A sign-in as Clerk answers it, which names its session by id only."""

    id: str
    status: str
    """needs_first_factor, needs_second_factor, needs_client_trust, needs_new_password, complete, abandoned, …"""
    identifier: str | None = None
    supported_first_factors: tuple[Factor, ...] | None = None
    supported_second_factors: tuple[Factor, ...] | None = None
    created_session_id: str | None = None


@dataclass(frozen=True, slots=True)
class SignIn:
    """A sign-in together with the session that it led to."""

    id: str
    status: str
    identifier: str | None
    supported_first_factors: tuple[Factor, ...]
    supported_second_factors: tuple[Factor, ...]
    session: FrontendSession | None
    """The session that was created; None before the sign-in is complete."""

    @property
    def user_id(self) -> str | None:
        """Who signed in, by Clerk's id."""
        return self.session.user.id if self.session is not None and self.session.user is not None else None


@dataclass(frozen=True, slots=True)
class SessionVerification:
    """A reverification: somebody who is signed in proves their factors once more."""

    level: str
    status: str
    """needs_first_factor, needs_second_factor, complete."""
    supported_first_factors: tuple[Factor, ...] | None = None
    supported_second_factors: tuple[Factor, ...] | None = None


@dataclass(frozen=True, slots=True)
class Totp:
    """An authenticator that is being set up."""

    id: str
    verified: bool
    secret: str | None = field(default=None, repr=False)
    uri: str | None = field(default=None, repr=False)
    backup_codes: tuple[str, ...] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class BackupCodes:
    """New backup codes; they are shown once."""

    codes: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Deleted:
    deleted: bool
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Envelope(Generic[T]):
    """What every answer comes in: the resource, and the client as it is now."""

    response: T
    client: Client | None = Field(default=None)


NOTHING = TypeAdapter(Envelope[Mapping[str, object] | None])
CLIENT = TypeAdapter(Envelope[Client | None])
SIGN_IN = TypeAdapter(Envelope[SignInResource])
SESSION = TypeAdapter(Envelope[FrontendSession])
SESSIONS = TypeAdapter(list[FrontendSession])
SESSION_VERIFICATION = TypeAdapter(Envelope[SessionVerification])
USER = TypeAdapter(Envelope[FrontendUser])
EMAIL_ADDRESS = TypeAdapter(Envelope[FrontendEmailAddress])
PHONE_NUMBER = TypeAdapter(Envelope[PhoneNumber])
TOTP = TypeAdapter(Envelope[Totp])
BACKUP_CODES = TypeAdapter(Envelope[BackupCodes])
DELETED = TypeAdapter(Envelope[Deleted])
