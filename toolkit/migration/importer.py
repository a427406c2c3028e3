"""The bulk import: everybody who is due, streamed, as fast as Clerk lets.

Per user (DESIGN.md section 6): read the row → create in Clerk → write `clerk_id` back, if the row still says
what was sent; if it changed, send it again first. It may be killed anywhere and run again (invariant 7): a row
is due as long as it has no `clerk_id`, and a Clerk user whose answer was lost is found by its external ID.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

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
from toolkit.migration.ledger import ClerkIdTaken, Ledger, Outcome
from toolkit.migration.plan import REASONS, Create, Policy, Reason, Skip, State, plan
from toolkit.migration.source import Sent, Source, SourceUser

EXAMPLES = 5
"""User ids kept for each reason."""


class AlreadyRunning(ToolkitError):
    """Another import works on this database."""


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


Work = Callable[[SourceUser], Awaitable[Outcome | None]]


class Importer:
    """One run over a cohort.

    `leftovers` says that Clerk has users that no row is linked to: a run that was killed may have made them.
    `seen` is told of every user as soon as it is settled. `stop` may be called at any time, from a signal
    handler as well.
    """

    ROUNDS = 3
    """How often a row that changes under the import is sent again."""
    OUTAGES = 25
    """Users in a row that Clerk did not answer for, after which the run stops."""

    def __init__(
        self,
        source: Source,
        clerk: BackendClient,
        carrier: Carrier,
        ledger: Ledger,
        policy: Policy,
        *,
        limit: int | None,
        leftovers: bool,
        seen: Callable[[Outcome], None],
        stop: Stop,
    ) -> None:
        self._source = source
        self._clerk = clerk
        self._carrier = carrier
        self._ledger = ledger
        self._policy = policy
        self._limit = limit
        self._leftovers = leftovers
        self._seen = seen
        self._stop = stop
        self._unanswered = 0
        self.tally = Tally()

    async def run(self) -> Tally:
        """Import everybody who is due. Raises ImportStopped, or what Clerk's refusal of the key raises."""
        try:
            async with asyncio.TaskGroup() as tasks:
                sent = 0
                async for user in self._due():
                    decided = plan(user, self._policy)
                    if isinstance(decided, Skip):
                        if self._leftovers and user.second_factor:
                            await self._clerk.ready()
                            tasks.create_task(self._import(user, partial(self._leave, decided.reason)))
                        else:
                            self._settle(Outcome.not_linked(user, decided.reason))
                    elif sent == self._limit:
                        break
                    else:
                        sent += 1
                        await self._clerk.ready()
                        tasks.create_task(self._import(user, partial(self._carry, decided)))
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None  # the first failure is what the others failed of
        if self._stop.because is not None:
            raise self._stop.because
        return self.tally

    async def _due(self) -> AsyncIterator[SourceUser]:
        """Who is due, until the stop, and no faster than the ledger is written."""
        async for batch in self._source.batches():
            for user in batch:
                await self._ledger.room()
                if self._stop:
                    return
                yield user

    async def _import(self, user: SourceUser, work: Work) -> None:
        outcome = await self._outcome(user, work)
        if outcome is not None:
            self._settle(outcome)

    def _settle(self, outcome: Outcome) -> None:
        if outcome.state is not State.LINKED:
            self._ledger.record(outcome)
        self.tally.add(outcome)
        self._seen(outcome)

    async def _outcome(self, user: SourceUser, work: Work) -> Outcome | None:
        """What became of the work on one user; None when the user was not begun, or is gone."""
        try:
            outcome = await work(user)
        except (NotCarried, ClerkIdTaken) as error:
            outcome = Outcome.not_linked(user, error.reason)
        except (AuthenticationInvalid, UserQuotaExceeded) as error:
            self._stop(error)
            return None
        except ClerkApiError as error:
            outcome = Outcome.not_linked(user, not_carried(error).reason)
        except ClerkRateLimited:
            outcome = Outcome.not_linked(user, REASONS["rate_limited"])
        except ClerkUnavailable as error:
            self._count_outage(error)
            return Outcome.not_linked(user, REASONS["clerk_unavailable"])
        self._unanswered = 0
        return outcome

    def _count_outage(self, error: ClerkError) -> None:
        self._unanswered += 1
        if self._unanswered == self.OUTAGES:
            self._stop(
                ImportStopped(
                    f"Clerk did not answer for {self.OUTAGES} users in a row, so the import stopped: {error} "
                    "Nobody is lost: run the same command again once Clerk is back."
                )
            )

    async def _leave(self, why: Reason, user: SourceUser) -> Outcome | None:
        if self._stop:
            return None
        await self._carrier.withdraw_leftover(user)
        return Outcome.not_linked(user, why)

    async def _carry(self, create: Create, user: SourceUser) -> Outcome | None:
        if self._stop:
            return None
        clerk_id = await self._carrier.carry(user, create)
        for _ in range(self.ROUNDS):
            if await self._ledger.link(Sent(user, clerk_id)):
                return Outcome(user.external_id, State.LINKED, clerk_id=clerk_id)
            now = (await self._source.rows([user.id])).get(user.external_id)
            if now is None:
                await self._carrier.withdraw(clerk_id)
                return None
            if now.clerk_id is not None:
                return Outcome(user.external_id, State.LINKED, clerk_id=now.clerk_id)
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
    last = await queries.last_instance(connection)
    if last is not None and last["instance"] != instance:
        raise OtherInstance(
            f"This database's users were imported into the Clerk instance {last['instance']} (environment "
            f"{last['environment']!r}); CLERK_SECRET_KEY is of {instance}. Check DATABASE_URL and CLERK_SECRET_KEY: "
            "a user belongs to one Clerk user only."
        )


async def begin(connection: Connection, environment: str, options: dict[str, object]) -> int:
    """Note that a run begins; its id."""
    run_id: int = await queries.begin_run(
        connection, command="import", environment=environment, options=json.dumps(options)
    )
    return run_id


async def end(connection: Connection, run_id: int, outcome: str, tally: Tally) -> None:
    """Note how a run ended: `finished`, `interrupted` or `failed`."""
    await queries.end_run(connection, id=run_id, outcome=outcome, counts=json.dumps(tally.as_json()))
