"""The application at work on the same rows, and Clerk users that something else made."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pyotp
import pytest

from tests.integration.migration.conftest import AX_SOURCE, SECRET, World
from tests.postgres import Server
from tests.waiting import SECONDS, until
from toolkit import database, paths
from toolkit.clerk import FrontendClient
from toolkit.database import ANYBODYS, DatabaseUnreachable, queries
from toolkit.migration.importer import Importer, ImportStopped
from toolkit.migration.ledger import Ledger, TakenOver
from toolkit.migration.links import Links, Sent
from toolkit.migration.run import CopiedDatabase, begin
from toolkit.migration.source import Cohort, Source

WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


@asynccontextmanager
async def another(world: World) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(world.url)
    try:
        yield connection
    finally:
        await connection.close()


@pytest.mark.parametrize(
    "change",
    ["hashed_password = 'newest'", "enabled_2fa = true", "totp_cipher = '\\x01', nonce = '\\x02'"],
)
async def test_a_change_that_waits_for_the_link_is_refused(world: World, change: str) -> None:
    """Invariants 2 and 4: nobody looks at it in the row any more."""
    user_id = await world.add()
    async with another(world) as application, world.connection.transaction():
        await world.connection.execute("UPDATE users SET clerk_id = 'user_1'")
        late = asyncio.create_task(application.execute(f"UPDATE users SET {change}"))  # noqa: S608
        await until(lambda: world.connection.fetchval(WAITING))
        await world.connection.execute("COMMIT; BEGIN")
        with pytest.raises(asyncpg.PostgresError, match=f"user {user_id} is in Clerk"):
            await late


async def test_what_takes_legacy_credentials_away_is_not_refused(world: World) -> None:
    await world.add(enabled_2fa=True, totp_cipher=b"x", nonce=b"y")
    await world.connection.execute("UPDATE users SET clerk_id = 'user_1'")
    await world.connection.execute(
        "UPDATE users SET hashed_password = NULL, enabled_2fa = false, totp_cipher = NULL, nonce = NULL"
    )
    await world.connection.execute("UPDATE users SET clerk_id = NULL, hashed_password = 'back'")


async def test_a_locked_row_holds_up_neither_the_others_nor_the_application(world: World) -> None:
    ids = await world.add_many(30)
    async with another(world) as application, application.transaction():
        await application.execute("UPDATE users SET updated_at = now() WHERE id::text = $1", ids[-1])
        ended = await world.run()
        assert ended.tally.as_json()["states"] == {"linked": 29, "failed": 1}
        await application.execute("UPDATE users SET updated_at = now()")  # waits for nobody
    assert (await world.run()).tally.as_json()["states"] == {"linked": 1}


async def test_a_row_that_is_locked_for_a_moment_is_waited_for(world: World) -> None:
    user_id = await world.add()
    async with another(world) as application:
        transaction = application.transaction()
        await transaction.start()
        await application.execute("UPDATE users SET updated_at = now()")
        importing = asyncio.create_task(world.run())
        await asyncio.sleep(0.7)
        await transaction.commit()
        await importing
    assert await world.clerk_id(user_id) is not None
    assert world.requests("PATCH /v1/users/{user_id}") == 0


async def test_a_row_that_the_table_refuses_leaves_the_others_alone_and_shows_no_digest(world: World) -> None:
    """Invariant 8: Postgres quotes the whole row."""
    poison = await world.add("poison@example.com", first_name="x" * 60)
    await world.add_many(5)
    await world.connection.execute("ALTER TABLE users ADD CHECK (length(first_name) < 50) NOT VALID")
    ended = await world.run()
    assert ended.tally.as_json()["states"] == {"linked": 5, "refused": 1}
    assert await world.ledger(poison) == ("refused", "link_refused")
    assert await world.clerk_user(poison) is None, "reachable by a password that nobody looks after"


async def test_another_database_with_the_same_ids_takes_nobody_over(world: World, postgres: Server) -> None:
    """Invariants 1 and 10."""
    user_id = await world.add("ada@example.com", "her password")
    await world.run()
    world.url = postgres.create_database()
    await world.connection.close()
    world.connection = await asyncpg.connect(world.url)
    await world.connection.execute("UPDATE clerk_migration.origin SET id = DEFAULT")  # tests share a template
    for address in ("mallory@example.com", "ada@example.com"):
        await world.add(address, "another password", id=user_id)
        assert [why.code for why in (await world.preflight()).survey.reasons] == ["external_id_taken"]
        await world.run()
        assert await world.ledger(user_id) == ("conflict", "external_id_taken")
        assert await world.password_works(user_id, "her password")
        await world.connection.execute("DELETE FROM users")


async def test_a_clerk_user_with_a_second_factor_of_its_own_is_left_alone(world: World) -> None:
    """Invariant 2."""
    user_id = await world.add("ada@example.com")
    async with world.clerk() as clerk:
        made = await clerk.create_user(
            external_id=user_id,
            email_address="ada@example.com",
            password="her Clerk password",
            totp_secret=SECRET,
        )
        assert [why.code for why in (await world.preflight()).survey.reasons] == ["clerk_user_in_use"]
        await world.run()
        assert await world.ledger(user_id) == ("conflict", "clerk_user_in_use")
        assert await clerk.verify_password(made.id, "her Clerk password")
        assert await clerk.verify_totp(made.id, pyotp.TOTP(SECRET).now())


async def test_a_clerk_user_linked_to_another_row_keeps_its_password(world: World) -> None:
    """Invariant 1."""
    user_id = await world.add("ada@example.com", "the row's")
    async with world.clerk() as clerk:
        made = await clerk.create_user(
            external_id=user_id, email_address="ada@example.com", password="the Clerk user's"
        )
        await world.add("other@example.com", clerk_id=made.id)
        await world.run()
        assert await clerk.verify_password(made.id, "the Clerk user's")
    assert await world.ledger(user_id) == ("conflict", "clerk_id_taken")


async def test_a_clerk_user_that_something_else_made_is_not_removed(world: World) -> None:
    user_id = await world.add("ada@example.com")
    async with world.clerk() as clerk:
        made = await clerk.create_user(
            external_id=user_id, email_address="ada@example.com", password="her Clerk password"
        )
        world.emulator.settings(latency_ms=300)
        importing = asyncio.create_task(world.run())
        async with asyncio.timeout(SECONDS):
            while not world.requests("PATCH /v1/users/{user_id}"):
                await world.connection.execute("UPDATE users SET updated_at = now()")
                await asyncio.sleep(0.02)
                if world.requests("GET /v1/users"):
                    await world.connection.execute("UPDATE users SET enabled_2fa = true")
        await importing
        world.emulator.settings(latency_ms=0)
        assert (await clerk.get_user(made.id)).id == made.id
    assert await world.ledger(user_id) == ("held", "second_factor_missing")


@pytest.mark.parametrize(
    ("change", "cohort"),
    [
        ("enabled_2fa = true", "without"),
        ("disabled_at = now()", None),
        ("hashed_password = 'malformed'", None),
    ],
)
async def test_what_a_killed_run_left_in_clerk_is_withdrawn_by_the_next(
    world: World, change: str, cohort: str | None
) -> None:
    """Invariants 2 and 4: whoever the next run is about, and whatever became of the row."""
    world.settings = {"disabled_users": "hold", "cohorts": {"without": "NOT second_factor"}}
    user_id = await world.add()
    await world.run()
    await world.connection.execute("UPDATE users SET clerk_id = NULL")
    await world.connection.execute(
        "INSERT INTO clerk_migration.sending SELECT $1, max(id) FROM clerk_migration.runs", user_id
    )
    await world.connection.execute(f"UPDATE users SET {change}")  # noqa: S608
    await world.add("another@example.com")
    await world.run(cohort=cohort)
    assert await world.clerk_user(user_id) is None
    assert await world.connection.fetchval("SELECT count(*) FROM clerk_migration.sending") == 0


async def test_the_account_of_a_user_deleted_after_a_lost_answer_is_free_again(world: World) -> None:
    user_id = await world.add("ada@example.com")
    world.emulator.add_fault({"match": {"method": "POST", "path": "/v1/users"}, "times": 9, "drop": "after"})
    importing = asyncio.create_task(world.run())
    await until(lambda: asyncio.to_thread(lambda: world.emulator.stats()["users"]))
    importing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await importing
    world.emulator.clear_faults()
    await world.connection.execute("DELETE FROM users")
    again = await world.add("ada@example.com")
    await world.run()
    assert user_id != again
    assert await world.ledger(again) == ("linked", None)


async def test_an_import_that_lost_its_claim_stops(world: World) -> None:
    await world.add_many(300)
    importing = asyncio.create_task(world.run(rate=100))
    await until(lambda: asyncio.to_thread(lambda: world.requests() >= 20))
    await world.connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    with pytest.raises(DatabaseUnreachable, match="lost, so the import stopped"):
        await importing
    assert world.requests() < 200
    await world.run()
    assert await world.connection.fetchval("SELECT count(clerk_id) FROM users") == 300
    assert world.emulator.stats()["users"] == 300


async def test_a_leftover_that_somebody_signed_in_to_stays(world: World) -> None:
    """Invariant 4: what it has may be newer. The row lost its link, as by a restored backup."""
    user_id = await world.add()
    await world.run()
    found = await world.clerk_user(user_id)
    assert found is not None
    async with world.clerk() as clerk, FrontendClient(world.environment.clerk) as frontend:
        token = await clerk.create_sign_in_token(found.id)
        await frontend.device(None, address=None).create_sign_in_with_ticket(token.token or "")
    await world.connection.execute("UPDATE users SET clerk_id = NULL")
    ended = await world.run()
    assert [why.code for why in ended.tally.reasons] == ["clerk_user_in_use"]
    again = await world.clerk_user(user_id)
    assert again is not None
    assert again.id == found.id


async def test_a_stranger_that_was_written_over_keeps_no_password_of_a_row_that_is_held(world: World) -> None:
    """Invariant 2: the run that wrote it over was killed, and the row has a second factor since."""
    user_id = await world.add("ada@example.com")
    async with world.clerk() as clerk:
        stranger = await clerk.create_user(
            external_id=user_id, email_address="ada@example.com", password="a stranger's password"
        )
    await world.run()
    assert await world.clerk_id(user_id) == stranger.id
    await world.connection.execute("UPDATE users SET clerk_id = NULL")
    await world.connection.execute("UPDATE users SET enabled_2fa = true")
    await world.connection.execute(
        "INSERT INTO clerk_migration.sending SELECT $1, max(id) FROM clerk_migration.runs", user_id
    )
    await world.run()
    found = await world.clerk_user(user_id)
    assert found is not None
    assert not found.password_enabled
    assert found.id == stranger.id


async def test_a_run_that_was_taken_over_links_nobody_any_more(world: World) -> None:
    """The later run removes the Clerk users that the earlier one made: a link would lead nowhere."""
    user_id = await world.add()
    earlier = await begin(world.connection, "test", {})
    source = await Source.open(world.connection, Cohort())
    await source.find_duplicates()
    users = [user async for batch in source.batches() for user in batch]
    links = Links(paths.ROOT / str(AX_SOURCE["link"]))
    async with database.pool(world.url, 1, ANYBODYS) as pool:
        ledger = Ledger(pool, links, earlier)
        await ledger.begin(users)
        later = await begin(world.connection, "test", {})
        await queries.take_over_sending(world.connection, run_id=later)

        async def link() -> None:
            async with ledger:
                await ledger.link(Sent(users[0], "user_gone"))

        with pytest.raises(TakenOver):
            await link()
    assert await world.clerk_id(user_id) is None


async def test_a_create_that_arrives_late_is_asked_for_again(world: World) -> None:
    """Invariants 2 and 7: it was sent by a killed run, and the row is held since."""
    world.settings = {"disabled_users": "hold"}
    user_id = await world.add()
    await world.run()
    async with world.clerk() as clerk:
        found = await world.clerk_user(user_id)
        assert found is not None
        await clerk.delete_user(found.id)
    await world.connection.execute("UPDATE users SET clerk_id = NULL, disabled_at = now()")
    noted = "INSERT INTO clerk_migration.sending SELECT $1, max(id) FROM clerk_migration.runs"
    await world.connection.execute(noted, user_id)
    await world.run()  # it is not there yet
    async with world.clerk() as clerk:
        origin = await queries.origin(world.connection)
        await clerk.create_user(
            external_id=user_id,
            email_address="late@example.com",
            password="her long password",
            private_metadata={"migration_database": origin},
        )
    await world.run()
    assert await world.clerk_user(user_id) is None
    await world.connection.execute(noted, user_id)
    await world.connection.execute("UPDATE clerk_migration.sending SET noted_at = now() - interval '1 hour'")
    await world.run()
    assert await world.connection.fetchval("SELECT count(*) FROM clerk_migration.sending") == 0


async def test_a_copy_of_a_database_is_not_imported(world: World) -> None:
    await world.add()
    await world.connection.execute("UPDATE clerk_migration.origin SET database = '1/2/elsewhere'")
    with pytest.raises(CopiedDatabase, match=re.escape("clerk_migration.this_database()")):
        await world.run()
    assert world.requests() == 0
    await world.connection.execute(
        "UPDATE clerk_migration.origin SET database = clerk_migration.this_database()"
    )
    assert (await world.run()).tally.as_json()["states"] == {"linked": 1}


async def test_a_long_stretch_that_clerk_refuses_alike_stops_the_import_and_a_cohort_goes_past_it(
    world: World,
) -> None:
    """Also where Clerk's error names a value of the user's."""
    await world.add_many(Importer.ALIKE + 150)
    await world.connection.execute("UPDATE users SET first_name = repeat('x', 300)")
    await world.add("good@example.com", id="ffffffff-ffff-4fff-bfff-ffffffffffff")
    with pytest.raises(ImportStopped, match=f"{Importer.ALIKE} users in a row .* because of first_name"):
        await world.run()
    assert world.requests() < Importer.ALIKE + 100
    world.settings["cohorts"] = {"good": "first_name IS NULL"}
    assert (await world.run(cohort="good")).tally.as_json()["states"] == {"linked": 1}


async def test_a_trigger_of_the_owners_that_refuses_one_row_stops_nobody_else(world: World) -> None:
    await world.add_many(5)
    bad = await world.add("bad@example.com")
    await world.connection.execute(
        """
        CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.email = 'bad@example.com' THEN
                RAISE EXCEPTION 'no' USING ERRCODE = 'ZX001';
            END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER no BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION no();
        """
    )
    await world.run()
    assert await world.ledger(bad) == ("refused", "link_refused")
    assert await world.connection.fetchval("SELECT count(clerk_id) FROM users") == 5
    assert world.emulator.stats()["users"] == 5


async def test_clerk_out_at_the_very_end_does_not_hide_what_was_done(world: World) -> None:
    await world.add_many(3)
    await world.connection.execute(
        """
        CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'no' USING ERRCODE = 'ZX001';
        END $$;
        CREATE TRIGGER no BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION no();
        """
    )
    world.emulator.add_fault(
        {"match": {"method": "DELETE", "path": "/v1/users/*"}, "times": 1000, "status": 403}
    )
    ended = await world.run()
    world.emulator.clear_faults()
    assert ended.tally.users == 3
    assert ended.leftovers is not None
    assert "403" in ended.leftovers
    await world.connection.execute("DROP TRIGGER no ON users")
    assert (await world.run()).leftovers is None
    assert world.emulator.stats()["users"] == 3


async def test_refusals_of_everybody_stop_the_import(world: World) -> None:
    await world.add_many(Importer.ALIKE + 150)
    world.emulator.add_fault({"match": {"method": "POST", "path": "/v1/users"}, "times": 1000, "status": 403})
    with pytest.raises(Exception, match="100 users in a row"):
        await world.run()
    assert world.requests() < Importer.ALIKE + 100


async def test_a_moment_that_no_calendar_has_stops_nobody(world: World) -> None:
    await world.add("old@example.com")
    await world.connection.execute("UPDATE users SET created_at = '0044-03-15 BC'")
    await world.connection.execute(
        "INSERT INTO users (email, created_at) VALUES ('b@example.com', 'infinity')"
    )
    assert (await world.run()).tally.as_json()["states"] == {"linked": 2}
