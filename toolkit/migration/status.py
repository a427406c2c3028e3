"""Where an environment stands: who is in Clerk, who is not and why, and how the last import ended."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from toolkit.clerk import BackendClient
from toolkit.database import queries
from toolkit.environment import Environment
from toolkit.errors import ToolkitError
from toolkit.migration.plan import reason
from toolkit.migration.reading import check_view
from toolkit.migration.source import Count
from toolkit.migration.survey import Finding


@dataclass(frozen=True)
class Status:
    """Where an environment stands."""

    count: Count
    ledger: list[tuple[str, str | None, int, list[str]]]
    """State, error code, users, and some of their ids."""
    last_run: "LastRun | None"
    clerk_users: int | None
    """Users in Clerk; None when Clerk is not configured or does not answer."""
    clerk_problem: str | None = None


@dataclass(frozen=True)
class LastRun:
    """The latest import."""

    id: int
    started_at: datetime
    finished_at: datetime | None
    outcome: str | None
    counts: dict[str, object]


async def read_status(environment: Environment) -> Status:
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


async def tell_not_carried(environment: Environment, tell: Callable[[Finding], None]) -> None:
    """Tell every user that an import looked at and could not carry over, however many they are."""
    async with (
        environment.connect() as connection,
        queries.not_carried_cursor(connection) as users,
    ):
        async for record in users:
            tell(Finding(record["user_id"], reason(record["error_code"])))


async def _count_clerk_users(environment: Environment) -> tuple[int | None, str | None]:
    """Users in Clerk, or why that is not known: status tells what it can."""
    try:
        async with BackendClient(environment.clerk, rate=None) as clerk:
            return await clerk.count_users(), None
    except ToolkitError as error:
        return None, str(error)
