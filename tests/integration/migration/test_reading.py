"""Preflight reads: SELECT on the users table is all it needs, before `migrate`, on a standby, with a role that may not write."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from secrets import token_hex
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from tests.integration.migration.conftest import AX_SOURCE, CHEAP, World
from tests.integration.migration.test_sources import FILES
from tests.postgres import Server
from toolkit import paths
from toolkit.clerk.addresses import normal_address
from toolkit.database import RowsHidden
from toolkit.migration import strangers
from toolkit.migration.reading import SourceInvalid
from toolkit.migration.source import Source

BASELINE = paths.SQL / "baseline" / "baseline-0001-tables.sql"


@pytest.fixture
async def unmigrated(world: World, postgres: Server) -> World:
    """AX's tables as they are before anything is added, and Clerk."""
    world.url = postgres.create_database(migrated=False)
    await world.connection.close()
    world.connection = await asyncpg.connect(world.url)
    await world.connection.execute(BASELINE.read_text())
    return world


@pytest.fixture
async def as_reader(world: World) -> AsyncIterator[World]:
    """A world that is reached as a role that may read `users` and nothing else."""
    role = f"reader_{token_hex(4)}"
    await world.connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'reading'")
    parts = urlsplit(world.url)
    yield World(
        urlunsplit(parts._replace(netloc=f"{role}:reading@{parts.hostname}:{parts.port}")),
        world.connection,
        world.emulator,
    )
    await world.connection.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


def role_of(world: World) -> str:
    return str(urlsplit(world.url).username)


async def add_some(world: World) -> str:
    """Three users who can go over, two with one address, and one without a form of it; the last one's id."""
    for email in (
        "ada@example.com",
        "bob@example.com",
        "Cy@Example.com",
        "twin@example.com",
        "TWIN@example.com ",
    ):
        await world.add(email)
    return await world.add("broken")


async def test_before_migrate_a_role_that_may_only_read_gets_the_account_of_the_import(
    unmigrated: World, as_reader: World
) -> None:
    broken = await add_some(unmigrated)
    await unmigrated.connection.execute(f"GRANT SELECT ON users TO {role_of(as_reader)}")
    found = await as_reader.preflight()
    assert (found.is_migrated, found.count.total, found.count.linked) == (False, 6, 0)
    assert (found.survey.importable, as_reader.staying[broken]) == (3, ("refused", "email_invalid"))
    assert sorted(str(code) for _, code in as_reader.staying.values()) == [
        *2 * ["email_duplicate"],
        "email_invalid",
    ]
    only = await as_reader.preflight(emails=("CY@example.com",))
    assert (only.count.total, only.survey.importable) == (1, 1)


async def test_after_migrate_too(world: World, as_reader: World) -> None:
    """Neither the installed view nor the rule for addresses is for this role."""
    broken = await add_some(world)
    await world.connection.execute(f"GRANT SELECT ON users TO {role_of(as_reader)}")
    found = await as_reader.preflight()
    assert (found.is_migrated, found.survey.importable) == (False, 3)
    told = as_reader.staying
    installed = await world.preflight()
    assert (installed.is_migrated, world.staying) == (True, told)
    assert broken in told


async def test_a_database_that_takes_no_writes_will_do(world: World) -> None:
    """As a standby's."""
    await add_some(world)
    name = urlsplit(world.url).path[1:]
    await world.connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    found = await world.preflight()
    assert (found.is_migrated, found.survey.importable, found.survey.staying) == (True, 3, 3)
    assert "was not tried: this role or this server may not write" in " ".join(found.cautions)
    assert (await world.preflight(emails=("ada@example.com",))).survey.importable == 1


async def test_addresses_that_cannot_be_compared_before_migrate_are_told(unmigrated: World) -> None:
    await unmigrated.add("åsa@example.com")
    await unmigrated.add("bob@xn--bcher-kva.example.com")
    [said, *_] = (await unmigrated.preflight()).cautions
    assert said.startswith("2 addresses have letters beyond ASCII, or a domain in punycode.")
    assert (await unmigrated.preflight(emails=("åSA@example.com",))).count.total == 1


async def test_where_nothing_is_installed_plain_addresses_are_compared_by_the_same_rule(
    unmigrated: World,
) -> None:
    """All letters of ASCII that an address may have, with blanks around it."""
    letters = "".join(map(chr, range(33, 127)))
    await unmigrated.connection.execute(
        "INSERT INTO users (email, hashed_password) VALUES ($1, '')", f"\t {letters} \n"
    )
    record = await unmigrated.connection.fetchrow("SELECT btrim(translate($1, 'A', 'a')) AS unused", letters)
    assert record is not None
    found = await unmigrated.preflight(emails=(normal_address(letters),))
    assert found.count.total == 1


async def test_a_column_for_clerks_id_that_is_not_there_yet_is_nobodys(
    world: World, postgres: Server
) -> None:
    """Also by another name, with the table's before it."""
    world.url = postgres.create_database(migrated=False)
    view = FILES / "accounts.sql"
    world.source = {
        "view": str(view),
        "link": str(FILES / "accounts_link.sql"),
        "migrations": [str(paths.SQL / "expand" / "toolkit")],
    }
    await world.connection.close()
    world.connection = await asyncpg.connect(world.url)
    await world.connection.execute((FILES / "accounts_schema.sql").read_text())
    await world.connection.execute("ALTER TABLE accounts DROP COLUMN clerk_user_id")
    await world.connection.execute("INSERT INTO accounts (login, confirmed) VALUES ('ada@example.com', true)")
    assert (await world.preflight()).survey.importable == 1
    await world.connection.execute("ALTER TABLE accounts DROP COLUMN confirmed")
    with pytest.raises(
        SourceInvalid, match=r'accounts\.sql does not work on this database: column "confirmed"'
    ):
        await world.preflight()


async def test_rows_that_are_hidden_from_the_role_are_an_error(world: World, as_reader: World) -> None:
    """They would read as nobody, and nothing in the way."""
    await world.add_many(3)
    await world.connection.execute(f"GRANT SELECT ON users TO {role_of(as_reader)}")
    await world.connection.execute("ALTER TABLE users ENABLE ROW LEVEL SECURITY")
    with pytest.raises(RowsHidden, match="BYPASSRLS"):
        await as_reader.preflight()
    await world.connection.execute(f"ALTER ROLE {role_of(as_reader)} BYPASSRLS")
    assert (await as_reader.preflight()).survey.importable == 3


@pytest.mark.parametrize("listed", [strangers.LISTED, 0], ids=["listed", "asked"])
async def test_who_is_in_the_way_is_found_either_way(
    world: World, monkeypatch: pytest.MonkeyPatch, listed: int
) -> None:
    monkeypatch.setattr(strangers, "LISTED", listed)
    monkeypatch.setattr(strangers, "ASKED", 2)
    taken, namesake, *_ = await world.add_many(7)
    async with world.clerk() as clerk:
        await clerk.create_user(email_address="USER1@example.com", password="a stranger's password")
        await clerk.create_user(
            email_address="else@example.com", external_id=namesake, password="a stranger's password"
        )
        await clerk.create_user(
            email_address="nobody@example.com", external_id="nobody", password="a stranger's password"
        )
    found = await world.preflight()
    emails = {r["id"]: r["email"] for r in await world.connection.fetch("SELECT id::text, email FROM users")}
    holder = next(user_id for user_id, email in emails.items() if email == "user1@example.com")
    expected = {holder: ("conflict", "email_taken"), namesake: ("conflict", "external_id_taken")}
    assert taken
    assert world.staying == expected
    assert (found.survey.importable, found.survey.verified) == (7 - len(expected), 7 - len(expected))


async def test_one_address_of_many_costs_two_requests_about_users(world: World) -> None:
    await world.add_many(30)
    async with world.clerk() as clerk:
        for number in range(5):
            await clerk.create_user(
                email_address=f"user{number}@example.com", password="a stranger's password"
            )
    before = world.requests("GET /v1/users")
    found = await world.preflight(emails=("user3@example.com",))
    assert world.requests("GET /v1/users") - before <= 2
    assert world.staying != {}
    assert (found.count.total, found.survey.examined) == (1, 1)


async def test_a_survey_reads_a_few_rows_at_a_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Source, "BATCH", 10)
    await world.connection.execute(
        "INSERT INTO users (email, hashed_password) SELECT 'user' || n, $1 FROM generate_series(1, 25) AS n",
        CHEAP.hash("x"),
    )
    found = await world.preflight()
    assert (found.survey.examined, found.survey.staying, len(world.staying)) == (25, 25, 25)


async def test_the_link_is_rehearsed_and_taken_back(world: World) -> None:
    await world.add_many(7)
    assert (await world.preflight()).misfits == []
    assert await world.connection.fetchval("SELECT count(clerk_id) FROM users") == 0


async def test_a_link_query_that_finds_nobody_is_told_before_anybody_is_sent(
    world: World, tmp_path: Path
) -> None:
    link = tmp_path / "link.sql"
    link.write_text(
        (paths.SQL / "sources" / "ax_link.sql")
        .read_text()
        .replace("IS NOT DISTINCT FROM sent.digest", "= 'x'")
    )
    world.source = {**AX_SOURCE, "link": str(link)}
    await world.add_many(7)
    found = await world.preflight()
    assert found.blocked
    [said] = found.misfits
    assert said.startswith(f"The link query in {link} linked 0 of 5 users")


async def test_what_the_table_has_against_the_link_is_told_before_anybody_is_sent(world: World) -> None:
    await world.connection.execute("ALTER TABLE users ADD CHECK (clerk_id LIKE 'u-%') NOT VALID")
    await world.add_many(2)
    [said] = (await world.preflight()).misfits
    assert "users_clerk_id_check" in said


async def test_a_row_that_is_locked_for_a_moment_is_no_fault_of_the_link(world: World) -> None:
    await world.add_many(3)
    other = await asyncpg.connect(world.url)
    transaction = other.transaction()
    await transaction.start()
    await other.execute("SELECT FROM users FOR UPDATE")
    asyncio.get_running_loop().call_later(0.3, lambda: asyncio.ensure_future(transaction.rollback()))
    assert (await world.preflight()).misfits == []
    await other.close()
