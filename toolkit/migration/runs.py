"""The commands' work from end to end: connect, check, do it, note how it ended."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from toolkit import database
from toolkit.clerk import BackendClient, ClerkConfig, ClerkError, FrontendClient, InstanceSettings
from toolkit.database import Connection, queries
from toolkit.environment import Environment
from toolkit.errors import ToolkitError, UsageError
from toolkit.migration import importer, preflight
from toolkit.migration.carrier import Carrier
from toolkit.migration.importer import Importer, Stop, Tally
from toolkit.migration.ledger import Ledger, Outcome
from toolkit.migration.plan import Policy, State
from toolkit.migration.source import Cohort, Count, Links, Source, check_view


class CohortUnknown(UsageError):
    """The playbook has no cohort of that name."""


class EmailUnknown(UsageError):
    """Nobody has an address that was asked for."""


@dataclass(frozen=True)
class Selection:
    """Whom a run is about, as the command line says it."""

    cohort: str | None = None
    percent: float | None = None
    emails: tuple[str, ...] = ()
    limit: int | None = None
    """Users that are sent at most; rows that can't go over do not count."""

    def resolve(self, environment: Environment) -> Cohort:
        """The cohort with its condition from the playbook. Raises CohortUnknown."""
        conditions = environment.playbook.import_.cohorts
        if self.cohort is not None and self.cohort not in conditions:
            known = ", ".join(sorted(conditions)) or "none"
            raise CohortUnknown(
                f"The environment {environment.name!r} has no cohort {self.cohort!r}. It has: {known}. "
                "Cohorts are in the playbook under import.cohorts."
            )
        return Cohort(
            condition=conditions[self.cohort] if self.cohort is not None else "true",
            percent=self.percent,
            emails=tuple(email.strip().lower() for email in self.emails) or None,
        )

    def as_json(self) -> dict[str, object]:
        """For the runs table; the addresses themselves are not kept."""
        return {"cohort": self.cohort, "percent": self.percent, "only": len(self.emails), "limit": self.limit}


@dataclass(frozen=True)
class Begun:
    """An import that is about to send its first user."""

    run_id: int
    count: Count
    limit: float | None
    """Requests a second at most."""
    count_requests: Callable[[], int]
    """Tells the requests that were sent so far."""


@dataclass(frozen=True)
class Ended:
    """An import that is over."""

    run_id: int
    outcome: str
    """`finished` or `interrupted`."""
    count: Count
    tally: Tally
    leftovers: str | None = None
    """Why Clerk users of this run that no row is linked to are still there; None when none are."""


@dataclass(frozen=True)
class Status:
    """Where an environment stands."""

    count: Count
    ledger: list[tuple[str, str | None, int, list[str]]]
    """State, error code, users, and some of their ids."""
    last_run: "LastRun | None"
    clerk_users: int | None
    """Users in Clerk; None when Clerk is not configured or does not answer."""
    clerk_problem: str | None = field(default=None)


@dataclass(frozen=True)
class LastRun:
    """The latest import."""

    id: int
    started_at: datetime
    finished_at: datetime | None
    outcome: str | None
    counts: dict[str, object]


async def run_preflight(
    environment: Environment, selection: Selection, rate: float | None, seen: Callable[[int], None]
) -> preflight.Report:
    """Survey the cohort and the Clerk instance."""
    config = environment.clerk
    limit = preflight.rate_of(config, rate or environment.playbook.import_.rate)
    async with _source(environment, selection.resolve(environment)) as (connection, source):
        await _require_emails(source)
        await Links(environment.playbook.source.link).check(connection)
        async with BackendClient(config, rate=limit) as clerk:
            instance = await _instance_settings(config)
            clerk_users = await clerk.count_users()
            policy = _policy(environment, instance)
            await source.find_duplicates()
            found = await preflight.survey(source, policy, limit=selection.limit, seen=seen)
            count = await source.count()
            if clerk_users > count.linked:
                await preflight.find_strangers(source, clerk, found, await queries.origin(connection))
            return preflight.Report(
                count=count,
                survey=found,
                clerk_users=clerk_users,
                misfits=preflight.misfits(instance, found),
                cautions=preflight.cautions(instance),
                rate=limit,
            )


async def run_dry(environment: Environment, selection: Selection) -> preflight.Survey:
    """Decide about everybody as the import would; nothing is sent."""
    config = environment.clerk
    async with _source(environment, selection.resolve(environment)) as (_, source):
        await _require_emails(source)
        await source.find_duplicates()
        policy = _policy(environment, await _instance_settings(config))
        return await preflight.survey(source, policy, limit=selection.limit)


async def run_import(
    environment: Environment,
    selection: Selection,
    *,
    rate: float | None,
    stop: Stop,
    begun: Callable[[Begun], None],
    seen: Callable[[Outcome], None],
) -> Ended:
    """Import everybody of the selection who is due.

    Raises what the checks before raise (nothing is sent then), ImportStopped when Clerk is out, and ClerkError
    when Clerk refuses the key or the number of users; what was done until then is kept.
    """
    config, settings = environment.clerk, environment.playbook.import_
    limit = preflight.rate_of(config, rate or settings.rate)
    links = Links(environment.playbook.source.link)
    async with (
        _source(environment, selection.resolve(environment)) as (connection, source),
        BackendClient(config, rate=limit) as clerk,
        environment.pool(1) as pool,
    ):
        await _require_emails(source)
        await links.check(connection)
        instance = await clerk.get_instance()
        await importer.claim(connection, instance.id)
        policy = _policy(environment, await _instance_settings(config))
        count = await source.count()
        await source.find_duplicates()
        options = {**selection.as_json(), "rate": limit, "instance": instance.id}
        run_id = await importer.begin(connection, environment.name, options)
        begun(Begun(run_id, count, limit, lambda: clerk.limiter.started))
        carrier = Carrier(
            clerk, environment.name, await queries.origin(connection), run_id, source.linked_among
        )
        tally, outcome, leftovers = Tally(), "failed", None
        try:
            with _kept_claim(connection, environment, stop):
                await importer.take_over(connection, carrier, run_id, stop)
                async with Ledger(pool, links, run_id) as ledger:
                    work = Importer(
                        source,
                        clerk,
                        carrier,
                        ledger,
                        policy,
                        tally,
                        limit=selection.limit,
                        seen=seen,
                        stop=stop,
                    )
                    await work.run()
                try:
                    await importer.tidy_up(connection, carrier, run_id, work)
                except ClerkError as error:
                    leftovers = str(error)
            outcome = "interrupted" if stop else "finished"
        finally:
            async with pool.acquire() as other:  # the connection of the claim may be lost
                await importer.end(other, run_id, outcome, tally)
        return Ended(run_id, outcome, count, tally, leftovers)


async def run_status(environment: Environment) -> Status:
    """Where the environment stands: source, ledger, last run, and Clerk if it can be asked."""
    async with environment.connect() as connection:
        await check_view(connection)
        total = await queries.users_in_all(connection)
        ledger = [
            (record["state"], record["error_code"], record["users"], list(record["examples"] or ()))
            async for record in queries.ledger_counts(connection)
        ]
        last = await queries.last_run(connection)
    clerk_users, problem = await _count_clerk_users(environment)
    return Status(
        count=Count(total["total"], total["linked"]),
        ledger=ledger,
        last_run=last
        and LastRun(
            id=last["id"],
            started_at=last["started_at"],
            finished_at=last["finished_at"],
            outcome=last["outcome"],
            counts=json.loads(last["counts"] or "{}"),
        ),
        clerk_users=clerk_users,
        clerk_problem=problem,
    )


@dataclass(frozen=True)
class NotCarriedUser:
    """A user that the ledger knows and that is not in Clerk."""

    user_id: str
    state: State
    code: str


async def run_not_carried(environment: Environment) -> list[NotCarriedUser]:
    """Every user that an import looked at and could not carry over."""
    async with environment.connect() as connection:
        return [
            NotCarriedUser(record["user_id"], State(record["state"]), record["error_code"])
            async for record in queries.not_carried(connection)
        ]


async def _count_clerk_users(environment: Environment) -> tuple[int | None, str | None]:
    """Users in Clerk, or why that is not known: status tells what it can."""
    try:
        async with BackendClient(environment.clerk, rate=None) as clerk:
            return await clerk.count_users(), None
    except ToolkitError as error:
        return None, str(error)


async def check_source(environment: Environment) -> None:
    """See that the source view and its write-back are what the import needs. Raises SourceInvalid."""
    async with environment.connect() as connection:
        await check_view(connection)
        await Links(environment.playbook.source.link).check(connection)


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


@asynccontextmanager
async def _source(environment: Environment, cohort: Cohort) -> AsyncIterator[tuple[Connection, Source]]:
    async with environment.connect() as connection:
        yield connection, await Source.open(connection, cohort)


async def _require_emails(source: Source) -> None:
    missing = await source.missing_emails()
    if missing:
        raise EmailUnknown(
            f"No user has the address {', '.join(missing)}. Check --only; case does not matter."
        )


async def _instance_settings(config: ClerkConfig) -> InstanceSettings:
    async with FrontendClient(config) as frontend:
        return await frontend.environment()


def _policy(environment: Environment, instance: InstanceSettings) -> Policy:
    return Policy(
        disabled_users=environment.playbook.import_.disabled_users,
        totp_key=environment.totp_key,
        second_factor_offered=instance.authenticator_app_enabled,
    )
