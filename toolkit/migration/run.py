"""One run of the import, from its claim on the database to its end.

It may be killed anywhere: what it left half done is taken over by the next run (invariant 7).
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Literal

from toolkit import database
from toolkit.clerk import BackendClient, ClerkError
from toolkit.database import Connection, Pool, queries
from toolkit.environment import Environment
from toolkit.errors import Interrupted, ToolkitError
from toolkit.migration.carrier import Carrier
from toolkit.migration.controls import Controls, Stop
from toolkit.migration.ledger import Outcome
from toolkit.migration.observer import Observer, Other
from toolkit.migration.plan import Reason, State
from toolkit.migration.source import Count, Source
from toolkit.who import version, who

STAND_BY_SECONDS = 1.0
"""How often an import that stands by tries to take over."""
EXAMPLES = 5
"""User ids kept for each reason."""


RunOutcome = Literal["finished", "interrupted", "failed"]
"""How a run ended; `interrupted`: it was told to stop."""


class AlreadyRunning(ToolkitError):
    """Another import works on this database."""


class CopiedDatabase(ToolkitError):
    """This database is a copy of another, or was moved."""


class OtherInstance(ToolkitError):
    """This database's users were imported into another Clerk instance before."""


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


@dataclass
class Run:
    """A run under way."""

    id: int
    count: Count
    """The users of its cohort as it began."""
    carrier: Carrier
    stop: Stop
    controls: Controls
    tally: Tally = field(default_factory=Tally)
    unsure: set[str] = field(default_factory=set)
    """Users whose create may still arrive at Clerk, though it did not answer."""
    outcome: RunOutcome = "failed"
    error: str | None = None
    """Why it ended so, when there is something to say."""
    leftovers: str | None = None
    """Why Clerk users of this run that no row is linked to are still there; None when none are."""


@asynccontextmanager
async def one_run(
    environment: Environment,
    connection: Connection,
    pool: Pool,
    source: Source,
    clerk: BackendClient,
    *,
    options: Mapping[str, object],
    stop: Stop,
    controls: Controls,
    begun: Callable[[Run], None],
) -> AsyncIterator[Run]:
    """The only run on the database: claim it, begin, take over what killed runs left; at the end remove whom the run
    sent and did not link, and note how it ended.

    Raises AlreadyRunning, CopiedDatabase or OtherInstance, before which nothing is changed, or a ClerkError.
    """
    instance = await clerk.get_instance()
    await _claim(connection, instance.id)
    count = await source.count()
    await source.find_duplicates()
    origin = await queries.origin(connection)
    run_id = await begin(connection, environment.name, {**options, "instance": instance.id})
    await queries.close_killed_runs(connection, run_id=run_id)
    carrier = Carrier(clerk, environment.name, origin, run_id, source.linked_among)
    run = Run(run_id, count, carrier, stop, controls)
    try:
        with database.database_errors(environment.database_url):
            begun(run)
            with _kept_claim(connection, environment, stop):
                async with controls.heeded():
                    await _take_over(connection, run)
                    yield run
                await _tidy_up(connection, run)
        run.outcome = "interrupted" if stop else "finished"
    except BaseException as error:
        run.outcome, run.error = _failure(error)
        raise
    finally:
        async with pool.acquire() as other:  # the connection of the claim may be lost
            await _end(other, run)


async def stand_by(connection: Connection, stop: Stop, observer: Observer) -> bool:
    """Take the claim on the database as soon as no other import holds it; whether that took waiting. Raises Interrupted."""
    waited = False
    while not await queries.claim_import(connection):
        if not waited:
            observer.waiting(await _other(connection))
            waited = True
        if await stop.within(STAND_BY_SECONDS):
            raise Interrupted("Interrupted while it waited for another import. Nothing was begun.")
    return waited


async def _other(connection: Connection) -> Other | None:
    """The import that runs, as far as it has a row."""
    record = await queries.running_import(connection)
    return record and Other(record["id"], record["operator"], record["started_at"])


async def _claim(connection: Connection, instance: str) -> None:
    """Make sure that this is the only import on the database, and that it goes where the others went.

    The claim is the connection's and ends with it. Raises AlreadyRunning, and as `require_same_place` does.
    """
    if not await queries.claim_import(connection):
        other = await _other(connection)
        whose = (
            f" (run {other.run_id} of {other.by}, since {other.since:%Y-%m-%d %H:%M:%S %Z})" if other else ""
        )
        raise AlreadyRunning(
            f"Another import is running on this database{whose}. Wait until it has ended, or end it; one at a time is "
            "enough, it already goes as fast as Clerk allows. With --wait this one stands by, and takes over when that one "
            "ends."
        )
    await require_same_place(connection, instance)


async def require_same_place(connection: Connection, instance: str) -> None:
    """The database is where it was, and goes to the Clerk instance where the others went. Raises CopiedDatabase or OtherInstance."""
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


@contextmanager
def _kept_claim(connection: Connection, environment: Environment, stop: Stop) -> Iterator[None]:
    """Stop the import when the connection that holds the claim is lost: another import might begin."""

    def lost(_: object) -> None:
        stop(
            database.DatabaseUnreachable(
                f"The connection to Postgres at {database.address(environment.database_url)} was lost, so the import "
                "stopped. What was done so far is kept; run the same command again."
            )
        )

    connection.add_termination_listener(lost)
    try:
        yield
    finally:
        connection.remove_termination_listener(lost)


async def begin(connection: Connection, environment: str, options: Mapping[str, object]) -> int:
    """Note that a run begins; its id."""
    run_id: int = await queries.begin_run(
        connection,
        command="import",
        environment=environment,
        options=json.dumps(options),
        operator=who(),
        version=version(),
    )
    return run_id


async def _take_over(connection: Connection, run: Run) -> None:
    """Remove the Clerk users of all whom earlier runs were to send and did not link: they were killed.

    What those runs sent may still be on its way, so a user whom Clerk does not have is asked for again by later runs.
    """
    await queries.take_over_sending(connection, run_id=run.id)
    await run.controls.may_go()
    await _withdraw_leftovers(connection, run, run.stop)


async def _tidy_up(connection: Connection, run: Run) -> None:
    """Remove the Clerk users of all whom this run sent and did not link, also when it was told to stop.

    While imports are paused Clerk is left alone: the next run does it.
    """
    if run.controls.paused:
        return
    try:
        await _withdraw_leftovers(connection, run, Stop())
    except ClerkError as error:
        run.leftovers = str(error)


async def _withdraw_leftovers(connection: Connection, run: Run, stop: Stop) -> None:
    after = ""
    while not stop and (
        records := [
            record
            async for record in queries.some_sending(
                connection, run_id=run.id, after=after, size=Carrier.LEFTOVERS
            )
        ]
    ):
        ids = [record["user_id"] for record in records]
        found = await run.carrier.withdraw_leftovers(ids)
        over = [
            record["user_id"]
            for record in records
            if record["user_id"] in found or not (record["may_come"] or record["user_id"] in run.unsure)
        ]
        await queries.forget_sending(connection, user_ids=over)
        after = ids[-1]


async def _end(connection: Connection, run: Run) -> None:
    counts = json.dumps(run.tally.as_json())
    await queries.end_run(connection, id=run.id, outcome=run.outcome, error=run.error, counts=counts)


def _failure(error: BaseException) -> tuple[RunOutcome, str]:
    """How a run ended that raised this, and why. Only our own messages are known to hold no secret (invariant 8)."""
    if isinstance(error, asyncio.CancelledError):
        return "interrupted", "It was stopped at once."
    return "failed", str(error) if isinstance(error, ToolkitError) else type(error).__name__
