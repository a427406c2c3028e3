"""Rows of `users`, as far as both systems have them."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from bff import emails
from toolkit.database import Connection, queries


@dataclass(frozen=True, slots=True)
class Account:
    """A row of `users`."""

    id: UUID
    email: str
    email_verified: bool
    clerk_id: str | None
    """Set: Clerk checks the login, and nothing else does (invariant 3)."""
    disabled: bool
    seen_at: datetime
    """When the row stood so, by Postgres's clock."""


async def by_email(connection: Connection, email: str) -> Account | None:
    """The user with this address; only users of Clerk are found in whatever case and form it is typed."""
    normal = emails.typed(email)
    record = await queries.account_by_email(connection, email=email, normal=normal)
    if record is None and (kept := emails.kept(email)) != email:
        record = await queries.account_by_email(connection, email=kept, normal=normal)
    return Account(**record) if record else None


async def by_id(connection: Connection, user_id: UUID) -> Account | None:
    """The user with this id."""
    record = await queries.account_by_id(connection, user_id=user_id)
    return Account(**record) if record else None
