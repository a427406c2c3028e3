"""Signups that begin and do not end: undoing them, and finishing what was all but done (invariant 5).

A signup is a saga: a row in clerk_migration.signups that names the last step that was done. Undoing one takes the
user out of AX and gives the invite back in one transaction, and then takes the user out of Clerk. A create that Clerk
may still be working on is waited for: the saga is closed only when nothing can come any more.
"""

import asyncio
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog

from toolkit.clerk import BackendClient, ClerkError, ClerkUnavailable, FrontendUser, ResourceNotFound, User
from toolkit.database import Connection, pool, queries
from toolkit.environment import Environment
from toolkit.errors import ToolkitError

SETTLE = timedelta(minutes=2)
"""After this nothing that a process began at Clerk is under way any more."""
AT_ONCE = timedelta(seconds=3)
"""What Clerk has for an undo while somebody waits for the answer; a sweep goes on with it."""
UNVERIFIED = timedelta(hours=24)
"""How long a signup waits for its code."""
PAGE = 1000
"""Signups that one sweep looks at; the next takes the rest."""
OUTAGES = 3
"""In a row: then Clerk is out, and not one signup's trouble, and the sweep ends."""
_OPEN = ("invite_taken", "row_created", "code_sent", "decoy")


class SweepBusy(ToolkitError):
    """Another process sweeps."""


_log = structlog.get_logger("signups")


@dataclass(frozen=True, slots=True)
class SignedUp:
    """The user of a signup, by the ids that AX (the external ID in Clerk) and Clerk have for it."""

    id: str
    clerk_id: str | None


@dataclass(slots=True)
class Swept:
    """What a sweep did, in numbers of signups."""

    finished: int = 0
    """Verified in Clerk, and now in AX too."""
    undone: int = 0
    left: int = 0
    """Undone in AX, and perhaps not in Clerk yet: the next sweep goes on."""
    errors: list[str] = field(default_factory=list)
    """Why, in Clerk's words."""


class Sagas:
    """Ends signups that do not end by themselves. `connect` lends a connection that nothing else uses meanwhile."""

    def __init__(
        self, connect: Callable[[], AbstractAsyncContextManager[Connection]], clerk: BackendClient
    ) -> None:
        self._connect = connect
        self._clerk = clerk

    async def undo(self, saga_id: UUID, reason: str, *, certain: bool) -> bool:
        """Undo a signup: at once in AX, and in Clerk if it answers; else a sweep does that. False: it has ended already.

        `certain` says that no request of this signup can reach Clerk any more. Raises DatabaseUnreachable and the like.
        """
        user = await self._begin_undo(saga_id, reason, _OPEN)
        if user is None:
            return False
        _log.info("signup undone", saga=str(saga_id), reason=reason)
        await self._withdraw_at_once(saga_id, user, settled=certain)
        return True

    async def undo_again(self, saga_id: UUID, user: SignedUp) -> None:
        """Clerk made the user of a signup after it was undone: take that out, now or in a sweep."""
        async with self._connect() as connection:
            await queries.undo_again(connection, signup_id=saga_id, clerk_id=user.clerk_id)
        await self._withdraw_at_once(saga_id, user, settled=True)

    async def _withdraw_at_once(self, saga_id: UUID, user: SignedUp, *, settled: bool) -> None:
        try:
            async with asyncio.timeout(AT_ONCE.total_seconds()):
                await self.withdraw(saga_id, user, settled=settled)
        except (ClerkError, TimeoutError) as error:
            reason = str(error) or "Clerk takes too long."
            _log.warning("a signup's user stays in clerk for now", saga=str(saga_id), error=reason)

    async def withdraw(self, saga_id: UUID, user: SignedUp, *, settled: bool) -> bool:
        """Take the user of a signup that is being undone out of Clerk; whether that is done. Raises ClerkError."""
        if user.clerk_id is not None:
            await delete(self._clerk, user.clerk_id)
        found = await self._clerk.find_user_by_external_id(user.id)
        if found is None and user.clerk_id is None and not settled:
            return False
        if found is not None and found.id != user.clerk_id:
            await delete(self._clerk, found.id)
        async with self._connect() as connection:
            await queries.end_undo(connection, signup_id=saga_id)
        return True

    async def sweep(self, *, settle: timedelta = SETTLE, unverified: timedelta = UNVERIFIED) -> Swept | None:
        """End all signups that were left; None when another process sweeps.

        Signups in the middle are undone after `settle`, those that wait for their code after `unverified`: finished,
        if Clerk has the address verified, and undone if not. Raises DatabaseUnreachable and the like.
        """
        async with self._connect() as claim:
            if not await queries.claim_sweep(claim):
                return None
            try:
                return await self._sweep(settle, unverified)
            finally:
                await queries.release_sweep(claim)

    async def _sweep(self, settle: timedelta, unverified: timedelta) -> Swept:
        swept = Swept()
        async with self._connect() as connection:
            sagas = [
                record
                async for record in queries.signups_to_sweep(
                    connection, settle=settle, unverified=unverified, most=PAGE
                )
            ]
        outages = 0
        for done, saga in enumerate(sagas):
            if outages == OUTAGES:
                swept.left += len(sagas) - done
                break
            try:
                if saga["state"] == "code_sent" and await self._finish(saga):
                    swept.finished += 1
                    continue
                user = SignedUp(saga["user_id"], saga["clerk_id"])
                if saga["state"] == "decoy":  # as with any other, nothing comes of it while Clerk is out
                    await self._clerk.find_user_by_external_id(user.id)
                if saga["state"] != "undoing" and not await self._begin_undo(
                    saga["id"],
                    "never_verified" if saga["state"] in ("code_sent", "decoy") else "interrupted",
                    [saga["state"]],
                ):
                    continue  # somebody went on with it just now
                if await self.withdraw(saga["id"], user, settled=saga["settled"]):
                    swept.undone += 1
                else:
                    swept.left += 1
                outages = 0
            except ClerkError as error:
                outages = outages + 1 if isinstance(error, ClerkUnavailable) else 0
                swept.left += 1
                if str(error) not in swept.errors:
                    swept.errors.append(str(error))
        return swept

    async def _begin_undo(self, saga_id: UUID, reason: str, states: Sequence[str]) -> SignedUp | None:
        """The user to be withdrawn; None when the signup is not in one of these states."""
        async with self._connect() as connection:
            record = await queries.begin_undo(connection, signup_id=saga_id, reason=reason, states=states)
        return SignedUp(record["user_id"], record["clerk_id"]) if record else None

    async def _finish(self, saga: Mapping[str, Any]) -> bool:
        """Whether Clerk has the address verified, by a code whose answer was lost here; then AX has it too."""
        try:
            user = await self._clerk.get_user(saga["clerk_id"])
        except ResourceNotFound:
            return False
        own = [found for found in user.email_addresses if same_address(found.email_address, saga["email"])]
        if not saga["code_in_doubt"] or was_added_to(user) or not any(address.verified for address in own):
            return False
        async with self._connect() as connection:
            return bool(await queries.verify_signup(connection, signup_id=saga["id"]))


def same_address(one: str, other: str) -> bool:
    """Whether Clerk takes two email addresses for the same."""
    return _normal(one) == _normal(other)


def was_added_to(user: User | FrontendUser) -> bool:
    """Whether there is more to get in with than a signup makes."""
    added = (user.phone_numbers, user.passkeys, user.external_accounts, user.web3_wallets)
    return len(user.email_addresses) > 1 or user.two_factor_enabled or any(added)


def _normal(email: str) -> str:
    return unicodedata.normalize("NFKC", email).strip().lower()


async def run_sweep(environment: Environment, unverified_hours: float | None = None) -> Swept:
    """Sweep an environment until nothing more is to be done now. Raises SweepBusy, ClerkNotConfigured, …"""
    settings = environment.playbook.bff.signup
    unverified = timedelta(hours=settings.unverified_hours if unverified_hours is None else unverified_hours)
    total = Swept()
    async with (
        pool(environment.database_url, 2) as connections,
        BackendClient(environment.clerk, deadline=settings.clerk_seconds) as clerk,
    ):
        sagas = Sagas(connections.acquire, clerk)
        while True:
            swept = await sagas.sweep(unverified=unverified)
            if swept is None:
                raise SweepBusy(
                    "Another process is sweeping this database at the moment, perhaps a BFF. Try again."
                )
            total.finished += swept.finished
            total.undone += swept.undone
            total.left, total.errors = swept.left, swept.errors
            ended = swept.finished + swept.undone
            if swept.errors or not ended or ended + swept.left < PAGE:
                return total


async def delete(clerk: BackendClient, clerk_id: str) -> None:
    """Delete a Clerk user; one that is gone already is no error. Raises ClerkError."""
    try:
        await clerk.delete_user(clerk_id)
    except ResourceNotFound:
        return
