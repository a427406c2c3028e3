"""Ends signups that do not end by themselves: undoes them, or finishes what was all but done (invariant 5).

A signup is a row in clerk_migration.signups that names the last step that was done. Undoing one takes the user out
of AX and gives the invite back in one transaction, and then takes the user out of Clerk. A create that Clerk may still
be working on is waited for: the signup counts as undone only when nothing can come any more.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, TypeAlias
from uuid import UUID

import structlog

from toolkit.clerk import BackendClient, ClerkError, ClerkUnavailable, FrontendUser, ResourceNotFound, User
from toolkit.clerk.addresses import same_mailbox
from toolkit.database import Connection, queries

SETTLE = timedelta(minutes=2)
"""After this nothing that a process began at Clerk is under way any more."""
AT_ONCE = timedelta(seconds=3)
"""How long an undo asks Clerk while somebody waits for the answer; after that a sweep goes on with it."""

Connect: TypeAlias = Callable[[], AbstractAsyncContextManager[Connection]]
"""Lends a connection that nothing else uses meanwhile."""
State = Literal["invite_taken", "row_created", "code_sent", "decoy", "undoing"]
"""How far a signup that has not ended has come."""
Ending = Literal["finished", "undone", "waiting", "went on"]
"""What became of a signup that was left. `waiting`: undone in AX, while Clerk may still be making the user; `went on`:
its person did just now."""

_NOT_ENDED: Sequence[State] = ("invite_taken", "row_created", "code_sent", "decoy")

_log = structlog.get_logger("signups")


@dataclass(frozen=True, slots=True)
class SignupUser:
    """The user of a signup, by the ids that AX (the external ID in Clerk) and Clerk have for it."""

    id: str
    clerk_id: str | None


@dataclass(frozen=True, slots=True)
class LeftSignup:
    """A signup that somebody began and left."""

    id: UUID
    state: State
    user: SignupUser
    email: str | None
    """None once it is being undone."""
    code_in_doubt: bool
    """A code was tried here, and Clerk's answer to it is not known."""
    settled: bool
    """Nothing that its process began at Clerk is under way any more."""


class Signups:
    """Ends signups: at once when one fails, and in a sweep when nobody is there any more to do it.

    Without a client (Clerk is not configured) it is as if Clerk did not answer.
    """

    def __init__(self, connect: Connect, clerk: BackendClient | None) -> None:
        self._connect = connect
        self._client = clerk

    async def undo(self, signup_id: UUID, reason: str, *, certain: bool) -> bool:
        """Undo a signup: at once in AX, and in Clerk if it answers; else a sweep does that. False: it has ended already.

        `certain` says that no request of this signup can reach Clerk any more. Raises DatabaseUnreachable and the like.
        """
        user = await self._begin_undo(signup_id, reason, _NOT_ENDED)
        if user is None:
            return False
        _log.info("signup undone", signup=str(signup_id), reason=reason)
        await self._withdraw_at_once(signup_id, user, settled=certain)
        return True

    async def withdraw_late(self, signup_id: UUID, user: SignupUser) -> None:
        """Clerk made the user of a signup after it was undone: take that out, now or in a sweep."""
        async with self._connect() as connection:
            await queries.reopen_undo(connection, signup_id=signup_id, clerk_id=user.clerk_id)
        await self._withdraw_at_once(signup_id, user, settled=True)

    async def left(self, *, settle: timedelta, unverified: timedelta, most: int) -> Sequence[LeftSignup]:
        """At most so many that are to be ended, the oldest first.

        Those in the middle are after `settle`, those that wait for their code after `unverified`.
        """
        async with self._connect() as connection:
            return [
                _left(record)
                async for record in queries.signups_to_sweep(
                    connection, settle=settle, unverified=unverified, most=most
                )
            ]

    async def end(self, signup: LeftSignup) -> Ending:
        """Finish a signup if Clerk has its address verified, and undo it if not. Raises ClerkError."""
        if signup.state == "code_sent" and await self._finish(signup):
            return "finished"
        if signup.state == "decoy":  # ends when others do: not while Clerk is out
            await self._clerk.find_user_by_external_id(signup.user.id)
        if signup.state != "undoing":
            reason = "never_verified" if signup.state in ("code_sent", "decoy") else "interrupted"
            if await self._begin_undo(signup.id, reason, [signup.state]) is None:
                return "went on"
        undone = await self._withdraw(signup.id, signup.user, settled=signup.settled)
        return "undone" if undone else "waiting"

    @property
    def _clerk(self) -> BackendClient:
        if self._client is None:
            raise ClerkUnavailable("Clerk is not configured.")
        return self._client

    async def _finish(self, signup: LeftSignup) -> bool:
        """Whether Clerk has the address verified, by a code whose answer was lost here; then AX has it too.

        Clerk is asked even if no code was: while it is out, nothing is undone.
        """
        if signup.user.clerk_id is None or signup.email is None:
            return False
        try:
            user = await self._clerk.get_user(signup.user.clerk_id)
        except ResourceNotFound:
            return False
        own = [found for found in user.email_addresses if same_mailbox(found.email_address, signup.email)]
        proven = signup.code_in_doubt and not was_added_to(user) and any(address.verified for address in own)
        if not proven:
            return False
        async with self._connect() as connection:
            return bool(await queries.verify_signup(connection, signup_id=signup.id))

    async def _begin_undo(self, signup_id: UUID, reason: str, states: Sequence[State]) -> SignupUser | None:
        """The user to be withdrawn; None when the signup is not in one of these states."""
        async with self._connect() as connection:
            record = await queries.begin_undo(connection, signup_id=signup_id, reason=reason, states=states)
        return SignupUser(record["user_id"], record["clerk_id"]) if record else None

    async def _withdraw_at_once(self, signup_id: UUID, user: SignupUser, *, settled: bool) -> None:
        try:
            async with asyncio.timeout(AT_ONCE.total_seconds()):
                await self._withdraw(signup_id, user, settled=settled)
        except (ClerkError, TimeoutError) as error:
            reason = str(error) or "Clerk takes too long."
            _log.warning("a signup's user stays in clerk for now", signup=str(signup_id), error=reason)

    async def _withdraw(self, signup_id: UUID, user: SignupUser, *, settled: bool) -> bool:
        """Take the user of a signup that is being undone out of Clerk; whether that is done. Raises ClerkError."""
        if user.clerk_id is not None:
            await self._delete(user.clerk_id)
        found = await self._clerk.find_user_by_external_id(user.id)
        if found is None and user.clerk_id is None and not settled:
            return False
        if found is not None and found.id != user.clerk_id:
            await self._delete(found.id)
        async with self._connect() as connection:
            await queries.end_undo(connection, signup_id=signup_id)
        return True

    async def _delete(self, clerk_id: str) -> None:
        with suppress(ResourceNotFound):
            await self._clerk.delete_user(clerk_id)


def was_added_to(user: User | FrontendUser) -> bool:
    """Whether there is more to get in with than a signup makes."""
    added = (user.phone_numbers, user.passkeys, user.external_accounts, user.web3_wallets)
    return len(user.email_addresses) > 1 or user.two_factor_enabled or any(added)


def _left(record: Mapping[str, Any]) -> LeftSignup:
    return LeftSignup(
        id=record["id"],
        state=record["state"],
        user=SignupUser(record["user_id"], record["clerk_id"]),
        email=record["email"],
        code_in_doubt=record["code_in_doubt"],
        settled=record["settled"],
    )
