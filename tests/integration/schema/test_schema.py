"""`toolkit.schema`: adoption, other processes, kills, and failures told in words."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from urllib.parse import quote, urlsplit

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from tests.integration.schema.conftest import Connection, await_waiting, dump
from tests.postgres import Server
from toolkit import schema
from toolkit.database import DatabaseFailed, DatabaseUnreachable
from toolkit.sandbox.seed import MIGRATIONS, SOURCE_VIEW
from toolkit.schema import BaselineIncomplete, MigrationFailed, MigrationsInvalid, SchemaBusy

TOOLKIT = MIGRATIONS[1]
SOURCES = Path(__file__).parent.parent / "sources"


def apply(url: str) -> list[str]:
    return schema.apply(url, MIGRATIONS, SOURCE_VIEW)


def applied(url: str) -> list[str]:
    return [migration.id for migration in schema.status(url, MIGRATIONS).migrations if migration.applied_at]


@contextmanager
def holding(url: str, statement: str) -> Iterator[Connection]:
    """A session in the middle of a transaction."""
    with psycopg.connect(url) as connection:
        connection.execute(statement)
        yield connection


def test_a_baseline_that_is_there_is_marked_and_not_run(adopted: str) -> None:
    apply(adopted)
    with psycopg.connect(adopted) as connection:
        operations = connection.execute(
            "SELECT operation FROM _yoyo_log WHERE migration_id = 'baseline-0001-tables'"
        ).fetchall()
        comment = connection.execute("SELECT obj_description('users'::regclass)").fetchone()
    assert operations == [("mark",)]
    assert comment == (None,)


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("DROP TABLE invites", "It lacks: table invites."),
        ("ALTER TABLE users DROP COLUMN nonce", "It lacks: column users.nonce."),
        (
            "DROP TABLE api_keys; ALTER TABLE sessions RENAME token_hash TO hash",
            "It lacks: table api_keys, column sessions.token_hash.",
        ),
    ],
)
def test_a_baseline_that_is_there_in_part_is_refused_by_name(adopted: str, statement: str, told: str) -> None:
    with psycopg.connect(adopted) as connection:
        connection.execute(statement)
    before = dump(adopted)
    with pytest.raises(BaselineIncomplete) as error:
        apply(adopted)
    assert told in str(error.value)
    assert (dump(adopted), applied(adopted)) == (before, [])


def test_status_tells_what_is_applied_and_changes_nothing(empty: str) -> None:
    assert applied(empty) == []
    with psycopg.connect(empty) as connection:
        assert connection.execute("SELECT count(*) FROM pg_class WHERE relname LIKE '%yoyo%'").fetchone() == (
            0,
        )
    done = apply(empty)
    assert applied(empty) == done
    schema.rollback_last(empty, MIGRATIONS, SOURCE_VIEW)
    assert applied(empty) == done[:-1]


def test_a_table_in_use_is_not_queued_for_and_the_next_run_goes_on(adopted: str) -> None:
    with holding(adopted, "SELECT * FROM users"):
        with pytest.raises(MigrationFailed) as error:
            apply(adopted)
        # Whoever comes after the migration does not wait for it either.
        with psycopg.connect(adopted) as connection:
            connection.execute("SET statement_timeout = '30s'")
            connection.execute("UPDATE users SET updated_at = now()")
    message = str(error.value)
    assert "Migration ax-0002-users gave up" in message
    assert "run the same command again" in message
    assert "Applied before it, and kept: baseline-0001-tables, toolkit-0001-import" in message
    assert apply(adopted)[0] == "ax-0002-users"


def test_a_killed_run_leaves_no_lock_behind(adopted: str) -> None:
    """Invariant 7."""
    script = (
        "import sys; from pathlib import Path; from toolkit import schema; from toolkit.sandbox.seed import *; "
        "schema.apply(sys.argv[1], MIGRATIONS, SOURCE_VIEW)"
    )
    with holding(adopted, "SELECT * FROM users"):
        process = subprocess.Popen([sys.executable, "-c", script, adopted], stderr=subprocess.DEVNULL)
        with psycopg.connect(adopted, autocommit=True) as connection:
            await_waiting(connection)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert lock_rows(adopted) == 1
    apply(adopted)
    assert lock_rows(adopted) == 0
    assert len(applied(adopted)) == len(schema.status(adopted, MIGRATIONS).migrations)


def lock_rows(url: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM yoyo_lock").fetchone()
    return row and row[0]


def test_two_runs_do_not_mix(migrated: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "CLAIM_SECONDS", 0.5)
    with (
        holding(migrated, "SELECT pg_advisory_lock(hashtextextended('clerk_migration.schema', 0))"),
        pytest.raises(SchemaBusy, match=r"Another `python -m toolkit migrate` is at work"),
    ):
        apply(migrated)
    apply(migrated)


def test_plain_yoyo_at_work_is_waited_for_and_named(
    migrated: str, second: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "CLAIM_SECONDS", 0.5)
    second.execute("INSERT INTO yoyo_lock (locked, ctime, pid) VALUES (1, now(), 4711)")
    with pytest.raises(SchemaBusy, match=r"as process 4711.*`yoyo break-lock`"):
        apply(migrated)
    assert lock_rows(migrated) == 1
    second.execute("DELETE FROM yoyo_lock")
    apply(migrated)


def test_the_source_view_is_the_given_file_after_each_run(
    migrated: str, second: Connection, tmp_path: Path
) -> None:
    other = tmp_path / "other.sql"
    other.write_text(SOURCE_VIEW.read_text().replace("enabled_2fa AS second_factor", "true AS second_factor"))
    second.execute("INSERT INTO users (email) VALUES ('a')")
    schema.apply(migrated, MIGRATIONS, other)
    assert second.execute("SELECT second_factor FROM clerk_migration.source").fetchone() == (True,)
    apply(migrated)
    assert second.execute("SELECT second_factor FROM clerk_migration.source").fetchone() == (False,)


def test_percent_signs_and_colons_in_a_source_view_are_its_own(
    migrated: str, second: Connection, tmp_path: Path
) -> None:
    other, marked = (
        tmp_path / "other.sql",
        "enabled_2fa AND email NOT LIKE '%@bot.example' AND email <> ':name %s'",
    )
    other.write_text(SOURCE_VIEW.read_text().replace("enabled_2fa AS", f"({marked}) AS"))
    schema.apply(migrated, MIGRATIONS, other)
    second.execute(
        "INSERT INTO users (email, enabled_2fa) VALUES ('a@bot.example', true), ('b@example.com', true)"
    )
    found = second.execute("SELECT email FROM clerk_migration.source WHERE second_factor").fetchall()
    assert found == [("b@example.com",)]


def test_a_source_view_that_fails_leaves_the_old_one(
    migrated: str, second: Connection, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.sql"
    broken.write_text("CREATE VIEW clerk_migration.source AS SELECT nobody FROM users;")
    with pytest.raises(MigrationFailed, match=r'broken\.sql failed: column "nobody" does not exist'):
        schema.apply(migrated, MIGRATIONS, broken)
    assert second.execute("SELECT count(*) FROM clerk_migration.source").fetchone() == (0,)


def test_a_source_view_in_use_by_an_import_is_told(migrated: str, second: Connection) -> None:
    second.execute("CREATE TEMPORARY VIEW cohort AS SELECT * FROM clerk_migration.source")
    with pytest.raises(MigrationFailed, match="If an import or a preflight is running, let it end"):
        apply(migrated)


def test_another_users_table_needs_no_migration_of_ax(empty: str) -> None:
    with psycopg.connect(empty) as connection:
        connection.execute((SOURCES / "accounts_schema.sql").read_text())
    before = dump(empty)
    done = schema.apply(empty, [TOOLKIT], SOURCES / "accounts.sql")
    assert all(migration.startswith("toolkit-") for migration in done)
    with psycopg.connect(empty) as connection:
        assert connection.execute("SELECT count(*) FROM clerk_migration.source").fetchone() == (0,)
    for migration in reversed(done):
        assert schema.rollback_last(empty, [TOOLKIT], SOURCES / "accounts.sql") == migration
    assert dump(empty) == before


@pytest.mark.parametrize("password", ["plain", "p@ss:/w?o#r&d=%41+ ü"])
def test_addresses_are_read_as_libpq_reads_them(empty: str, password: str) -> None:
    with psycopg.connect(empty, autocommit=True) as connection:
        role = f"guest_{token_hex(4)}"
        connection.execute(
            SQL("CREATE ROLE {} LOGIN SUPERUSER PASSWORD {}").format(Identifier(role), password)
        )
    parts = urlsplit(empty)
    secret = quote(password, safe="")
    for url in (
        f"postgresql://{role}:{secret}@127.0.0.1:{parts.port}{parts.path}",
        f"postgres://{role}:{secret}@127.0.0.1:{parts.port}{parts.path}?sslmode=disable",
        f"postgresql://{parts.path}?host=127.0.0.1&port={parts.port}&user={role}&password={secret}",
    ):
        schema.apply(url, MIGRATIONS, SOURCE_VIEW)
        assert len(schema.status(url, MIGRATIONS).migrations) > 10


def test_a_malformed_address_is_told_without_its_password() -> None:
    """Invariant 8."""
    for url in ("postgresql://ada:hunter2%zz@127.0.0.1/ax", "postgresql://ada:hunter2@127.0.0.1:port/ax"):
        with pytest.raises(DatabaseUnreachable) as error:
            apply(url)
        assert "hunter2" not in str(error.value)
        assert error.value.__cause__ is None or "hunter2" not in repr(error.value.__cause__)


@pytest.mark.parametrize("action", [apply, applied])
def test_an_unreachable_database_is_named(action: object) -> None:
    assert callable(action)
    with pytest.raises(DatabaseUnreachable, match=r"No connection to Postgres at 127\.0\.0\.1:1/ax"):
        action("postgresql://ada:hunter2@127.0.0.1:1/ax")


def test_an_unknown_database_is_named(empty: str) -> None:
    with pytest.raises(DatabaseUnreachable, match='database "nowhere" does not exist'):
        apply(empty.rsplit("/", 1)[0] + "/nowhere")


def test_a_database_that_does_not_keep_all_scripts_is_refused(server: Server) -> None:
    name = f"latin_{token_hex(4)}"
    with psycopg.connect(server.postgres.url_of("postgres"), autocommit=True) as connection:
        connection.execute(
            SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'").format(Identifier(name))
        )
        try:
            with pytest.raises(DatabaseFailed, match="keeps text as LATIN1"):
                apply(server.postgres.url_of(name))
        finally:
            connection.execute(SQL("DROP DATABASE {}").format(Identifier(name)))


def test_a_role_that_may_not_create_is_told_so(postgres: Server, empty: str) -> None:
    with pytest.raises(DatabaseFailed, match="may not create tables"):
        apply(as_role(empty, "reader"))


def test_a_role_that_does_not_own_the_tables_is_told_so(adopted: str) -> None:
    url = as_role(adopted, "stranger", "GRANT ALL ON SCHEMA public TO stranger")
    with psycopg.connect(adopted) as connection:
        connection.execute("GRANT CREATE ON DATABASE {} TO stranger".replace("{}", adopted.rsplit("/", 1)[1]))
    with pytest.raises(
        MigrationFailed, match=r"ax-0001-sessions failed: must be owner of table sessions.*owns the tables"
    ):
        apply(url)


def as_role(url: str, role: str, grant: str = "SELECT 1") -> str:
    """The URL with a role that was given nothing but `grant`."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            SQL(
                "DO $$ BEGIN CREATE ROLE {0} LOGIN PASSWORD 'x'; EXCEPTION WHEN duplicate_object THEN NULL; END $$"
            ).format(Identifier(role))
        )
        connection.execute(grant)
    parts = urlsplit(url)
    return f"postgresql://{role}:x@127.0.0.1:{parts.port}{parts.path}"


def test_folders_and_files_that_are_missing_are_named(empty: str, tmp_path: Path) -> None:
    with pytest.raises(MigrationsInvalid, match="There is no folder"):
        schema.apply(empty, [tmp_path / "nowhere"], SOURCE_VIEW)
    with pytest.raises(MigrationsInvalid, match=r"nowhere\.sql cannot be read"):
        schema.apply(empty, MIGRATIONS, tmp_path / "nowhere.sql")


def test_a_migration_that_cannot_be_read_stops_everything(empty: str, tmp_path: Path) -> None:
    """yoyo alone would skip it and go on with the next."""
    (tmp_path / "one.py").write_text("this is not Python")
    (tmp_path / "two.sql").write_text("CREATE TABLE two ();")
    with pytest.raises(MigrationsInvalid, match="one"):
        schema.apply(empty, [tmp_path], SOURCE_VIEW)
    with psycopg.connect(empty) as connection:
        assert connection.execute("SELECT to_regclass('two')").fetchone() == (None,)


def test_migrations_are_found_in_a_folder_with_an_odd_name(empty: str, tmp_path: Path) -> None:
    folder = tmp_path / "a [b] c*"
    folder.mkdir()
    (folder / "one.sql").write_text("CREATE SCHEMA clerk_migration; CREATE TABLE users ();")
    view = tmp_path / "view.sql"
    view.write_text("CREATE VIEW clerk_migration.source AS SELECT 1 AS id;")
    assert schema.apply(empty, [folder], view) == ["one"]
