"""Clerk users in the way: whose address or external ID is that of a user who is due, and who are not theirs to write over."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from toolkit.clerk import BackendClient, User
from toolkit.clerk.addresses import normal_address
from toolkit.migration.carrier import obstacle
from toolkit.migration.plan import REASONS, Reason
from toolkit.migration.source import SourceUser

PAGE = 500
"""Clerk's largest page of users."""
ASKED = 100
"""Users that Clerk is asked for in one request."""
LISTED = 20_000
"""Clerk users that are kept in memory at most; with more of them Clerk is asked for the users who are due instead."""


class Strangers(Protocol):
    """Knows, for users who would go over, which Clerk user is in the way."""

    async def among(self, users: Sequence[SourceUser]) -> dict[str, Reason]:
        """Why these can't go over, by external id; those whom nobody is in the way of are not in it."""
        ...


async def find_strangers(clerk: BackendClient, clerk_users: int, due: int, origin: str) -> Strangers:
    """Whichever takes fewer requests: to list Clerk's users before, or to ask for those who are due as they come."""
    if clerk_users <= LISTED and clerk_users / PAGE <= 2 * due / ASKED:
        known = _Known(origin)
        async for page in clerk.user_pages(PAGE):
            known.add(page)
        return known
    return _Asked(clerk, origin)


@dataclass
class _Known:
    """Clerk's users by what the source's are compared with."""

    origin: str
    """This database's own name; empty where it has none yet."""
    holders: dict[str, str | None] = field(default_factory=dict)
    """Normal addresses, and the external ID of who has them."""
    namesakes: dict[str, User] = field(default_factory=dict)

    def add(self, found: Iterable[User]) -> None:
        for user in found:
            for email in user.email_addresses:
                self.holders[normal_address(email.email_address)] = user.external_id
            if user.external_id is not None:
                self.namesakes[user.external_id] = user

    async def among(self, users: Sequence[SourceUser]) -> dict[str, Reason]:
        reasons = {user.external_id: self._reason(user) for user in users}
        return {user_id: reason for user_id, reason in reasons.items() if reason is not None}

    def _reason(self, user: SourceUser) -> Reason | None:
        email = user.email or ""
        namesake = self.namesakes.get(user.external_id)
        if namesake is not None:
            reason = obstacle(namesake, email.strip(), user.email_verified, self.origin)
            if reason is not None:
                return reason
        normal = normal_address(email)
        if normal in self.holders and self.holders[normal] != user.external_id:
            return REASONS["email_taken"]
        return None


class _Asked:
    """Asks Clerk for the users who are due, a hundred at a time."""

    def __init__(self, clerk: BackendClient, origin: str) -> None:
        self._clerk = clerk
        self._origin = origin

    async def among(self, users: Sequence[SourceUser]) -> dict[str, Reason]:
        parts = [users[n : n + ASKED] for n in range(0, len(users), ASKED)]
        answers = await asyncio.gather(*map(self._ask, parts))
        return {user_id: reason for answer in answers for user_id, reason in answer.items()}

    async def _ask(self, users: Sequence[SourceUser]) -> dict[str, Reason]:
        ids = [user.external_id for user in users]
        addresses = [(user.email or "").strip() for user in users]
        known = _Known(self._origin)
        for found in await asyncio.gather(
            self._clerk.list_users(email_addresses=addresses, limit=PAGE),
            self._clerk.list_users(external_ids=ids, limit=PAGE),
        ):
            known.add(found)
        return await known.among(users)
