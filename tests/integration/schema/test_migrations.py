"""The migrations themselves: there and back, on empty and on live databases."""

import secrets
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from tests.integration.schema.conftest import Connection, await_given_up, await_waiting, dump, users
from toolkit import paths, schema
from toolkit.sandbox.seed import MIGRATIONS, SOURCE_VIEW
from toolkit.schema import MigrationFailed

FILES = sorted([*(paths.SQL / "baseline").iterdir(), *(paths.SQL / "expand").glob("*/*")])
APPLIED = [
    path.stem for path in FILES if path.suffix in (".sql", ".py") and not path.name.endswith(".rollback.sql")
]
MANY = 50_000
FILE_OF_USERS = "SELECT pg_relation_filenode('users')"


def apply(url: str) -> list[str]:
    return schema.apply(url, MIGRATIONS, SOURCE_VIEW)


def roll_back_everything(url: str) -> list[str]:
    return list(iter(lambda: schema.rollback_last(url, MIGRATIONS, SOURCE_VIEW), None))


def roll_back_to(migration: str, url: str) -> None:
    """Take back this migration, and those after it."""
    while schema.rollback_last(url, MIGRATIONS, SOURCE_VIEW) != migration:
        pass


def yoyo(url: str, *arguments: str) -> str:
    done = subprocess.run(
        [Path(sys.executable).parent / "yoyo", *arguments],
        cwd=paths.ROOT,
        env={"DATABASE_URL": url},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("database", ["empty", "adopted"])
def test_rolling_everything_back_returns_the_schema_it_began_with(
    database: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue(database)
    before = dump(url)
    people = users(url) if database == "adopted" else None
    applied = apply(url)
    assert sorted(applied) == sorted(APPLIED)
    assert dump(url) != before
    assert roll_back_everything(url) == list(reversed(applied))
    assert dump(url) == before
    assert people is None or (users(url), len(people)) == (people, 2)


def test_applying_again_does_nothing(migrated: str) -> None:
    before = dump(migrated)
    assert apply(migrated) == []
    assert dump(migrated) == before


@pytest.mark.parametrize("path", [path for path in FILES if path.stem in APPLIED and path.suffix == ".sql"])
def test_every_migration_has_a_rollback(path: Path) -> None:
    assert path.with_suffix(".rollback.sql") in FILES


def test_a_migration_whose_mark_was_lost_applies_again(migrated: str, second: Connection) -> None:
    """Invariant 7: yoyo marks a migration after it is committed, so a kill in between loses the mark."""
    before = dump(migrated)
    second.execute("DELETE FROM _yoyo_migration")
    assert sorted(apply(migrated)) == sorted(APPLIED)
    assert dump(migrated) == before


def test_a_rollback_whose_mark_was_lost_rolls_back_again(migrated: str, second: Connection) -> None:
    """Invariant 7: the same for a rollback."""
    marks = second.execute("SELECT * FROM _yoyo_migration").fetchall()
    for _ in APPLIED:
        taken_back = schema.rollback_last(migrated, MIGRATIONS, SOURCE_VIEW)
        (mark,) = [mark for mark in marks if mark[1] == taken_back]
        second.execute("INSERT INTO _yoyo_migration VALUES (%s, %s, %s)", mark)
        assert schema.rollback_last(migrated, MIGRATIONS, SOURCE_VIEW) == taken_back
    assert schema.rollback_last(migrated, MIGRATIONS, SOURCE_VIEW) is None


def test_plain_yoyo_makes_the_same_schema(empty: str, migrated: str) -> None:
    before = dump(empty)
    yoyo(empty, "apply")
    assert dump(empty) == dump(migrated)
    assert all(migration.applied_at for migration in schema.status(empty, MIGRATIONS).migrations)
    yoyo(empty, "rollback", "--all")
    assert dump(empty) == before


def test_plain_yoyo_leaves_tables_alone_that_are_there_already(adopted: str) -> None:
    before, people = dump(adopted), users(adopted)
    yoyo(adopted, "apply")
    yoyo(adopted, "rollback", "--all")
    assert (dump(adopted), users(adopted)) == (before, people)


@dataclass
class Writing:
    """What a second connection met with while it kept writing."""

    written: int = 0
    errors: list[str] = field(default_factory=list)


@contextmanager
def writing(url: str) -> Iterator[Writing]:
    """Sign users up and change them without a pause, each in a transaction of its own.

    Postgres itself ends a statement that waits for a lock for too long: a clock here would count a busy machine, too.
    """
    found, ended = Writing(), threading.Event()

    def write() -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("SET lock_timeout = '5s'")
            while not ended.is_set():
                try:
                    connection.execute(
                        "INSERT INTO users (email, hashed_password) VALUES (gen_random_uuid()::text, 'digest')"
                    )
                    connection.execute(
                        "UPDATE users SET updated_at = now() WHERE id = (SELECT id FROM users LIMIT 1)"
                    )
                except psycopg.Error as error:
                    found.errors.append(str(error))
                found.written += 1

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()


def test_migrations_run_while_a_second_connection_writes(adopted: str) -> None:
    with psycopg.connect(adopted) as connection:
        connection.execute(
            "INSERT INTO users (email, hashed_password) SELECT n::text, 'digest' FROM generate_series(1, %s) AS n",
            [MANY],
        )
        before = connection.execute(FILE_OF_USERS).fetchone()
    with writing(adopted) as second:
        apply(adopted)
        roll_back_everything(adopted)
        apply(adopted)
    assert second.errors == []
    assert second.written > 10
    with psycopg.connect(adopted) as connection:
        assert connection.execute(FILE_OF_USERS).fetchone() == before, (
            "writing the table anew locks it meanwhile"
        )


@pytest.mark.parametrize("migration", ["ax-0004-clerk-id-unique", "ax-0005-users-lookups"])
def test_an_index_waits_for_open_transactions_and_nobody_for_the_index(
    migrated: str, second: Connection, migration: str
) -> None:
    roll_back_to(migration, migrated)
    second.execute("SET statement_timeout = '30s'")
    with ThreadPoolExecutor() as pool, psycopg.connect(migrated) as open_transaction:
        open_transaction.execute("INSERT INTO users (email, hashed_password) VALUES ('a', 'x')")
        applied = pool.submit(apply, migrated)
        await_waiting(second)
        second.execute("INSERT INTO users (email, hashed_password) VALUES ('b', 'x')")
        open_transaction.commit()
        assert applied.result()[0] == migration


@pytest.mark.parametrize(
    ("migration", "index"),
    [
        ("ax-0004-clerk-id-unique", "users_clerk_id_key"),
        ("ax-0005-users-lookups", "users_due_idx"),
        ("ax-0005-users-lookups", "users_normal_address_idx"),
    ],
)
def test_an_index_whose_build_was_killed_is_rebuilt(
    migrated: str, second: Connection, migration: str, index: str
) -> None:
    roll_back_to(migration, migrated)
    leave_invalid_index(second, index)
    assert valid(second, index) is False
    assert apply(migrated)[0] == migration
    assert valid(second, index) is True


def test_duplicate_links_are_told_and_leave_no_index(migrated: str, second: Connection) -> None:
    roll_back_to("ax-0004-clerk-id-unique", migrated)
    second.execute(
        "INSERT INTO users (email, hashed_password, clerk_id) VALUES ('a', 'x', 'u'), ('b', 'y', 'u')"
    )
    with pytest.raises(
        MigrationFailed, match="ax-0004-clerk-id-unique failed: could not create unique index"
    ):
        apply(migrated)
    assert valid(second, "users_clerk_id_key") is None
    second.execute("UPDATE users SET clerk_id = NULL WHERE email = 'b'")
    assert apply(migrated)[0] == "ax-0004-clerk-id-unique"


def leave_invalid_index(connection: Connection, name: str) -> None:
    """Leave behind what a concurrent build does that was killed."""
    connection.execute("INSERT INTO users (email, hashed_password) VALUES ('a', 'x'), ('b', 'x')")
    with pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute(
            SQL("CREATE UNIQUE INDEX CONCURRENTLY {} ON users (hashed_password)").format(Identifier(name))
        )


def valid(connection: Connection, index: str) -> object:
    row = connection.execute(
        "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)", [index]
    ).fetchone()
    return row and row[0]


def test_a_clerk_user_belongs_to_one_row(second: Connection) -> None:
    """Invariant 1."""
    second.execute("INSERT INTO users (email, clerk_id) VALUES ('a', 'user_1'), ('c', NULL), ('d', NULL)")
    with pytest.raises(psycopg.errors.UniqueViolation):
        second.execute("INSERT INTO users (email, clerk_id) VALUES ('b', 'user_1')")


def test_users_without_a_digest_stop_the_rollback_that_would_need_one(
    migrated: str, second: Connection
) -> None:
    second.execute("INSERT INTO users (email) VALUES ('clerk-only@example.com')")
    with pytest.raises(MigrationFailed, match=r"users without a password digest exist.*Delete them"):
        roll_back_everything(migrated)
    second.execute("DELETE FROM users")
    assert "ax-0003-password-nullable" in roll_back_everything(migrated)


def test_a_migration_that_gives_up_on_a_lock_takes_back_nothing_that_was_there_before(
    migrated: str, second: Connection
) -> None:
    """Where AX's column is nullable already, it stays so."""
    roll_back_to("ax-0003-password-nullable", migrated)
    second.execute("ALTER TABLE users ALTER COLUMN hashed_password DROP NOT NULL")
    with ThreadPoolExecutor() as pool, psycopg.connect(migrated) as reader:
        reader.execute("SELECT FROM users")
        applied = pool.submit(apply, migrated)
        await_waiting(second)
        await_given_up(second)
        reader.commit()
        with pytest.raises(MigrationFailed, match="ax-0003-password-nullable gave up"):
            applied.result()
    assert second.execute(
        "SELECT attnotnull FROM pg_attribute WHERE attrelid = 'users'::regclass AND attname = 'hashed_password'"
    ).fetchone() == (False,)


def test_a_rollback_that_broke_off_is_ended_by_the_next(migrated: str, second: Connection) -> None:
    """Invariant 7."""
    roll_back_to("ax-0004-clerk-id-unique", migrated)
    second.execute("INSERT INTO users (email) VALUES ('clerk-only@example.com')")
    second.execute(
        "ALTER TABLE users ADD CONSTRAINT users_hashed_password_present CHECK (hashed_password IS NOT NULL) NOT VALID"
    )
    with pytest.raises(MigrationFailed, match="users without a password digest exist"):
        schema.rollback_last(migrated, MIGRATIONS, SOURCE_VIEW)
    second.execute("INSERT INTO users (email) VALUES ('another@example.com')")
    second.execute("DELETE FROM users")
    assert schema.rollback_last(migrated, MIGRATIONS, SOURCE_VIEW) == "ax-0003-password-nullable"


def test_linked_users_stop_the_rollback_that_would_unlink_them(migrated: str, second: Connection) -> None:
    """Invariant 3: without clerk_id they would be checked against the legacy digest again."""
    second.execute("INSERT INTO users (email, hashed_password, clerk_id) VALUES ('a', 'x', 'user_1')")
    unique = second.execute("SELECT to_regclass('users_clerk_id_key')::oid").fetchone()
    with pytest.raises(MigrationFailed, match="users are linked to Clerk"):
        roll_back_everything(migrated)
    assert second.execute("SELECT clerk_id FROM users").fetchall() == [("user_1",)]
    assert valid(second, "users_clerk_id_key") is True, "invariant 1"
    assert second.execute("SELECT to_regclass('users_clerk_id_key')::oid").fetchone() == unique, (
        "and never was away"
    )
    assert second.execute("SELECT clerk_id FROM clerk_migration.source").fetchall() == [("user_1",)]


def test_a_user_who_is_linked_while_a_rollback_waits_stops_it(migrated: str, second: Connection) -> None:
    """Invariant 3."""
    roll_back_to("ax-0003-password-nullable", migrated)
    second.execute("INSERT INTO users (email, hashed_password) VALUES ('a', 'x')")
    with ThreadPoolExecutor() as pool, psycopg.connect(migrated) as linking:
        linking.execute("UPDATE users SET clerk_id = 'user_1'")
        rolled_back = pool.submit(schema.rollback_last, migrated, MIGRATIONS, SOURCE_VIEW)
        await_waiting(second)
        linking.commit()
        with pytest.raises(MigrationFailed, match="users are linked to Clerk"):
            rolled_back.result()
    assert second.execute("SELECT clerk_id FROM users").fetchall() == [("user_1",)]


def test_users_stop_the_rollback_that_would_drop_their_table(migrated: str, second: Connection) -> None:
    """Invariant 11."""
    second.execute("INSERT INTO users (email, hashed_password) VALUES ('a', 'x')")
    with pytest.raises(MigrationFailed, match="the table users holds users"):
        roll_back_everything(migrated)
    assert second.execute("SELECT email FROM users").fetchall() == [("a",)]


def test_the_import_finds_its_rows_by_index(migrated: str, second: Connection) -> None:
    second.execute(
        "INSERT INTO users (email, hashed_password, clerk_id) "
        "SELECT n::text, 'digest', CASE WHEN mod(n, 10) > 0 THEN n::text END FROM generate_series(1, %s) AS n",
        [MANY],
    )
    second.execute("ANALYZE users")
    plan = second.execute(
        "EXPLAIN SELECT * FROM clerk_migration.source "
        "WHERE clerk_id IS NULL AND id > '80000000-0000-4000-8000-000000000000' ORDER BY id LIMIT 500"
    ).fetchall()
    assert "Index Scan using users_due_idx" in str(plan)
    assert "Sort" not in str(plan)


def test_switches_begin_with_legacy_and_take_no_other_value(second: Connection) -> None:
    assert second.execute("SELECT name, value FROM clerk_migration.switches ORDER BY name").fetchall() == [
        ("import", "running"),
        ("import_rate", "default"),
        ("lazy_migration", "off"),
        ("legacy_login", "on"),
        ("signup", "legacy"),
    ]
    with pytest.raises(psycopg.errors.CheckViolation):
        second.execute("UPDATE clerk_migration.switches SET value = 'perhaps' WHERE name = 'signup'")


def test_squawk_has_nothing_against_the_migrations() -> None:
    done = subprocess.run(
        [
            *(Path(sys.executable).parent / "squawk", "--config", paths.ROOT / ".squawk.toml"),
            *(path for path in FILES if path.suffix == ".sql"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("search_path", ["public", "''"])
def test_whoever_may_enable_an_account_needs_nothing_else_for_it(migrated: str, search_path: str) -> None:
    """The trigger that ends the account's sessions runs by its owner's rights, and names its table."""
    role = f"support_{secrets.token_hex(4)}"
    with psycopg.connect(migrated, autocommit=True) as owner:
        owner.execute(f"CREATE ROLE {role}")
        owner.execute(f"GRANT USAGE ON SCHEMA public TO {role}")
        owner.execute(f"GRANT SELECT, UPDATE ON users TO {role}")
        owner.execute("INSERT INTO users (email, disabled_at) VALUES ('ada@example.com', now())")
        owner.execute(
            "INSERT INTO sessions (user_id, token_hash, expires_at, max_expires_at) SELECT id, 'x', 'infinity', 'infinity' FROM users"
        )
        try:
            owner.execute("CREATE TEMPORARY TABLE sessions (user_id uuid, revoked_at timestamptz)")
            owner.execute(f"SET ROLE {role}")
            owner.execute(f"SET search_path = {search_path}")
            owner.execute("UPDATE public.users SET disabled_at = NULL")
            owner.execute("RESET ROLE")
            ended = owner.execute("SELECT revoked_at IS NOT NULL FROM public.sessions").fetchone()
            assert ended == (True,)
        finally:
            owner.execute("RESET ROLE")
            owner.execute(f"DROP OWNED BY {role}")
            owner.execute(f"DROP ROLE {role}")
