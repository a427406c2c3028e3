"""A system that checks passwords and codes: Clerk, or AX's own as long as there is one.

`bff/proof/clerk.py` and `bff/legacy/` implement `System`, `bff/proof/clerk_resets.py` and `bff/legacy/` implement
`ResetSystem`. What a system has to remember between the steps of a proof is
its `State`: Clerk's sign-in (or another day its check of a live session), or the digest that a password was checked
against.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal, Protocol

from bff.accounts import Account
from bff.devices import Device
from bff.events import Note
from bff.sessions.service import ClerkSession
from bff.visitor import Visitor
from toolkit.database import Connection

CODE_LIFETIME = timedelta(minutes=2)
"""How long an authenticator code that was used is remembered: longer than one is taken, by either system."""

SystemName = Literal["clerk", "legacy"]
MethodName = Literal["totp", "backup_code", "sms", "email"]
Trust = Literal["none", "reset", "session", "device"]
"""What speaks for somebody before they prove anything: nothing; a code that went to the user's mailbox and may come back, which
anybody may have asked for; a live session of the user; or a device where the user got in before."""
ResetMethod = Literal["email", "sms"]
"""Where the code of a reset goes."""
Kind = Literal["second_factor", "client_trust"]
"""Why a step is needed: the user has a second factor, or Clerk does not know the device."""


@dataclass(frozen=True, slots=True)
class State:
    """What a system remembers. `facts` are its own, and nobody else looks into them."""

    facts: Mapping[str, str] = field(repr=False)
    client_token: str | None = field(default=None, repr=False)
    """What Clerk knows the device by from now on."""
    lost_code: str | None = field(default=None, repr=False)
    """A code of a reset that was tried, and the answer to it lost: it may have been right."""


@dataclass(frozen=True, slots=True)
class Method:
    """A method that is on offer."""

    name: MethodName
    to: str | None = None
    """Where a code goes, masked; None for codes that the user has."""
    reference: str | None = None
    """The system's id of the phone number or email address; None when no code is sent."""


@dataclass(frozen=True, slots=True)
class Proved:
    """Somebody proved all that their system asks of them."""

    account: Account
    system: SystemName
    state: State
    clerk_session: ClerkSession | None = None
    """What Clerk made of it."""
    challenge_id: str | None = field(default=None, repr=False)
    """The challenge that it finished."""


@dataclass(frozen=True, slots=True)
class StepNeeded:
    """The password was right; the system wants one of these methods, too."""

    account: Account
    system: SystemName
    kind: Kind
    methods: tuple[Method, ...]
    state: State


@dataclass(frozen=True, slots=True)
class NewPasswordNeeded:
    """The password was right, and must be replaced before anything else."""

    account: Account


@dataclass(frozen=True, slots=True)
class CodeSent:
    """A code was sent, to prove that somebody has the mailbox or the phone of an account."""

    state: State
    to: str
    """Masked."""


class Changed(Exception):
    """The user does not stand any more as when the proof began: moved to Clerk, disabled, or with another password."""


class Gone(Exception):
    """The system does not know any more what was begun: the proof must begin anew."""


class System(Protocol):
    """Every call raises AuthenticationUnavailable when the system can't be asked, or does not answer as it should."""

    name: SystemName

    async def check_password(
        self, account: Account, password: str, device: Device | None, trust: Trust, visitor: Visitor
    ) -> Proved | StepNeeded | NewPasswordNeeded:
        """Check a password. `device` is the visitor's, if the user was there before.

        Raises CredentialsInvalid, TooManyAttempts or Changed.
        """
        ...

    async def pretend(self, password: str, visitor: Visitor) -> None:
        """Cost what most users' passwords cost, for an address that nobody has (invariant 9)."""
        ...

    def crowded(self, visitor: Visitor) -> bool:
        """Whether the visitor's password would not be looked at now, since too many wait: then it is refused with Crowded."""
        ...

    async def send_code(self, state: State, method: Method, visitor: Visitor) -> State:
        """Send a code; the state from then on. Raises Gone, CredentialsInvalid or TooManyAttempts."""
        ...

    async def check_code(
        self, account: Account, state: State, method: MethodName, code: str, visitor: Visitor
    ) -> Proved | NewPasswordNeeded:
        """Check a code. Raises CodeInvalid, CredentialsInvalid, TooManyAttempts, Gone or Changed."""
        ...

    async def settle(self, connection: Connection, proved: Proved) -> None:
        """In the transaction that acts on a proof: see that it still holds, and keep it so until the end.

        Raises Changed, or CodeInvalid when the code was used elsewhere meanwhile.
        """
        ...


class ResetSystem(Protocol):
    """Lets somebody who does not know the password set a new one, by a code that is sent to them.

    Every call raises AuthenticationUnavailable when the system can't be asked, or does not answer as it should.
    """

    name: SystemName

    async def send_code(self, account: Account, method: ResetMethod, visitor: Visitor) -> CodeSent:
        """Send a code, in place of the one before.

        Raises MethodUnavailable when the account has nothing to send it to, CredentialsInvalid, TooManyAttempts or Changed.
        """
        ...

    async def check_code(
        self, account: Account, state: State, code: str, trust: Trust, visitor: Visitor
    ) -> State:
        """Check a code; the state with which the password is set.
        Raises CodeInvalid, CredentialsInvalid, TooManyAttempts, Gone or Changed.
        """
        ...

    async def set_password(
        self, account: Account, state: State, password: str, visitor: Visitor, note: Note
    ) -> Proved | StepNeeded:
        """Set the new password for good, and end the user's sessions in the system; what a login with it would come to.

        A system whose passwords are in the database calls `note` in the transaction that sets one.
        Raises FieldsInvalid for a password that is not taken, TooManyAttempts, Gone or Changed.
        """
        ...

    async def version(self, account: Account) -> str:
        """What changes with every new password of the account; nothing where new passwords come with their note."""
        ...
