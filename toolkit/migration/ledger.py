"""What became of each user, written beside the users themselves."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from toolkit.database import Connection, Pool, queries
from toolkit.errors import ToolkitError
from toolkit.migration.links import Links, Sent
from toolkit.migration.plan import REASONS, Reason, State
from toolkit.migration.source import SourceUser


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run did with one user."""

    user_id: str
    state: State
    reason: Reason | None = None
    """Why the user did not go over; None when linked."""
    clerk_id: str | None = None

    @classmethod
    def not_linked(cls, user: SourceUser, reason: Reason) -> "Outcome":
        """The user stays on legacy, and why."""
        return cls(user.external_id, reason.state, reason)


@dataclass(frozen=True, slots=True)
class _Pending:
    sent: Sent
    linked: "asyncio.Future[bool]"


class Ledger:
    """Writes links and ledger rows together, many users to a transaction.

    Use as an async context manager: leaving it writes what is still waiting.
    """

    BATCH = 500
    """Users to a transaction at most."""
    BACKLOG = 1000
    """Rows that wait to be written at most."""
    SECONDS = 0.1
    """How long a link waits for company."""

    def __init__(self, pool: Pool, links: Links, run_id: int) -> None:
        self._pool = pool
        self._links = links
        self._run_id = run_id
        self._noted_before: set[str] = set()
        self._sent: list[_Pending] = []
        self._outcomes: list[Outcome] = []
        self._wake = asyncio.Event()
        self._written = asyncio.Event()
        self._closing = False
        self._writer: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Ledger":
        self._writer = asyncio.create_task(self._write_until_closed())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._writer is not None
        self._closing = True
        self._wake.set()
        await self._writer

    async def begin(self, users: Sequence[SourceUser]) -> None:
        """Note who is about to be sent, so that a Clerk user whose link never came is found again (invariant 7)."""
        ids = [user.external_id for user in users]
        async with self._pool.acquire() as connection, connection.transaction():
            self._noted_before |= {
                record["user_id"] async for record in queries.noted_among(connection, user_ids=ids)
            }
            await queries.note_sending(connection, run_id=self._run_id, user_ids=ids)

    async def forget(self, users: Sequence[SourceUser]) -> None:
        """Take back the note about users who were not sent after all; not that of an earlier run, which may have been."""
        ids = {user.external_id for user in users} - self._noted_before
        if ids:
            async with self._pool.acquire() as connection:
                await queries.forget_sending(connection, user_ids=list(ids))

    async def link(self, sent: Sent) -> bool:
        """Write `clerk_id` back; False when the row is no longer what was sent, or is locked.

        Returns once it is committed. Raises LinkImpossible.
        """
        pending = _Pending(sent, asyncio.get_running_loop().create_future())
        self._sent.append(pending)
        self._check_writer()
        self._wake.set()
        return await pending.linked

    def record(self, outcome: Outcome) -> None:
        """Note what became of a user that was not linked. It is committed soon, at the latest on leaving."""
        self._outcomes.append(outcome)
        self._check_writer()
        self._wake.set()

    async def room(self) -> None:
        """Wait until the rows not yet written are few enough to add one."""
        while len(self._sent) + len(self._outcomes) >= self.BACKLOG:
            self._check_writer()
            self._written.clear()
            await self._written.wait()

    def _check_writer(self) -> None:
        """A writer that has failed takes nothing more: say why instead of waiting for ever."""
        assert self._writer is not None
        if self._writer.done():
            self._writer.result()

    async def _write_until_closed(self) -> None:
        try:
            while True:
                await self._wake.wait()
                if not self._closing:
                    await asyncio.sleep(self.SECONDS)
                self._wake.clear()
                await self._write()
                self._written.set()
                if self._sent or self._outcomes:
                    self._wake.set()
                elif self._closing:
                    return
        except BaseException as error:
            for pending in self._sent:
                if not pending.linked.done():
                    pending.linked.set_exception(error)
            self._written.set()
            raise

    async def _write(self) -> None:
        sent, self._sent = self._sent[: self.BATCH], self._sent[self.BATCH :]
        outcomes, self._outcomes = self._outcomes[: self.BATCH], self._outcomes[self.BATCH :]
        try:
            linked, impossible = await self._commit(sent, outcomes)
        except BaseException:
            self._sent = sent + self._sent
            raise
        for pending in sent:
            user_id = pending.sent.user.external_id
            if pending.linked.done():
                continue
            if user_id in impossible:
                pending.linked.set_exception(LinkImpossible(impossible[user_id]))
            else:
                pending.linked.set_result(user_id in linked)

    async def _commit(
        self, sent: Sequence[_Pending], outcomes: Sequence[Outcome]
    ) -> tuple[set[str], dict[str, Reason]]:
        """Links and outcomes in one transaction; the ids linked, and those that the table does not take, and why."""
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                await connection.execute(queries.impatient.sql)
                await self._fence(connection, [p.sent.user.external_id for p in sent])
                linked = await self._links.write(connection, [p.sent for p in sent]) if sent else set()
                done = [
                    Outcome(p.sent.user.external_id, State.LINKED, clerk_id=p.sent.clerk_id)
                    for p in sent
                    if p.sent.user.external_id in linked
                ]
                graced = [p.sent for p in sent if p.sent.grace and p.sent.user.external_id in linked]
                if graced:
                    await queries.grant_graces(connection, clerk_ids=[sent.clerk_id for sent in graced])
                await self._record(connection, [*done, *outcomes])
                if linked:
                    await queries.forget_sending(connection, user_ids=list(linked))
                return linked, {}
        except asyncpg.PostgresError as error:
            if not sent or ((error.sqlstate or "")[:2] in _NOT_THE_ROW and not isinstance(error, _BUSY)):
                raise
            if len(sent) == 1:
                await self._commit([], outcomes)
                if isinstance(error, _BUSY):
                    return set(), {}
                return set(), {sent[0].sent.user.external_id: REASONS[_refusal(error)]}
            # One of them is the cause: halve until it stands alone.
            middle = len(sent) // 2
            first, first_impossible = await self._commit(sent[:middle], outcomes)
            second, second_impossible = await self._commit(sent[middle:], [])
            return first | second, first_impossible | second_impossible

    async def _fence(self, connection: Connection, user_ids: Sequence[str]) -> None:
        """Hold the notes about these users, so that no later run takes them over before they are linked.

        Raises TakenOver.
        """
        if user_ids:
            held = [
                record
                async for record in queries.lock_sending(connection, run_id=self._run_id, user_ids=user_ids)
            ]
            if len(held) != len(set(user_ids)):
                raise TakenOver(
                    "Another import on this database began meanwhile, and this one stopped: it lost its claim. What "
                    "it did is kept."
                )

    async def _record(self, connection: Connection, outcomes: Sequence[Outcome]) -> None:
        if not outcomes:
            return
        newest = {outcome.user_id: outcome for outcome in outcomes}
        items = list(newest.values())
        await queries.record(
            connection,
            run_id=self._run_id,
            user_ids=[item.user_id for item in items],
            states=[item.state.value for item in items],
            error_codes=[item.reason.code if item.reason else None for item in items],
            clerk_ids=[item.clerk_id for item in items],
        )


class TakenOver(ToolkitError):
    """A later run took over what this one had begun."""


class LinkImpossible(Exception):
    """The table does not take the link; `reason` says why."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.code)
        self.reason = reason


_NOT_THE_ROW = frozenset({"08", "28", "3D", "42", "53", "57", "58", "XX"})
"""Classes of SQLSTATE that are not about a row: the connection, privileges, the schema, the server. What else a table,
or a trigger of its owner, refuses a link with, is about that row alone."""
_BUSY = (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
"""The application holds what the link needs: for now, so it is tried again."""


def _refusal(error: asyncpg.PostgresError) -> str:
    return "clerk_id_taken" if isinstance(error, asyncpg.UniqueViolationError) else "link_refused"
