"""Changes of the ways in to an account. Each is written down before the system is asked for it, so that none happens silently.

When the system's answer is lost, or a process dies, nobody knows whether it was done. Then whoever tries again is told, and
otherwise any replica looks at the account a little later: what was done is told to the owner, and ends their other sessions
if that was wanted.

    async with changes.making(change) as making:
        ...                       # ask the system; `making.again` says that it was asked before, and perhaps did it
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import structlog
from prometheus_client import Gauge

from bff import accounts
from bff.accounts import Account
from bff.clerk_errors import RETRY_AFTER
from bff.database import Database
from bff.devices import forget_others
from bff.events import Events, Note
from bff.mail.mails import ChangeKind
from bff.refusals import AuthenticationUnavailable, Refusal
from bff.sessions.clerk import ClerkSessions
from bff.sessions.service import Session, Sessions
from bff.visitor import Visitor
from toolkit.database import Connection, queries
from toolkit.errors import ToolkitError

ANSWER_SECONDS = 15.0
"""How long a system may take over a change: then it counts as not answered."""
LOOK_AFTER = timedelta(seconds=30)
"""How long whoever asked for a change has it for themselves: the system's answer, and writing down what came of it."""
SECONDS = 10.0
"""Between two looks for changes that nobody finished."""
AT_ONCE = 20

_log = structlog.get_logger("bff")


@dataclass(frozen=True, slots=True)
class Change:
    """Something that is to be done to the ways in to an account."""

    user_id: UUID
    session_id: UUID | None
    """The session that asks for it; None for what is asked for without one, which ends all."""
    kind: ChangeKind
    visitor: Visitor
    subject: str = ""
    """What of several it is about: a system's id of a phone number, say."""
    sign_out_others: bool = False


@dataclass(frozen=True, slots=True)
class Making:
    """A change for which a system is being asked."""

    again: bool
    """Whether it was asked before, and its answer was lost."""
    note: Note


Happened = Callable[[Account, Change], Awaitable[bool]]
"""Whether the account stands as after the change. Raises Refusal when that can't be told now."""


def change_of(
    session: Session, kind: ChangeKind, visitor: Visitor, *, subject: str = "", sign_out_others: bool = False
) -> Change:
    """A change that the holder of a session asks for."""
    return Change(session.user.id, session.id, kind, visitor, subject, sign_out_others)


class Changes:
    """Writes changes down, and what came of them."""

    def __init__(
        self,
        database: Database,
        sessions: Sessions,
        clerk_sessions: ClerkSessions,
        events: Events,
        unsettled: Gauge,
    ) -> None:
        self._database = database
        self._sessions = sessions
        self._clerk_sessions = clerk_sessions
        self._events = events
        self._unsettled = unsettled

    @asynccontextmanager
    async def making(self, change: Change) -> AsyncIterator[Making]:
        """Around asking a system for a change.

        A refusal means that nothing was done, unless the system was asked and did not answer. Raises
        AuthenticationUnavailable when that takes too long.
        """
        async with self._database.connection() as connection:
            begun = await queries.begin_change(
                connection,
                user_id=change.user_id,
                session_id=change.session_id,
                kind=change.kind,
                subject=change.subject,
                sign_out_others=change.sign_out_others,
                address=change.visitor.address,
                user_agent=change.visitor.user_agent,
                look_after=LOOK_AFTER,
            )
        change_id: int = begun["id"]
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                yield Making(begun["again"], partial(self._write, change_id, change))
        except TimeoutError:
            await self._lose(change_id)
            raise AuthenticationUnavailable(retry_after=RETRY_AFTER) from None
        except AuthenticationUnavailable as refused:
            await (self._lose(change_id) if refused.asked else self._drop(change_id))
            raise
        except Refusal:
            await self._drop(change_id)
            raise
        await self._note(change_id, change)

    async def keep_settling(self, kinds: Collection[ChangeKind], happened: Happened) -> None:
        """Find out, as long as the server runs, what became of the changes of these kinds that nobody finished."""
        while True:
            await asyncio.sleep(SECONDS)
            try:
                await self.settle(kinds, happened)
            except ToolkitError as error:
                _log.warning("changes were not looked after", error=str(error))
            except Exception:
                _log.exception("changes were not looked after")

    async def settle(self, kinds: Collection[ChangeKind], happened: Happened) -> None:
        """Find out what became of the changes that nobody finished in time. What can't be told now is looked at again."""
        async with self._database.connection() as connection:
            records = [
                record
                async for record in queries.take_unsettled_changes(
                    connection, kinds=list(kinds), look_after=LOOK_AFTER, most=AT_ONCE
                )
            ]
        for record in records:
            await self._settle(record, happened)
        async with self._database.connection() as connection:
            self._unsettled.set(await queries.unsettled_changes(connection))

    async def _settle(self, record: Any, happened: Happened) -> None:
        change = Change(
            record["user_id"],
            record["session_id"],
            record["kind"],
            Visitor(record["ip_address"], record["user_agent"]),
            record["subject"],
            record["sign_out_others"],
        )
        async with self._database.connection() as connection:
            account = await accounts.by_id(connection, change.user_id)
        try:
            done = account is not None and await happened(account, change)
        except Refusal as refusal:
            _log.warning(
                "it is not known yet whether a change was made",
                kind=change.kind,
                user_id=str(change.user_id),
                change_id=record["id"],
                reason=type(refusal).__name__,
            )
            return
        if done:
            await self._note(record["id"], change)
            return
        async with self._database.connection() as connection:
            await queries.shelve_change(connection, change_id=record["id"])

    async def _note(self, change_id: int, change: Change) -> None:
        """Write down that a change was made; it was: if it can't be written down now, that is done later."""
        try:
            async with self._database.transaction() as connection:
                await self._write(change_id, change, connection)
        except ToolkitError as error:
            _log.error(
                "a change is written down later",
                kind=change.kind,
                user_id=str(change.user_id),
                change_id=change_id,
                error=str(error),
            )

    async def _write(self, change_id: int, change: Change, connection: Connection) -> None:
        """Write down that a change was made, tell the owner, and end their other sessions if that was wanted: once."""
        await queries.take_account(connection, user_id=change.user_id)
        if not await queries.end_change(connection, change_id=change_id):
            return
        before = await queries.end_lost_changes(
            connection, user_id=change.user_id, kind=change.kind, subject=change.subject
        )
        account = await accounts.by_id(connection, change.user_id)
        if account is None:
            return
        await self._events.add(connection, account, change.kind, change.visitor)
        await queries.void_challenges(connection, user_id=str(account.id))
        if change.sign_out_others or before:
            for behind in await self._sessions.revoke_others(connection, account.id, change.session_id):
                self._database.on_commit(
                    connection, partial(self._clerk_sessions.end, behind, change.visitor)
                )
            await forget_others(connection, change.visitor.device, account.id)
            await self._events.add(connection, account, "other_sessions_ended", change.visitor)

    async def _lose(self, change_id: int) -> None:
        """The answer was lost: whoever asks again is told."""
        with _later():
            async with self._database.connection() as connection:
                await queries.lose_change(connection, change_id=change_id)

    async def _drop(self, change_id: int) -> None:
        """Nothing was done."""
        with _later():
            async with self._database.connection() as connection:
                await queries.end_change(connection, change_id=change_id)


@contextmanager
def _later() -> Iterator[None]:
    """Around what is found out later if it can't be written down now."""
    try:
        yield
    except ToolkitError as error:
        _log.warning("what became of a change is looked at later", error=str(error))
