"""What the import would do, without doing it: reads the source and the Clerk instance, changes nothing.

It is the whole of `preflight` and of `import --dry-run`. SELECT on the users table is all that it needs.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial

import asyncpg

from toolkit.clerk import BackendClient
from toolkit.database import NOT_MIGRATED, Connection, queries
from toolkit.environment import Environment
from toolkit.migration.canary import CanaryDidNotHold, require_none_refused
from toolkit.migration.forecast import Forecast, foresee
from toolkit.migration.instance import cautions, check_proxy, misfits, policy_of, rate_of, read_settings
from toolkit.migration.links import Links
from toolkit.migration.plan import Create, Policy, Skip, plan
from toolkit.migration.reading import check_view
from toolkit.migration.run import CopiedDatabase, OtherInstance, require_same_place
from toolkit.migration.selection import Selection, open_source
from toolkit.migration.source import Count, Source
from toolkit.migration.strangers import ASKED, Strangers, find_strangers
from toolkit.migration.survey import EXAMPLES, Finding, Survey

LOOKED_UP = 500
"""Linked users who are looked up in Clerk."""


@dataclass(frozen=True)
class Told:
    """What one check has to say."""

    misfits: Sequence[str] = ()
    cautions: Sequence[str] = ()


@dataclass
class Report:
    """All that was found."""

    count: Count
    survey: Survey
    clerk_users: int
    is_migrated: bool
    """The source view is installed, and was read; otherwise its file was."""
    misfits: list[str]
    """What must be changed before users go over, each with its remedy."""
    cautions: list[str]
    """What an operator should know of, each with its remedy; nothing waits for them."""
    forecast: Forecast
    rate: float | None
    """Requests a second that the import will make at most; None without a limit."""

    @property
    def seconds(self) -> float | None:
        """How long the import takes at the limit, one request a user."""
        return None if self.rate is None else self.survey.importable / self.rate

    @property
    def blocked(self) -> bool:
        """Something needs a person before everybody can go over."""
        return bool(self.misfits) or self.survey.blocked


async def make_report(
    environment: Environment,
    selection: Selection,
    rate: float | None,
    *,
    seen: Callable[[int], None] = lambda _: None,
    tell: Callable[[Finding], None] = lambda _: None,
) -> Report:
    """Survey the selection and the Clerk instance. `seen` hears, now and then, how many users were looked at, `tell` of each
    who would stay."""
    config = environment.clerk
    limit = rate_of(config, rate or environment.playbook.import_.rate)
    async with (
        open_source(environment, selection, installed=False) as (connection, source),
        BackendClient(config, rate=limit) as clerk,
    ):
        instance = await read_settings(config)
        clerk_users = await clerk.count_users()
        count = await source.count()
        strangers = await find_strangers(clerk, clerk_users, count.due, await _origin(connection))
        found = await survey(
            source,
            policy_of(environment, instance),
            strangers,
            Survey(tell),
            limit=selection.limit,
            seen=seen,
        )
        refusals = await _refusals(connection, (await clerk.get_instance()).id)
        proxy = await check_proxy(config, clerk)
        link = await _rehearse_link(environment, connection, source, found)
        drift = await _find_drift(source, clerk, count)
        return Report(
            count=count,
            survey=found,
            clerk_users=clerk_users,
            is_migrated=source.is_installed,
            misfits=[
                *refusals,
                *link.misfits,
                *drift.misfits,
                *([proxy] if proxy else []),
                *misfits(instance, found),
            ],
            cautions=[
                *_not_compared(source, found),
                *link.cautions,
                *drift.cautions,
                *_odd(found),
                *cautions(instance, config, found, clerk_users),
            ],
            forecast=foresee(found, instance),
            rate=limit,
        )


async def _origin(connection: Connection) -> str:
    """This database's own name; empty where it has none yet, or this role may not read it."""
    try:
        return str(await queries.origin(connection))
    except (*NOT_MIGRATED, asyncpg.InsufficientPrivilegeError):
        return ""


async def _refusals(connection: Connection, instance: str) -> list[str]:
    """Why the import would send nobody at all; nothing where this role may not read that."""
    told = []
    checks = (partial(require_same_place, instance=instance), require_none_refused)
    for check in checks:
        try:
            await check(connection)
        except (CanaryDidNotHold, CopiedDatabase, OtherInstance) as error:
            told.append(str(error))
        except (*NOT_MIGRATED, asyncpg.InsufficientPrivilegeError):
            pass
    return told


def _not_compared(source: Source, found: Survey) -> Iterator[str]:
    if found.beyond_ascii and not source.is_installed:
        yield (
            f"{found.beyond_ascii:,} addresses have letters beyond ASCII, or a domain in punycode. Whether to Clerk one of "
            "them is another user's, too, can be told only after `python -m toolkit migrate`: run this again then."
        )


async def _rehearse_link(
    environment: Environment, connection: Connection, source: Source, found: Survey
) -> Told:
    """Try the write-back on a few users who would go over, and take it back."""
    path = environment.playbook.source.link
    links, rehearsal = Links(path), None
    if source.is_installed:
        rehearsal = await links.rehearse(connection, found.sample)
    if rehearsal is None:
        why = (
            "this role or this server may not write"
            if source.is_installed
            else "`migrate` was not here yet, or its view is not for this role"
        )
        return Told(
            cautions=[
                (
                    f"The link query in {path} was not tried: {why}. Run this again, before the import, as the role that will "
                    "import, on the database that it will write to."
                )
            ]
        )
    if rehearsal.refusal is not None:
        return Told(
            misfits=[
                (
                    f"The table refuses what the link query in {path} writes: {rehearsal.refusal}. Users would be in Clerk and "
                    "could not be linked. Correct the constraint or the trigger, or leave out the rows that it is about."
                )
            ]
        )
    if rehearsal.linked < rehearsal.tried:
        return Told(
            misfits=[
                (
                    f"The link query in {path} linked {rehearsal.linked} of {rehearsal.tried} users whom it was tried with: it does "
                    "not find them as the view shows them, and they would be in Clerk without a link. Make the two agree. If "
                    "somebody was just writing to those rows, run this again."
                )
            ]
        )
    return Told()


def _odd(found: Survey) -> Iterator[str]:
    for oddity, users in sorted(found.odd.items()):
        examples = ", ".join(found.odd_examples[oddity])
        yield (
            f"{users:,} users have {oddity} ({examples}{', …' if users > EXAMPLES else ''}), which Clerk may refuse "
            "(form_param_format_invalid, form_param_max_length_exceeded). Send one of them first, by --only; correct the rows, "
            "or have the view give NULL for such a name."
        )


async def _find_drift(source: Source, clerk: BackendClient, count: Count) -> Told:
    """Look up in Clerk some of those who are linked already."""
    linked = await source.some_linked(LOOKED_UP)
    ids = list(linked)
    parts = [ids[n : n + ASKED] for n in range(0, len(ids), ASKED)]
    answers = await asyncio.gather(*(clerk.list_users(user_ids=part, limit=ASKED) for part in parts))
    gone = [linked[clerk_id] for clerk_id in set(ids) - {user.id for answer in answers for user in answer}]
    if not gone:
        return Told()
    if len(gone) == len(linked):
        return Told(
            misfits=[
                (
                    f"Of {count.linked:,} users who are linked, {len(linked):,} were looked up in the Clerk instance, and it has "
                    "none of them. DATABASE_URL and CLERK_SECRET_KEY hardly belong together: check both before anything else."
                )
            ]
        )
    examples = ", ".join(sorted(gone)[:EXAMPLES])
    return Told(
        cautions=[
            (
                f"Of {count.linked:,} users who are linked, {len(linked):,} were looked up, and {len(gone):,} are not in Clerk "
                f"any more ({examples}{', …' if len(gone) > EXAMPLES else ''}): they can't log in. If they were deleted there "
                "by mistake, set their clerk_id to NULL, and the next import takes them over again."
            )
        ]
    )


async def check_source(environment: Environment) -> None:
    """See that the source view and its write-back are what the import needs. Raises SourceInvalid."""
    async with environment.connect() as connection:
        await check_view(connection)
        await Links(environment.playbook.source.link).check(connection)


async def survey(
    source: Source,
    policy: Policy,
    strangers: Strangers,
    found: Survey,
    *,
    limit: int | None = None,
    seen: Callable[[int], None] = lambda _: None,
) -> Survey:
    """Decide about everybody who is due, until `limit` would go over."""
    async with aclosing(source.snapshot()) as batches:
        async for batch in batches:
            decided = [(user, plan(user, policy)) for user in batch]
            taken = await strangers.among([user for user, what in decided if isinstance(what, Create)])
            for user, what in decided:
                if found.importable == limit:
                    return found
                if isinstance(what, Skip):
                    found.stay(user, what.reason)
                elif user.external_id in taken:
                    found.stay(user, taken[user.external_id])
                else:
                    found.go(user, what)
            seen(found.examined)
    return found
