"""The bulk import: everybody who is due, streamed, as fast as Clerk lets.

Per user: read the row → create in Clerk → write `clerk_id` back, if the row still says what was sent; if it changed,
send it again first. It may be killed anywhere and run again (invariant 7): a row is due as long as it has no
`clerk_id`, and a Clerk user whose answer was lost is found by its external ID. docs/architecture.md has the whole walk.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Set
from dataclasses import dataclass, field

from toolkit.clerk import (
    AuthenticationInvalid,
    BackendClient,
    ClerkApiError,
    ClerkError,
    ClerkRateLimited,
    ClerkUnavailable,
    UserQuotaExceeded,
)
from toolkit.database import Connection, queries
from toolkit.errors import ToolkitError
from toolkit.migration.carrier import Carrier, NotCarried, not_carried
from toolkit.migration.ledger import Ledger, LinkImpossible, Outcome
from toolkit.migration.plan import REASONS, Create, Policy, Reason, Skip, State, plan
from toolkit.migration.source import Sent, Source, SourceUser

EXAMPLES = 5
"""User ids kept for each reason."""


class AlreadyRunning(ToolkitError):
    """Another import works on this database."""


class CopiedDatabase(ToolkitError):
    """This database is a copy of another, or was moved."""


class OtherInstance(ToolkitError):
    """This database's users were imported into another Clerk instance before."""


class ImportStopped(ToolkitError):
    """Clerk gave an answer after which going on makes no sense."""


@dataclass
class Tally:
    """What a run has done so far."""

    states: Counter[State] = field(default_factory=Counter)
    reasons: Counter[Reason] = field(default_factory=Counter)
    examples: dict[Reason, list[str]] = field(default_factory=dict)
    """A few user ids for each reason."""

    def add(self, outcome: Outcome) -> None:
        """Count one user."""
        self.states[outcome.state] += 1
        if outcome.reason is not None:
            self.reasons[outcome.reason] += 1
            kept = self.examples.setdefault(outcome.reason, [])
            if len(kept) < EXAMPLES:
                kept.append(outcome.user_id)

    @property
    def users(self) -> int:
        """Users that were looked at."""
        return self.states.total()

    @property
    def needs_person(self) -> bool:
        """Somebody did not go over for a reason that a person must look at."""
        return any(why.needs_person for why in self.reasons)

    def as_json(self) -> dict[str, object]:
        """For the runs table and --json."""
        return {
            "states": {state.value: count for state, count in sorted(self.states.items())},
            "reasons": {why.code: count for why, count in self.reasons.items()},
        }


class Stop:
    """Asked to stop: what is in flight ends, nothing new begins."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self.because: ToolkitError | None = None

    def __call__(self, because: ToolkitError | None = None) -> None:
        """Stop; `because` is raised at the end."""
        self.because = self.because or because
        self._event.set()

    def __bool__(self) -> bool:
        return self._event.is_set()


class Importer:
    """One run over a cohort.

    `seen` is told of every user as soon as it is settled. `stop` may be called at any time, from a signal
    handler as well.
    """

    PAUSES = (0.1, 0.5, 2.0, 0.0)
    """A row that changes under the import is sent again, one that is locked waited for: so often, so many seconds."""
    OUTAGES = 25
    """Users in a row that Clerk did not answer for, after which the run stops."""
    REFUSALS = 100
    """Users in a row that Clerk refused, after which the run stops."""

    def __init__(
        self,
        source: Source,
        clerk: BackendClient,
        carrier: Carrier,
        ledger: Ledger,
        policy: Policy,
        tally: Tally,
        *,
        limit: int | None,
        seen: Callable[[Outcome], None],
        stop: Stop,
    ) -> None:
        self._source = source
        self._clerk = clerk
        self._carrier = carrier
        self._ledger = ledger
        self._policy = policy
        self._limit = limit
        self._seen = seen
        self._stop = stop
        self._unanswered = 0
        self._refused = 0
        self._unsent: list[SourceUser] = []
        self._tally = tally
        self.unsure: set[str] = set()
        """Users whose create may still arrive at Clerk, though it did not answer."""

    async def run(self) -> None:
        """Import everybody who is due, counted in the tally. Raises ImportStopped, or what Clerk's refusal of the key raises."""
        try:
            async with asyncio.TaskGroup() as tasks:
                async for user, create in self._due():
                    await self._clerk.ready()
                    tasks.create_task(self._import(user, create))
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None  # the first failure is what the others failed of
        await self._ledger.forget(self._unsent)
        if self._stop.because is not None:
            raise self._stop.because

    async def _due(self) -> AsyncIterator[tuple[SourceUser, Create]]:
        """Who is to be sent, until the limit or the stop, and no faster than the ledger is written.

        They are noted before; those that cannot go over are settled at once.
        """
        left = self._limit
        async for batch in self._source.batches():
            sendable: list[tuple[SourceUser, Create]] = []
            for user in batch:
                if left == len(sendable):
                    break
                decided = plan(user, self._policy)
                if isinstance(decided, Skip):
                    await self._ledger.room()
                    self._settle(Outcome.not_linked(user, decided.reason))
                else:
                    sendable.append((user, decided))
            await self._ledger.begin([user for user, _ in sendable])
            for number, item in enumerate(sendable):
                await self._ledger.room()
                if self._stop:
                    self._unsent.extend(user for user, _ in sendable[number:])
                    return
                yield item
            if left is not None:
                left -= len(sendable)
                if left == 0:
                    return

    async def _import(self, user: SourceUser, create: Create) -> None:
        outcome = await self._outcome(user, create)
        if outcome is not None:
            self._settle(outcome)

    def _settle(self, outcome: Outcome) -> None:
        if outcome.state is not State.LINKED:
            self._ledger.record(outcome)
        self._tally.add(outcome)
        self._seen(outcome)

    async def _outcome(self, user: SourceUser, create: Create) -> Outcome | None:
        """Carry one user over; None when the user was not begun, or is gone."""
        try:
            outcome = await self._carry(user, create)
        except (NotCarried, LinkImpossible) as error:
            outcome = Outcome.not_linked(user, error.reason)
        except (AuthenticationInvalid, UserQuotaExceeded) as error:
            self._stop(error)
            return None
        except ClerkApiError as error:
            self._count_refusal(error)
            return Outcome.not_linked(user, not_carried(error).reason)
        except ClerkRateLimited:
            outcome = Outcome.not_linked(user, REASONS["rate_limited"])
        except ClerkUnavailable as error:
            self._count_outage(error)
            if error.maybe_applied:
                self.unsure.add(user.external_id)
            return Outcome.not_linked(user, REASONS["clerk_unavailable"])
        self._unanswered = self._refused = 0
        return outcome

    def _count_refusal(self, error: ClerkApiError) -> None:
        self._unanswered = 0
        if error.params:
            return  # a value of this user's: it says nothing about the others
        self._refused += 1
        if self._refused == self.REFUSALS:
            self._stop(
                ImportStopped(
                    f"Clerk refused {self.REFUSALS} users in a row, so the import stopped: {error} It is probably about "
                    "the instance and not about them. Once that is mended, run the same command again."
                )
            )

    def _count_outage(self, error: ClerkError) -> None:
        self._refused = 0
        self._unanswered += 1
        if self._unanswered == self.OUTAGES:
            self._stop(
                ImportStopped(
                    f"Clerk did not answer for {self.OUTAGES} users in a row, so the import stopped: {error} "
                    "Nobody is lost: run the same command again once Clerk is back."
                )
            )

    async def _carry(self, user: SourceUser, create: Create) -> Outcome | None:
        if self._stop:
            self._unsent.append(user)
            return None
        clerk_id = await self._carrier.carry(user, create)
        for pause in self.PAUSES:
            if await self._ledger.link(Sent(user, clerk_id)):
                return Outcome(user.external_id, State.LINKED, clerk_id=clerk_id)
            now = (await self._source.rows([user.id])).get(user.external_id)
            if now is None:
                await self._carrier.withdraw(clerk_id)
                return None
            if now.clerk_id is not None:
                return Outcome(user.external_id, State.LINKED, clerk_id=now.clerk_id)
            if now == user:
                await asyncio.sleep(pause)  # somebody holds a lock on the row
                continue
            user, decided = now, plan(now, self._policy)
            if isinstance(decided, Skip):
                await self._carrier.withdraw(clerk_id)
                return Outcome.not_linked(user, decided.reason)
            await self._carrier.renew(clerk_id, user, decided)
        return Outcome.not_linked(user, REASONS["row_keeps_changing"])


async def claim(connection: Connection, instance: str) -> None:
    """Make sure that this is the only import on the database, and that it goes where the others went.

    The claim is the connection's and ends with it. Raises AlreadyRunning or OtherInstance.
    """
    if not await queries.claim_import(connection):
        raise AlreadyRunning(
            "Another import is running on this database. Wait until it has ended, or end it; one at a time is "
            "enough, it already goes as fast as Clerk allows."
        )
    if await queries.is_copy(connection):
        raise CopiedDatabase(
            "This database is a copy of another one, or was moved, and its Clerk users bear the other's name. If the "
            "other is given up, make the name this one's: UPDATE clerk_migration.origin SET database = "
            "clerk_migration.this_database(). If it goes on, this one needs a name, a Clerk instance and links of its "
            'own; docs/operating.md says how ("A copy of a database").'
        )
    last = await queries.last_instance(connection)
    if last is not None and last["instance"] != instance:
        raise OtherInstance(
            f"This database's users were imported into the Clerk instance {last['instance']} (environment "
            f"{last['environment']!r}); CLERK_SECRET_KEY is of {instance}. Check DATABASE_URL and CLERK_SECRET_KEY: "
            "a user belongs to one Clerk user only."
        )


async def take_over(connection: Connection, carrier: Carrier, run_id: int, stop: Stop) -> None:
    """Remove the Clerk users of all whom earlier runs were to send and did not link: they were killed.

    What those runs sent may still be on its way, so a user whom Clerk does not have is asked for again by later runs.
    """
    await queries.take_over_sending(connection, run_id=run_id)
    await _withdraw_leftovers(connection, carrier, run_id, set(), stop)


async def tidy_up(connection: Connection, carrier: Carrier, run_id: int, work: Importer) -> None:
    """Remove the Clerk users of all whom this run sent and did not link."""
    await _withdraw_leftovers(connection, carrier, run_id, work.unsure, Stop())


async def _withdraw_leftovers(
    connection: Connection, carrier: Carrier, run_id: int, unsure: Set[str], stop: Stop
) -> None:
    after = ""
    while not stop and (
        records := [
            record
            async for record in queries.some_sending(
                connection, run_id=run_id, after=after, size=Carrier.LEFTOVERS
            )
        ]
    ):
        ids = [record["user_id"] for record in records]
        found = await carrier.withdraw_leftovers(ids)
        over = [
            record["user_id"]
            for record in records
            if record["user_id"] in found or not (record["may_come"] or record["user_id"] in unsure)
        ]
        await queries.forget_sending(connection, user_ids=over)
        after = ids[-1]


async def begin(connection: Connection, environment: str, options: dict[str, object]) -> int:
    """Note that a run begins; its id."""
    run_id: int = await queries.begin_run(
        connection, command="import", environment=environment, options=json.dumps(options)
    )
    return run_id


async def end(connection: Connection, run_id: int, outcome: str, tally: Tally) -> None:
    """Note how a run ended: `finished`, `interrupted` or `failed`."""
    await queries.end_run(connection, id=run_id, outcome=outcome, counts=json.dumps(tally.as_json()))
