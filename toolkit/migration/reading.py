"""How the users table is read: by the view that `migrate` installed or, where it never was, by the query in the view's file."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiosql
import asyncpg
import sqlparse
from aiosql.adapters.asyncpg import AsyncPGAdapter

from toolkit.clerk.addresses import normal_address
from toolkit.database import Connection, queries
from toolkit.errors import UsageError
from toolkit.paths import QUERIES, SQL

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

_Adapter: Any = AsyncPGAdapter  # untyped
_CREATE = re.compile(
    r"(?:\s|--[^\n]*\n|/\*.*?\*/)*CREATE\s+(?:OR\s+REPLACE\s+)?VIEW\s+clerk_migration\s*\.\s*source\s*(?:WITH\s*\([^)]*\)\s*)?AS\b(?P<query>.*)",
    re.IGNORECASE | re.DOTALL,
)
_BLANKS = " \t\n\r\f\x0b"


class SourceInvalid(UsageError):
    """The source view is missing, or is not what the import reads."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the queries of `sql/queries/source.sql` read from."""

    source: str
    """The installed view, or the query of its file."""
    is_installed: bool

    @classmethod
    async def of(cls, connection: Connection, view: Path | None) -> "Reading":
        """How to read on this connection; `view` is the file to read by where nothing is installed, or out of reach.

        Rows that are hidden from the role are an error from now on. Raises SourceInvalid.
        """
        await connection.execute(queries.refuse_hidden_rows.sql)
        if await queries.may_read_installed(connection):
            reading = cls(_query(queries.installed_source), is_installed=True)
            named = "The view clerk_migration.source"
        elif view is None:
            raise SourceInvalid(
                "The database has no view clerk_migration.source or no function clerk_migration.normal_address, or this role "
                "may not use them. Run `python -m toolkit migrate --env …` first."
            )
        else:
            reading = await _by_file(connection, view)
            named = f"The view in {view}"
        await _check_columns(connection, reading, named)
        return reading

    def normal(self, address: str) -> str:
        """The address as the column `normal` has it."""
        if self.is_installed:
            return normal_address(address)
        return address.strip(_BLANKS).encode().lower().decode()  # of bytes: ASCII letters alone

    def queries_for(self, condition: str) -> Any:
        """The queries of `sql/queries/source.sql` for a cohort. The condition stands in them as it is."""
        normal = queries.normal_address if self.is_installed else queries.plain_address
        rows = _query(queries.rows).replace("{normal}", _query(normal)).replace("{source}", self.source)
        cohort = _query(queries.cohort).replace("{rows}", rows).replace("{condition}", condition)
        texts = {"{cohort}": cohort, "{rows}": rows}
        return aiosql.from_path(QUERIES / "source.sql", lambda: _Filling(texts))


class _Filling(_Adapter):  # type: ignore[misc]
    """Puts texts into queries, after their parameters were found: a `:` in a text is none."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        super().__init__()
        self._texts = texts

    def process_sql(self, query_name: str, op_type: object, sql: str) -> str:
        """The query as it is sent."""
        filled: str = super().process_sql(query_name, op_type, sql)
        for name, text in self._texts.items():
            filled = filled.replace(name, text)
        return filled


def _query(query: Any) -> str:
    """A query's text, to stand in another."""
    text: str = query.sql
    return text.rstrip("; \n")


async def _by_file(connection: Connection, view: Path) -> Reading:
    """The query of the view's file. A column for Clerk's id that a migration has still to add is nobody's yet."""
    query = read_view(view)
    try:
        await connection.prepare(query)
    except asyncpg.UndefinedColumnError as error:
        query = _without_link(query, str(error.args[0]))
        try:
            await connection.prepare(query)
        except asyncpg.SyntaxOrAccessError:
            raise _unreadable(view, error) from error
    except asyncpg.InsufficientPrivilegeError:
        raise
    except (asyncpg.SyntaxOrAccessError, asyncpg.DataError) as error:
        raise _unreadable(view, error) from error
    return Reading(query, is_installed=False)


def read_view(path: Path) -> str:
    """The query that the view in this file stands for. Raises SourceInvalid."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SourceInvalid(f"The source view's file {path} cannot be read: {error}") from error
    for statement in sqlparse.split(text):
        if found := _CREATE.fullmatch(statement):
            return found["query"].strip().rstrip(";")
    raise SourceInvalid(
        f"{path} must have a statement CREATE VIEW clerk_migration.source AS SELECT …; see {SQL / 'sources' / 'ax.sql'}."
    )


def _without_link(query: str, said: str) -> str:
    """The query with NULL in place of the column that gives `clerk_id`, if that is what Postgres missed.

    Of what it `said` the column's name is the one part that is in no language.
    """
    for name in re.findall(r"\w+", said):
        column = rf'(?:"?\w+"?\.)?"?{name}"?'
        given = re.compile(
            rf"{column}\s+AS\s+clerk_id\b" if name != "clerk_id" else rf"{column}(?:\s+AS\s+clerk_id\b)?"
        )
        if given.search(query):
            return given.sub("NULL::text AS clerk_id", query)
    return query


def _unreadable(view: Path, error: asyncpg.PostgresError) -> SourceInvalid:
    return SourceInvalid(
        f"The query of the view in {view} does not work on this database: {error.args[0]}. Correct it, or, if a migration "
        "is to add that, run `python -m toolkit migrate --env …` first."
    )


async def check_view(connection: Connection) -> None:
    """Compare the installed view with what the import reads. Raises SourceInvalid, naming every column that is wrong."""
    await Reading.of(connection, None)


async def _check_columns(connection: Connection, reading: Reading, named: str) -> None:
    """Compare the source with what the import reads. Raises SourceInvalid, naming every column that is wrong."""
    text = _query(queries.source_columns).replace("{source}", reading.source)
    attributes = (await connection.prepare(text)).get_attributes()
    types = [
        record["name"]
        async for record in queries.type_names(connection, oids=[each.type.oid for each in attributes])
    ]
    found = {attribute.name: name for attribute, name in zip(attributes, types, strict=True)}
    faults = []
    for name, wanted in {**COLUMNS, **OPTIONAL}.items():
        if name not in found:
            if name in COLUMNS:
                faults.append(f"  {name}: is missing")
        elif wanted and found[name] not in wanted:
            faults.append(f"  {name}: is {found[name]}, must be {wanted[0]}")
    if faults:
        raise SourceInvalid(
            f"{named} is not what the import reads:\n"
            + "\n".join(faults)
            + f"\nMend the view's file (see {SQL / 'sources' / 'ax.sql'} for the contract) and run "
            "`python -m toolkit migrate`."
        )
