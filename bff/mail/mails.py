"""What mails there are. Each kind has three templates, `<kind>.subject.txt`, `<kind>.txt` and `<kind>.html`."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from bff.visitor import Visitor

ChangeKind = Literal[
    "totp_added",
    "totp_removed",
    "backup_codes_made",
    "phone_added",
    "phone_removed",
    "default_phone_changed",
    "password_changed",
    "password_reset",
]
"""Changes of the ways in to an account: each is a security event, and told by mail."""
MailKind = Literal[ChangeKind, "password_reset_code", "address_taken"]
LONGEST = timedelta(days=3)
"""For so long a mail is tried to be sent."""


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail to one address."""

    kind: MailKind
    to: str
    visitor: Visitor
    """Who did what it tells of."""
    code: str | None = field(default=None, repr=False)
    """What only the mail's reader is to know."""
    lifetime: timedelta = LONGEST
    """For how long it makes sense; of one with a code, for how long that works."""
