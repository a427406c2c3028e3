"""The bulk import: everybody who is due, streamed, as fast as Clerk lets.

Per user: read the row → create in Clerk → write `clerk_id` back, if the row still says what was sent; if it changed,
send it again first. It may be killed anywhere and run again (invariant 7): a row is due as long as it has no
`clerk_id`, and a Clerk user whose answer was lost is found by its external ID. docs/architecture.md has the whole walk.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

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
from toolkit.environment import Environment
from toolkit.errors import ToolkitError
from toolkit.migration.canary import require_none_refused
from toolkit.migration.carrier import NotCarried, not_carried
from toolkit.migration.controls import Controls, Stop, limit_of
from toolkit.migration.instance import policy_of, rate_of, read_settings
from toolkit.migration.ledger import Ledger, LinkImpossible, Outcome
from toolkit.migration.links import Links, Sent
from toolkit.migration.observer import Begun, Observer
from toolkit.migration.plan import REASONS, Create, Policy, Reason, Skip, State, plan
from toolkit.migration.run import Run, RunOutcome, Tally, one_run, stand_by
from toolkit.migration.selection import Selection, open_source
from toolkit.migration.source import Count, Source, SourceUser
from toolkit.switches import RATE


class ImportStopped(ToolkitError):
    """Clerk gave an answer after which going on makes no sense."""


@dataclass(frozen=True)
class Ended:
    """An import that is over."""

    run_id: int
    outcome: RunOutcome
    count: Count
    tally: Tally
    leftovers: str | None = None
    """Why Clerk users of this run that no row is linked to are still there; None when none are."""


class Importer:
    """Sends everybody of a run who is due."""

    PAUSES = (0.1, 0.5, 2.0, 0.0)
    """A row that changes under the import is sent again, one that is locked waited for: so often, so many seconds."""
    OUTAGES = 25
    """Users in a row that Clerk did not answer for, after which the run stops."""
    ALIKE = 100
    """Users in a row that were sent and did not go over for the same reason, after which the run stops."""

    def __init__(
        self,
        source: Source,
        clerk: BackendClient,
        ledger: Ledger,
        policy: Policy,
        run: Run,
        *,
        limit: int | None,
        observer: Observer,
    ) -> None:
        self._source = source
        self._clerk = clerk
        self._ledger = ledger
        self._policy = policy
        self._run = run
        self._carrier = run.carrier
        self._stop = run.stop
        self._limit = limit
        self._observer = observer
        self._unanswered = 0
        self._alike: tuple[str, int] = ("", 0)  # a reason's code, and how many in a row had it
        self._unsent: list[SourceUser] = []

    async def run(self) -> None:
        """Import everybody who is due, counted in the tally. Raises ImportStopped, or what Clerk's refusal of the key raises."""
        try:
            async with asyncio.TaskGroup() as tasks:
                async for user, create in self._due():
                    await self._clerk.ready()
                    await self._run.controls.may_go()
                    tasks.create_task(self._import(user, create))
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None  # the others followed from the first
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
        self._run.tally.add(outcome)
        self._observer.settled(outcome)

    async def _outcome(self, user: SourceUser, create: Create) -> Outcome | None:
        """Carry one user over; None when the user was not begun, or is gone."""
        said = ""
        try:
            outcome = await self._carry(user, create)
        except (NotCarried, LinkImpossible) as error:
            outcome = Outcome.not_linked(user, error.reason)
        except (AuthenticationInvalid, UserQuotaExceeded) as error:
            self._stop(error)
            return None
        except ClerkApiError as error:
            outcome, said = Outcome.not_linked(user, not_carried(error).reason), f" {error}"
        except ClerkRateLimited:
            outcome = Outcome.not_linked(user, REASONS["rate_limited"])
        except ClerkUnavailable as error:
            self._count_outage(error)
            if error.maybe_applied:
                self._run.unsure.add(user.external_id)
            return Outcome.not_linked(user, REASONS["clerk_unavailable"])
        self._unanswered = 0
        if outcome is not None:
            self._count_alike(outcome.reason, said)
        return outcome

    def _count_alike(self, reason: Reason | None, said: str) -> None:
        """Stop at many in a row with one reason: it is hardly about each of them, and going on helps nobody.

        `said` is what Clerk had to say to the last one.
        """
        code = reason.code if reason else ""
        before, count = self._alike
        self._alike = code, count + 1 if code == before else 1
        if reason is not None and self._alike[1] == self.ALIKE:
            self._stop(
                ImportStopped(
                    f"{self.ALIKE} users in a row did not go over for the same reason, so the import stopped: {reason.code}, "
                    f"{reason.meaning}.{said} To do: {reason.remedy}. Then run the same command again; or, if they are to stay "
                    "where they are, have a cohort leave them out."
                )
            )

    def _count_outage(self, error: ClerkError) -> None:
        self._alike = "", 0
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
            if await self._ledger.link(Sent(user, clerk_id, create.grace)):
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
            create = decided
            await self._carrier.renew(clerk_id, user, create)
        return Outcome.not_linked(user, REASONS["row_keeps_changing"])


@dataclass(frozen=True)
class Ahead:
    """What an import would begin with."""

    due: int
    instance: str
    """The id of the Clerk instance."""
    is_proven: bool
    """A canary has shown that a password works there."""


async def look_ahead(environment: Environment, selection: Selection) -> Ahead:
    """What the import would begin with. Raises what it raises before it sends anything."""
    _ = environment.totp_keys
    async with open_source(environment, selection) as (connection, source):
        is_proven = await require_none_refused(connection)
        count = await source.count()
    async with BackendClient(environment.clerk) as clerk:
        return Ahead(count.due, (await clerk.get_instance()).id, is_proven)


async def _check(environment: Environment, connection: Connection, links: Links) -> Policy:
    """See that the import can go on, as things are now; what decides about each user."""
    await links.check(connection)
    await require_none_refused(connection)
    return policy_of(environment, await read_settings(environment.clerk))


async def import_users(
    environment: Environment,
    selection: Selection,
    *,
    rate: float | None,
    wait: bool = False,
    stop: Stop,
    observer: Observer,
) -> Ended:
    """Import everybody of the selection who is due; with `wait`, once no other import runs.

    Raises what the checks before raise (nothing is sent then), ImportStopped when Clerk is out, and ClerkError
    when Clerk refuses the key or the number of users; what was done until then is kept.
    """
    config = environment.clerk
    own_rate = rate_of(config, rate or environment.playbook.import_.rate)
    links = Links(environment.playbook.source.link)
    async with (
        open_source(environment, selection) as (connection, source),
        BackendClient(config, rate=own_rate) as clerk,
        environment.pool(1) as pool,
    ):
        policy = await _check(environment, connection, links)
        if wait:
            await clerk.get_instance()  # a wrong key is told now and not in hours
            if await stand_by(connection, stop, observer):
                policy = await _check(environment, connection, links)
        limit = limit_of(await queries.switch(connection, name=RATE), own_rate)
        clerk.change_rate(limit)
        async with (
            one_run(
                environment,
                connection,
                pool,
                source,
                clerk,
                options={**selection.as_json(), "rate": limit},
                stop=stop,
                controls=Controls(environment, clerk, stop, observer, own_rate=own_rate),
                begun=lambda run: observer.begun(
                    Begun(run.id, run.count, limit, lambda: clerk.limiter.started)
                ),
            ) as run,
            Ledger(pool, links, run.id) as ledger,
        ):
            await Importer(source, clerk, ledger, policy, run, limit=selection.limit, observer=observer).run()
    return Ended(run.id, run.outcome, run.count, run.tally, run.leftovers)
