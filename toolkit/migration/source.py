"""The users to move, as the view `clerk_migration.source` gives them.

The view is the contract: anybody's users table, seen as these columns. `Source` reads it, streaming by keyset.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import asyncpg

from toolkit.clerk.addresses import normal_address
from toolkit.database import Connection, queries
from toolkit.errors import UsageError
from toolkit.paths import SQL

_TEXT = ("text", "character varying", "citext", "character")
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "id": (),
    "email": _TEXT,
    "email_verified": ("boolean",),
    "password_digest": _TEXT,
    "password_hasher": _TEXT,
    "second_factor": ("boolean",),
    "totp_cipher": ("bytea",),
    "totp_nonce": ("bytea",),
    "totp_secret": _TEXT,
    "first_name": _TEXT,
    "last_name": _TEXT,
    "created_at": ("timestamp with time zone",),
    "disabled": ("boolean",),
    "clerk_id": _TEXT,
}
"""The view's columns and the types each may have; an id may be of any type that has an order."""
OPTIONAL: Mapping[str, tuple[str, ...]] = {"backup_codes": ("text[]", "character varying[]")}
"""Columns that a view may have besides."""


class SourceInvalid(UsageError):
    """The source view is missing, or is not what the import reads."""


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
        """A row of `first_batch`, `next_batch` or `rows_by_id`; a flag that is NULL counts as the careful answer."""
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

    def parameters(self) -> dict[str, object]:
        """The cohort as the queries take it."""
        emails = None if self.emails is None else [normal_address(email) for email in self.emails]
        return {"percent": self.percent, "emails": emails}


@dataclass(frozen=True, slots=True)
class Count:
    """Users of a cohort, and those among them that are in Clerk already."""

    total: int
    linked: int

    @property
    def due(self) -> int:
        """Users that are not in Clerk yet."""
        return self.total - self.linked


@dataclass(frozen=True, slots=True)
class DueUser:
    """What a user who is due is compared with Clerk's by."""

    id: str
    """The external ID."""
    email: str | None
    normal: str | None
    """The address as `normal_address` has it."""
    email_verified: bool


class Source:
    """The source view, over one connection that holds the cohort for the run's time."""

    BATCH = 500

    def __init__(self, connection: Connection, cohort: Cohort) -> None:
        self._connection = connection
        self._cohort = cohort
        self._busy = asyncio.Lock()

    @classmethod
    async def open(cls, connection: Connection, cohort: Cohort) -> "Source":
        """Check the view, then prepare the cohort. Changes nothing but temporary objects of the connection.

        Raises SourceInvalid or CohortInvalid.
        """
        await check_view(connection)
        try:
            await connection.execute(queries.create_rows.sql)
            # `fetch` and not `execute`: a prepared statement is one statement, whatever the condition holds.
            await connection.fetch(queries.create_cohort.sql.replace("{condition}", cohort.condition))
        except (asyncpg.SyntaxOrAccessError, asyncpg.DataError) as error:
            raise CohortInvalid(
                f"The cohort's condition `{cohort.condition}` is not valid: {error.args[0]}"
            ) from error
        return cls(connection, cohort)

    async def find_duplicates(self) -> None:
        """Note, for the run's time, whose address is another user's too. Needed before rows are read."""
        await self._connection.execute(queries.create_duplicates.sql)

    async def count(self) -> Count:
        """How many users the cohort has."""
        record = await queries.count_due(self._connection, **self._cohort.parameters())
        return Count(record["total"], record["linked"])

    async def is_empty(self) -> bool:
        """Whether the cohort has nobody at all, in Clerk or not. Raises CohortInvalid."""
        with self._row_errors():
            return bool(await queries.is_empty(self._connection, **self._cohort.parameters()))

    async def missing_emails(self) -> list[str]:
        """Addresses that the cohort names and nobody has."""
        wanted = {normal_address(email): email for email in self._cohort.emails or ()}
        found = {
            record["email"] async for record in queries.present_emails(self._connection, emails=list(wanted))
        }
        return sorted(email for normal, email in wanted.items() if normal not in found)

    async def batches(self) -> AsyncIterator[list[SourceUser]]:
        """Users that are not in Clerk yet, by id, a bounded number at a time."""
        parameters = {**self._cohort.parameters(), "size": self.BATCH}
        batch = await self._users(queries.first_batch, **parameters)
        while batch:
            yield batch
            batch = await self._users(queries.next_batch, after=batch[-1].id, **parameters)

    async def list_due(self) -> None:
        """Note who is due, by key and address. Needed before `due_users`."""
        async with self._busy:
            await self._connection.execute(queries.create_due.sql)
            await queries.fill_due(self._connection, **self._cohort.parameters())
            await self._connection.execute(queries.index_due.sql)

    async def due_users(self, addresses: Sequence[str], ids: Sequence[str]) -> list[DueUser]:
        """Due users that have one of these normal addresses, or one of these external ids."""
        async with self._busy:
            return [
                DueUser(**record)
                async for record in queries.due_users(
                    self._connection, addresses=list(addresses), ids=list(ids)
                )
            ]

    async def linked_among(self, clerk_ids: Sequence[str]) -> set[str]:
        """Those of these Clerk users that some row is linked to."""
        async with self._busy:
            return {
                record["clerk_id"]
                async for record in queries.linked_among(self._connection, clerk_ids=list(clerk_ids))
            }

    async def rows(self, ids: Sequence[Any]) -> dict[str, SourceUser]:
        """These users as they are now, by external id. Users that are gone are not in it."""
        users = await self._users(queries.rows_by_id, ids=list(ids))
        return {user.external_id: user for user in users}

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


async def check_view(connection: Connection) -> None:
    """Compare the source view with what the import reads. Raises SourceInvalid, naming every column that is wrong."""
    found = {record["name"]: record["type"] async for record in queries.source_columns(connection)}
    if not found:
        raise SourceInvalid(
            "The database has no view clerk_migration.source. Run `python -m toolkit migrate --env …` first."
        )
    faults = []
    for name, types in {**COLUMNS, **OPTIONAL}.items():
        if name not in found:
            if name in COLUMNS:
                faults.append(f"  {name}: is missing")
        elif types and found[name] not in types:
            faults.append(f"  {name}: is {found[name]}, must be {types[0]}")
    if faults:
        raise SourceInvalid(
            "The view clerk_migration.source is not what the import reads:\n"
            + "\n".join(faults)
            + f"\nMend the view's file (see {SQL / 'sources' / 'ax.sql'} for the contract) and run "
            "`python -m toolkit migrate`."
        )
