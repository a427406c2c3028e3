"""Security events: what was done to the ways in to an account, shown to its owner and told by mail."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from bff.mail import Mailer
from bff.visitor import Visitor
from toolkit.database import Connection, queries

EventKind = Literal[
    "totp_added",
    "totp_removed",
    "backup_codes_made",
    "phone_added",
    "phone_removed",
    "default_phone_changed",
    "other_sessions_ended",
]
MOST = 100
"""Events that are listed."""

_TOLD: Mapping[EventKind, str] = {
    "totp_added": "An authenticator app was added as second factor",
    "totp_removed": "The authenticator app was removed",
    "backup_codes_made": "New backup codes were made; the ones from before are void",
    "phone_added": "A phone number was added as second factor",
    "phone_removed": "A phone number was removed",
    "default_phone_changed": "Another phone number gets the codes first",
    "other_sessions_ended": "All other sessions were ended",
}


@dataclass(frozen=True, slots=True)
class Event:
    """What was done, and from where."""

    kind: EventKind
    at: datetime
    address: str | None
    user_agent: str | None


class Events:
    """Writes events down with what they are about, and tells the owner."""

    def __init__(self, mailer: Mailer) -> None:
        self._mailer = mailer

    async def add(self, connection: Connection, user_id: UUID, kind: EventKind, visitor: Visitor) -> None:
        """Write an event down."""
        await queries.add_event(
            connection, user_id=user_id, kind=kind, address=visitor.address, user_agent=visitor.user_agent
        )

    async def of_user(self, connection: Connection, user_id: UUID) -> list[Event]:
        """The newest first."""
        return [
            Event(**record) async for record in queries.events_of_user(connection, user_id=user_id, most=MOST)
        ]

    def tell(self, email: str, kind: EventKind, visitor: Visitor) -> None:
        """Tell the owner by mail, without waiting for it."""
        where = f", from the address {visitor.address}" if visitor.address is not None else ""
        self._mailer.send(
            email,
            f"{_TOLD[kind]}",
            f"{_TOLD[kind]}{where}.\n\nIf it was not you, log in, end all other sessions and change your password.\n",
        )
