"""A system that keeps passwords: Clerk, or AX's own as long as there is one.

`bff/password/clerk.py` and `bff/legacy/` implement `PasswordSystem`.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

from bff.events import Note
from bff.proof.service import Claim
from bff.proof.systems import SystemName
from bff.sessions.service import Session
from bff.visitor import Visitor

Character = Literal["lowercase", "uppercase", "number", "special"]


@dataclass(frozen=True, slots=True)
class Rules:
    """What a new password must be like."""

    min_length: int
    max_length: int | None
    """In characters, as `min_length`."""
    max_bytes: int
    """In UTF-8, for what a hasher reads."""
    requires: tuple[Character, ...] = ()
    """Kinds of characters of which there must be one."""
    min_strength: int | None = None
    """Of zxcvbn's score, from 0 to 4; None where it is not looked at."""


class PasswordSystem(Protocol):
    """Every call raises AuthenticationUnavailable when the system can't be asked, or does not answer as it should."""

    name: SystemName

    async def rules(self) -> Rules:
        """What a new password must be like."""
        ...

    async def change(
        self,
        session: Session,
        claim: Claim,
        current: str,
        new: str,
        visitor: Visitor,
        note: Note,
        *,
        sign_out_others: bool,
    ) -> None:
        """Put a new password in place of the current one, for the holder of a session; `claim` is who they are.

        A system whose passwords are in the database calls `note` in the transaction that makes the change.
        Raises FieldsInvalid, ReauthenticationRequired (also for a user who has just been moved) or TooManyAttempts.
        """
        ...


def strictest(*all_rules: Rules) -> Rules:
    """What satisfies all of these: so that rules don't tell which system somebody is on."""
    most = [rules.max_length for rules in all_rules if rules.max_length is not None]
    strengths = [rules.min_strength for rules in all_rules if rules.min_strength is not None]
    required = [kind for rules in all_rules for kind in rules.requires]
    return Rules(
        min_length=max(rules.min_length for rules in all_rules),
        max_length=min(most, default=None),
        max_bytes=min(rules.max_bytes for rules in all_rules),
        requires=tuple(dict.fromkeys(required)),
        min_strength=max(strengths, default=None),
    )
