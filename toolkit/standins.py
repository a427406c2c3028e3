"""Users that stand in for an account in Clerk while a canary tries its password, and how they are got rid of again.

Nothing links them to the account: they have an address of nobody's, an external ID of their own, and private metadata
that says what they are. Each is noted in the database before Clerk may have it, and until it is removed there.
"""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta

from toolkit.clerk import BackendClient, ClerkError, ResourceNotFound, User
from toolkit.database import Connection, queries

LEFT_AFTER = timedelta(minutes=10)
"""After this nothing that a canary asked of Clerk is under way any more."""
MOST = 100
"""Left ones that are looked at in one go."""


@dataclass
class StandIn:
    """A stand-in, in Clerk or about to be."""

    origin: str
    """The name of the database that its account is in."""
    external_id: str = field(default_factory=lambda: f"canary-{secrets.token_hex(12)}")
    clerk_id: str | None = None
    """None before Clerk has said that it is there."""
    left: str | None = None
    """Why it may still be in Clerk, at the end; None when it is removed."""

    def address(self, *, development: bool) -> str:
        """An address that has no mailbox: example.com takes no mail (RFC 2606). To a test address a development
        instance sends none either (https://clerk.com/docs/guides/development/testing/test-emails-and-phones)."""
        return f"{self.external_id}{'+clerk_test' if development else ''}@example.com"

    @property
    def metadata(self) -> dict[str, object]:
        """What it is, for whoever finds it."""
        return {"migration_canary": self.origin}


@asynccontextmanager
async def standing_in(
    connection: Connection, clerk: BackendClient, user_id: str, origin: str
) -> AsyncIterator[StandIn]:
    """A stand-in to be, for the row with this id; removed from Clerk at the end, also of one that is interrupted.

    If Clerk does not let that happen, a sweep does it later.
    """
    stand_in = StandIn(origin)
    await queries.note_canary(
        connection, canary=stand_in.external_id, event="begun", user_id=user_id, finding=None
    )
    try:
        yield stand_in
    finally:
        try:
            await _remove(connection, clerk, stand_in)
        except ClerkError as error:
            stand_in.left = str(error)


async def remove_left(connection: Connection, clerk: BackendClient, settle: timedelta = LEFT_AFTER) -> int:
    """Remove the stand-ins of canaries whose process has died; how many Clerk still had. Raises ClerkError."""
    left = [record["canary"] async for record in queries.left_canaries(connection, settle=settle, most=MOST)]
    if not left:
        return 0
    origin = await queries.origin(connection)
    found = [user for user in await clerk.list_users(external_ids=left) if _is_stand_in(user, origin)]
    for user in found:
        await _delete(clerk, user.id)
    for external_id in left:
        await _note_removed(connection, external_id)
    return len(found)


async def _remove(connection: Connection, clerk: BackendClient, stand_in: StandIn) -> None:
    if stand_in.clerk_id is None:  # refused, or the answer was lost
        found = await clerk.find_user_by_external_id(stand_in.external_id)
        if found is None:
            return  # it may still come: a sweep looks once more
        stand_in.clerk_id = found.id
    await _delete(clerk, stand_in.clerk_id)
    await _note_removed(connection, stand_in.external_id)


async def _delete(clerk: BackendClient, clerk_id: str) -> None:
    with suppress(ResourceNotFound):
        await clerk.delete_user(clerk_id)


async def _note_removed(connection: Connection, external_id: str) -> None:
    await queries.note_canary(connection, canary=external_id, event="removed", user_id=None, finding=None)


def _is_stand_in(user: User, origin: str) -> bool:
    return (user.private_metadata or {}).get("migration_canary") == origin
