"""Where an environment stands: who is in Clerk, who is not and why, and how the last import ended."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import asyncpg

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
    last_run: "PastRun | None"
    graces: int
    """Users whom Clerk's Device Trust lets in on the next device."""
    clerk_users: int | None
    """Users in Clerk; None when Clerk is not configured or does not answer."""
    clerk_problem: str | None = None


@dataclass(frozen=True)
class PastRun:
    """An import, as its row has it."""

    id: int
    operator: str
    """user@host"""
    role: str
    """The database role."""
    version: str
    options: dict[str, object]
    started_at: datetime
    finished_at: datetime | None
    outcome: str | None
    """None for one that goes on, or was killed and no other has noted it yet."""
    error: str | None
    counts: dict[str, object]

    @classmethod
    def from_record(cls, record: asyncpg.Record) -> "PastRun":
        """A row of `runs`."""
        return cls(
            record["id"],
            record["operator"],
            record["role"],
            record["version"],
            json.loads(record["options"]),
            record["started_at"],
            record["finished_at"],
            record["outcome"],
            record["error"],
            json.loads(record["counts"] or "{}"),
        )


async def read_runs(environment: Environment, size: int) -> list[PastRun]:
    """The last imports, the latest first."""
    async with environment.connect() as connection:
        return [PastRun.from_record(record) async for record in queries.runs(connection, size=size)]


async def read_status(environment: Environment) -> Status:
    """Where the environment stands: source, ledger, last run, and Clerk if it can be asked."""
    async with environment.connect() as connection:
        await check_view(connection)
        total = await queries.users_in_all(connection)
        ledger = [
            (record["state"], record["error_code"], record["users"], list(record["examples"] or ()))
            async for record in queries.ledger_counts(connection)
        ]
        last = [PastRun.from_record(record) async for record in queries.runs(connection, size=1)]
        graces = await queries.count_graces(connection)
    clerk_users, problem = await _count_clerk_users(environment)
    return Status(
        count=Count(total["total"], total["linked"]),
        ledger=ledger,
        last_run=last[0] if last else None,
        graces=graces,
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
