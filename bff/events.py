"""Security events: what was done to the ways in to an account, shown to its owner and told by mail."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol
from uuid import UUID

from bff.mail.mailer import Mailer
from bff.mail.mails import ChangeKind, Mail
from bff.visitor import Visitor
from toolkit.database import Connection, queries

EventKind = Literal[ChangeKind, "other_sessions_ended"]
MOST = 100
"""Events that are listed."""


@dataclass(frozen=True, slots=True)
class Event:
    """What was done, and from where."""

    kind: EventKind
    at: datetime
    address: str | None
    user_agent: str | None


Note = Callable[[Connection], Awaitable[None]]
"""Writes down that a change was made, with all that comes of it: for systems in the database, whose transaction is to do both."""


class Owner(Protocol):
    """Whose account it is."""

    @property
    def id(self) -> UUID: ...
    @property
    def email(self) -> str: ...


class Events:
    """Writes events down with what they are about, and tells the owner."""

    def __init__(self, mailer: Mailer) -> None:
        self._mailer = mailer

    async def add(self, connection: Connection, owner: Owner, kind: EventKind, visitor: Visitor) -> None:
        """Write an event down, and have the owner told by mail once this transaction is committed.

        Of sessions that ended no mail tells: the owner ended them with something that one tells of.
        """
        await queries.add_event(
            connection, user_id=owner.id, kind=kind, address=visitor.address, user_agent=visitor.user_agent
        )
        if kind != "other_sessions_ended":
            await self._mailer.add(connection, Mail(kind, owner.email, visitor))

    async def of_user(self, connection: Connection, user_id: UUID) -> list[Event]:
        """The newest first."""
        return [
            Event(**record) async for record in queries.events_of_user(connection, user_id=user_id, most=MOST)
        ]
