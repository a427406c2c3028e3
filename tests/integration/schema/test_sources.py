"""The source views and their write-back: the contract, kept by AX's table and by a differently shaped one."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiosql
import asyncpg
import psycopg
import pytest

from tests.postgres import Server
from toolkit import paths, schema
from toolkit.sandbox.seed import MIGRATIONS

SOURCES = Path(__file__).parent.parent / "sources"
CONTRACT = {
    "email": ("text", "character varying"),
    "email_verified": ("boolean",),
    "password_digest": ("text", "character varying"),
    "password_hasher": ("text",),
    "second_factor": ("boolean",),
    "totp_cipher": ("bytea",),
    "totp_nonce": ("bytea",),
    "totp_secret": ("text",),
    "first_name": ("text",),
    "last_name": ("text",),
    "created_at": ("timestamp with time zone",),
    "disabled": ("boolean",),
    "clerk_id": ("text",),
}
OPTIONAL = {"backup_codes": ("text[]", "character varying[]")}
ARGON2 = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$aGFzaA"
BCRYPT = "$2b$04$" + "a" * 53


@dataclass
class Source:
    """A users table behind its view, with one user."""

    connection: "asyncpg.Connection[asyncpg.Record]"
    link: Any
    table: str
    url: str

    async def row(self) -> asyncpg.Record:
        record = await self.connection.fetchrow("SELECT * FROM clerk_migration.source")
        assert record is not None
        return record

    async def write_back(self, row: asyncpg.Record) -> list[str]:
        """Link the user as the row said it; the ids that were linked."""
        records = self.link(
            self.connection,
            ids=[str(row["id"])],
            clerk_ids=["user_1"],
            emails=[row["email"]],
            email_verified=[row["email_verified"]],
            digests=[row["password_digest"]],
            second_factors=[row["second_factor"]],
            totp_ciphers=[row["totp_cipher"]],
            totp_secrets=[row["totp_secret"]],
            backup_codes=[json.dumps(row["backup_codes"]) if "backup_codes" in row else None],
            disabled=[row["disabled"]],
        )
        return [record["id"] async for record in records]


@dataclass(frozen=True)
class Prepared:
    """A migrated database with no users, and the statement that makes one, with the digest for `$1`."""

    url: str
    table: str
    link: Path
    insert: str
    digest: str


@pytest.fixture(scope="module", params=["ax", "accounts"])
def prepared(request: pytest.FixtureRequest, server: Server) -> Prepared:
    if request.param == "ax":
        insert = (
            "INSERT INTO users (email, hashed_password, email_verified_at, enabled_2fa, totp_cipher, nonce, "
            "first_name, last_name) VALUES ('Ada@example.com', $1, now(), true, 'c', 'n', 'Ada', 'Lovelace')"
        )
        return Prepared(server.create_database(), "users", paths.SQL / "sources/ax_link.sql", insert, ARGON2)
    insert = (
        "INSERT INTO accounts (login, confirmed, pw_hash, full_name, otp_secret, recovery_codes) "
        "VALUES ('Ada@example.com', true, $1, 'Ada King Lovelace', 'JBSWY3DPEHPK3PXP', '{abcd1234,\"a, \\\\b\"}')"
    )
    url = server.create_database(migrated=False)
    with psycopg.connect(url) as connection:
        connection.execute((SOURCES / "accounts_schema.sql").read_text())
    schema.apply(url, MIGRATIONS[1:2], SOURCES / "accounts.sql")
    return Prepared(url, "accounts", SOURCES / "accounts_link.sql", insert, BCRYPT)


@pytest.fixture
async def source(prepared: Prepared) -> AsyncIterator[Source]:
    connection = await asyncpg.connect(prepared.url)
    await connection.execute(f"DELETE FROM {prepared.table}")  # noqa: S608
    await connection.execute(prepared.insert, prepared.digest)
    link = aiosql.from_path(prepared.link, "asyncpg").link
    yield Source(connection, link, prepared.table, prepared.url)
    await connection.close()


async def test_the_view_has_the_columns_and_types_of_the_contract(source: Source) -> None:
    columns = await source.connection.fetch(
        "SELECT attname AS name, format_type(atttypid, NULL) AS type FROM pg_attribute "
        "WHERE attrelid = 'clerk_migration.source'::regclass ORDER BY attnum"
    )
    names = [column["name"] for column in columns if column["name"] not in OPTIONAL]
    assert names == ["id", *CONTRACT]
    assert all(column["type"] in {**CONTRACT, **OPTIONAL}[column["name"]] for column in columns[1:])


async def test_the_view_shows_the_user(source: Source) -> None:
    row = await source.row()
    assert row["email"] == "Ada@example.com"
    assert (row["email_verified"], row["disabled"], row["clerk_id"]) == (True, False, None)
    assert row["first_name"] == "Ada"
    assert row["last_name"] in ("Lovelace", "King Lovelace")
    if source.table == "users":
        assert (row["password_digest"], row["password_hasher"]) == (ARGON2, "argon2id")
        assert (row["second_factor"], row["totp_cipher"], row["totp_nonce"]) == (True, b"c", b"n")
    else:
        assert (row["password_digest"], row["password_hasher"]) == (BCRYPT, "bcrypt")
        assert (row["totp_cipher"], row["totp_nonce"]) == (None, None)
        assert (row["second_factor"], row["totp_secret"]) == (True, "JBSWY3DPEHPK3PXP")
        assert row["backup_codes"] == ["abcd1234", "a, \\b"]


@pytest.mark.parametrize(
    ("digest", "hasher"),
    [
        (ARGON2, "argon2id"),
        (ARGON2.replace("argon2id", "argon2i"), "argon2i"),
        (ARGON2.replace("argon2id", "argon2d"), None),
        ("5f4dcc3b5aa765d61d8327deb882cf99", None),
        ("", None),
        (None, None),
    ],
)
async def test_the_hasher_follows_from_the_digest(
    postgres: Server, digest: str | None, hasher: str | None
) -> None:
    connection = await asyncpg.connect(postgres.create_database())
    await connection.execute("INSERT INTO users (email, hashed_password) VALUES ('a', $1)", digest)
    assert await connection.fetchval("SELECT password_hasher FROM clerk_migration.source") == hasher
    await connection.close()


async def test_a_row_that_stands_as_it_was_sent_is_linked_once(source: Source) -> None:
    """Invariant 1."""
    row = await source.row()
    assert await source.write_back(row) == [str(row["id"])]
    assert (await source.row())["clerk_id"] == "user_1"
    assert await source.write_back(row) == []


CHANGES = {
    "users": [
        "email = 'ada@example.com'",
        "hashed_password = 'changed'",
        "hashed_password = NULL",
        "email_verified_at = NULL",
        "enabled_2fa = false",
        "totp_cipher = 'changed'",
        "totp_cipher = NULL",
        "disabled_at = now()",
        "clerk_id = 'user_2'",
    ],
    "accounts": [
        "login = 'ada@example.com'",
        "pw_hash = 'changed'",
        "pw_hash = NULL",
        "confirmed = false",
        "otp_secret = 'KRSXG5CTMVRXEZLU'",
        "otp_secret = NULL",
        "recovery_codes = recovery_codes[2:]",
        "recovery_codes = '{}'",
        "recovery_codes = NULL",
        "status = 'closed'",
        "clerk_user_id = 'user_2'",
    ],
}


async def test_a_row_that_changed_since_it_was_sent_is_not_linked(source: Source) -> None:
    """Invariants 2 and 4: the newest password wins, and so does the newest second factor."""
    row = await source.row()
    for change in CHANGES[source.table]:
        transaction = source.connection.transaction()
        await transaction.start()
        await source.connection.execute(f"UPDATE {source.table} SET {change}")  # noqa: S608
        before = await source.row()
        assert await source.write_back(row) == [], change
        assert await source.row() == before, change
        await transaction.rollback()


async def test_a_change_under_way_is_not_waited_for_and_wins(source: Source) -> None:
    """Invariant 4: the write-back meets a password change that is not committed yet."""
    row = await source.row()
    other = await asyncpg.connect(source.url)
    change = other.transaction()
    await change.start()
    await other.execute(f"UPDATE {source.table} SET {CHANGES[source.table][1]}")  # noqa: S608
    async with asyncio.timeout(60):
        assert await source.write_back(row) == []
    await change.commit()
    assert await source.write_back(row) == []
    assert (await source.row())["clerk_id"] is None
    await other.close()


async def test_a_row_that_is_gone_is_not_linked(source: Source) -> None:
    row = await source.row()
    await source.connection.execute(f"DELETE FROM {source.table}")  # noqa: S608
    assert await source.write_back(row) == []


async def test_the_write_back_finds_its_rows_by_key(source: Source) -> None:
    text = "gen_random_uuid(), n::text, 'x'" if source.table == "users" else "n, n::text, 'x'"
    columns = "id, email, hashed_password" if source.table == "users" else "account_no, login, pw_hash"
    await source.connection.execute(
        f"INSERT INTO {source.table} ({columns}) "  # noqa: S608
        f"{'OVERRIDING SYSTEM VALUE ' if source.table == 'accounts' else ''}"
        f"SELECT {text} FROM generate_series(10, 20000) AS n"
    )
    await source.connection.execute(f"ANALYZE {source.table}")
    row = await source.row()
    values = {
        "ids": [str(row["id"])],
        "clerk_ids": ["user_1"],
        "emails": ["a"],
        "email_verified": [True],
        "digests": ["x"],
        "second_factors": [True],
        "totp_ciphers": [b"x"],
        "totp_secrets": ["x"],
        "backup_codes": ["[]"],
        "disabled": [True],
    }
    names = source.link.parameters
    plan = await source.connection.fetch(f"EXPLAIN {source.link.sql}", *(values[name] for name in names))
    assert any("Index Scan" in line["QUERY PLAN"] for line in plan)
    assert not any("Seq Scan" in line["QUERY PLAN"] for line in plan)
