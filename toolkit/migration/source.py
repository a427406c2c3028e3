"""The users to move, as the view `clerk_migration.source` gives them.

The view is the contract: anybody's users table, seen as these columns. `Source` reads it, streaming by keyset.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg

from toolkit.database import Connection, queries
from toolkit.errors import UsageError
from toolkit.migration.reading import Reading


class CohortInvalid(UsageError):
    """A cohort's condition is not SQL that the source view can answer."""


@dataclass(frozen=True, slots=True)
class SourceUser:
    """A row of the source view."""

    id: Any
    """The key as Postgres gives it (a UUID, an int, …): what the keyset goes by."""
    external_id: str
    """The key as text, as Postgres writes it: what Clerk keeps, and what the write-back looks for (invariant 1)."""
    email: str | None
    email_verified: bool
    password_digest: str | None = field(repr=False)
    password_hasher: str | None
    second_factor: bool
    totp_cipher: bytes | None = field(repr=False)
    totp_nonce: bytes | None = field(repr=False)
    totp_secret: str | None = field(repr=False)
    backup_codes: tuple[str | None, ...] | None = field(repr=False)
    first_name: str | None
    last_name: str | None
    created_at: datetime | None
    disabled: bool
    clerk_id: str | None
    is_duplicate: bool
    """Another user's address may be the same to Clerk."""

    @classmethod
    def from_record(cls, record: asyncpg.Record) -> "SourceUser":
        """A row of `first_batch`, `next_batch`, `rows_by_id` or `all_due`; a flag that is NULL counts as the careful answer."""
        return cls(
            id=record["id"],
            external_id=record["external_id"],
            email=record["email"],
            email_verified=bool(record["email_verified"]),
            password_digest=record["password_digest"],
            password_hasher=record["password_hasher"],
            second_factor=record["second_factor"] is not False,
            totp_cipher=record["totp_cipher"],
            totp_nonce=record["totp_nonce"],
            totp_secret=record["totp_secret"],
            backup_codes=None if record["backup_codes"] is None else tuple(record["backup_codes"]),
            first_name=record["first_name"],
            last_name=record["last_name"],
            created_at=record["created_at"],
            disabled=record["disabled"] is not False,
            clerk_id=record["clerk_id"],
            is_duplicate=record["is_duplicate"],
        )


@dataclass(frozen=True, slots=True)
class Cohort:
    """Who a run is about. All conditions given must hold; none given means everybody."""

    condition: str = "true"
    """SQL over the view's columns, from the playbook."""
    percent: float | None = None
    """A stable share of all users: whoever is in 1 % is in 10 % too."""
    emails: tuple[str, ...] | None = None
    """Those who have one of these addresses, in whatever form."""


@dataclass(frozen=True, slots=True)
class Count:
    """Users of a cohort, and those among them that are in Clerk already."""

    total: int
    linked: int

    @property
    def due(self) -> int:
        """Users that are not in Clerk yet."""
        return self.total - self.linked


class Source:
    """The users of a cohort, over one connection. Reading takes SELECT on the users table and nothing else, also where
    `migrate` never was: then the source view's file stands in for the view."""

    BATCH = 500

    def __init__(self, connection: Connection, cohort: Cohort, reading: Reading, query: Any) -> None:
        self._connection = connection
        self._cohort = cohort
        self._reading = reading
        self._queries = query
        self._busy = asyncio.Lock()

    @classmethod
    async def open(cls, connection: Connection, cohort: Cohort, view: Path | None = None) -> "Source":
        """Check the source and the cohort. `view` is the file to read by where the view is not installed, or out of reach;
        without one that is an error. Changes nothing but settings of the connection.

        Raises SourceInvalid or CohortInvalid.
        """
        reading = await Reading.of(connection, view)
        query = reading.queries_for(cohort.condition)
        try:
            await connection.prepare(query.cohort_columns.sql)
        except asyncpg.InsufficientPrivilegeError:
            raise
        except (asyncpg.SyntaxOrAccessError, asyncpg.DataError) as error:
            raise CohortInvalid(
                f"The cohort's condition `{cohort.condition}` is not valid: {error.args[0]}"
            ) from error
        return cls(connection, cohort, reading, query)

    @property
    def is_installed(self) -> bool:
        """Whether the view of the database is read, and not its file."""
        return self._reading.is_installed

    async def find_duplicates(self) -> None:
        """Note, for the run's time, whose address is another user's too. Needed before `batches` and `rows`."""
        await self._connection.execute(queries.create_duplicates.sql)

    async def count(self) -> Count:
        """How many users the cohort has."""
        query = self._queries
        record = await query.count_due(self._connection, **self._parameters)
        return Count(record["total"], record["linked"])

    async def is_empty(self) -> bool:
        """Whether the cohort has nobody at all, in Clerk or not. Raises CohortInvalid."""
        query = self._queries
        with self._row_errors():
            return bool(await query.is_empty(self._connection, **self._parameters))

    async def missing_emails(self) -> list[str]:
        """Addresses that the cohort names and nobody has."""
        query = self._queries
        wanted = {self._reading.normal(email): email for email in self._cohort.emails or ()}
        found = {
            record["email"] async for record in query.present_emails(self._connection, emails=list(wanted))
        }
        return sorted(email for normal, email in wanted.items() if normal not in found)

    async def batches(self) -> AsyncIterator[list[SourceUser]]:
        """Users that are not in Clerk yet, by id, a bounded number at a time, each batch as it is when it is asked for."""
        query, parameters = self._queries, {**self._parameters, "size": self.BATCH}
        batch = await self._users(query.first_batch, **parameters)
        while batch:
            yield batch
            batch = await self._users(query.next_batch, after=batch[-1].id, **parameters)

    async def snapshot(self) -> AsyncGenerator[list[SourceUser], None]:
        """As `batches`, all as they are now. It writes nothing, so a standby will do."""
        query = self._queries
        async with self._connection.transaction(readonly=True):
            await self._connection.execute(queries.take_time.sql)
            with self._row_errors():
                async with query.all_due_cursor(self._connection, **self._parameters) as due:
                    cursor = await due
                    while records := await cursor.fetch(self.BATCH):
                        yield [SourceUser.from_record(record) for record in records]

    async def some_linked(self, size: int) -> dict[str, str]:
        """Clerk user ids of some users of the cohort, from all over it, and their external ids."""
        query = self._queries
        return {
            record["clerk_id"]: record["external_id"]
            async for record in query.some_linked(self._connection, **self._parameters, size=size)
        }

    async def linked_among(self, clerk_ids: Sequence[str]) -> set[str]:
        """Those of these Clerk users that some row is linked to."""
        async with self._busy:
            return {
                record["clerk_id"]
                async for record in queries.linked_among(self._connection, clerk_ids=list(clerk_ids))
            }

    async def rows(self, ids: Sequence[Any]) -> dict[str, SourceUser]:
        """These users as they are now, by external id. Users that are gone are not in it."""
        query = self._queries
        users = await self._users(query.rows_by_id, ids=list(ids))
        return {user.external_id: user for user in users}

    @property
    def _parameters(self) -> dict[str, object]:
        """The cohort as the queries take it."""
        emails = self._cohort.emails
        return {
            "percent": self._cohort.percent,
            "emails": None if emails is None else [self._reading.normal(email) for email in emails],
        }

    async def _users(self, query: Any, **parameters: object) -> list[SourceUser]:
        async with self._busy:  # a Postgres connection answers one query at a time
            with self._row_errors():
                return [
                    SourceUser.from_record(record) async for record in query(self._connection, **parameters)
                ]

    @contextmanager
    def _row_errors(self) -> Iterator[None]:
        try:
            yield
        except asyncpg.DataError as error:  # its text may hold a value of the row
            raise CohortInvalid(
                f"The source view, or the cohort's condition `{self._cohort.condition}`, fails on some row "
                f"({type(error).__name__}, SQLSTATE {error.sqlstate})."
            ) from None
