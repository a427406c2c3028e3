"""A system's second factors: Clerk's, or AX's own as long as there is one.

`bff/mfa/clerk.py` and `bff/legacy/mfa.py` implement `Factors`. Every call acts for the holder of a session, who has proven
lately who they are.
"""

from dataclasses import dataclass, field
from typing import Protocol

from bff.accounts import Account
from bff.proof.systems import State, SystemName
from bff.sessions.service import Session
from bff.visitor import Visitor


@dataclass(frozen=True, slots=True)
class Phone:
    """A verified phone number."""

    id: str
    number: str
    """Masked."""
    second_factor: bool
    default: bool
    """The code goes to this one first."""


@dataclass(frozen=True, slots=True)
class Offered:
    """The methods that the system lets people enrol."""

    totp: bool
    backup_code: bool
    sms: bool


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What a user has, and could have."""

    totp: bool
    backup_codes: bool
    phones: tuple[Phone, ...]
    offered: Offered


@dataclass(frozen=True, slots=True)
class Standing:
    """What a user has, as the system tells it without a session of theirs."""

    totp: bool
    phones: frozenset[str] = frozenset()
    """The system's ids of the numbers that are second factors."""
    default_phone: str | None = None


@dataclass(frozen=True, slots=True)
class NewAuthenticator:
    """An authenticator that is to be set up: not a factor before its first code."""

    secret: str = field(repr=False)
    """Base32."""
    uri: str = field(repr=False)
    """otpauth://, as the QR code has it."""
    state: State


@dataclass(frozen=True, slots=True)
class NewPhone:
    """A phone number that a code was sent to: not a factor before that comes back."""

    id: str
    """The system's."""
    sent_to: str
    """Masked."""
    state: State


def masked(number: str) -> str:
    """A number that its owner knows again, as Clerk masks it: +4*******78."""
    return f"{number[:2]}*******{number[-2:]}"


BackupCodes = tuple[str, ...] | None
"""New backup codes, shown once; None when there are none, or those from before go on."""


class Factors(Protocol):
    """Every call raises ReauthenticationRequired, AuthenticationUnavailable, TooManyAttempts, or MethodUnavailable.

    `again` says that the same was asked before, and that the answer was lost: what is done already is no error then.
    """

    name: SystemName

    async def enrolled(self, session: Session, visitor: Visitor) -> Enrolled:
        """What the user has."""
        ...

    async def standing(self, account: Account) -> Standing:
        """What a user has now, whoever asks. Raises AuthenticationUnavailable."""
        ...

    async def begin_totp(self, session: Session, visitor: Visitor) -> NewAuthenticator:
        """Make a secret. Raises MethodEnrolled."""
        ...

    async def finish_totp(
        self, session: Session, state: State, code: str, visitor: Visitor, *, again: bool
    ) -> BackupCodes:
        """Make the authenticator a factor, by its first code. Raises CodeInvalid or ChallengeExpired."""
        ...

    async def remove_totp(self, session: Session, visitor: Visitor, *, again: bool) -> None:
        """Take the authenticator away. Raises NotFound."""
        ...

    async def make_backup_codes(self, session: Session, visitor: Visitor) -> tuple[str, ...]:
        """New backup codes in place of the old."""
        ...

    async def begin_phone(self, session: Session, number: str, visitor: Visitor) -> NewPhone:
        """Send a code to a number. Raises FieldsInvalid."""
        ...

    async def resend_phone(self, session: Session, state: State, visitor: Visitor) -> None:
        """Send another code. Raises ChallengeExpired."""
        ...

    async def finish_phone(
        self, session: Session, state: State, code: str, visitor: Visitor, *, again: bool
    ) -> BackupCodes:
        """Make the number a factor, by the code that was sent. Raises CodeInvalid or ChallengeExpired."""
        ...

    async def make_phone_default(self, session: Session, phone_id: str, visitor: Visitor) -> None:
        """Let codes go to this number first. Raises NotFound."""
        ...

    async def remove_phone(self, session: Session, phone_id: str, visitor: Visitor, *, again: bool) -> None:
        """Take a number away. Raises NotFound."""
        ...
