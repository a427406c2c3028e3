"""A users table of another shape is imported with two SQL files and no Python."""

from pathlib import Path

import asyncpg
import bcrypt
import pytest

from tests.integration.migration.conftest import AX_SOURCE, SECRET, World
from tests.postgres import Server
from toolkit import paths, schema
from toolkit.migration.ledger import Ledger
from toolkit.migration.links import Sent
from toolkit.migration.reading import SourceInvalid
from toolkit.migration.story import read_story
from toolkit.sandbox.seed import MIGRATIONS, SOURCE_VIEW

FILES = paths.ROOT / "tests" / "integration" / "sources"


@pytest.fixture
async def accounts(world: World, postgres: Server) -> World:
    """A world whose users are in the table `accounts`."""
    world.url = postgres.create_database(migrated=False)
    world.source = {
        "view": str(FILES / "accounts.sql"),
        "link": str(FILES / "accounts_link.sql"),
        "migrations": [str(paths.SQL / "expand" / "toolkit")],
    }
    source = world.environment.playbook.source
    await world.connection.close()
    world.connection = await asyncpg.connect(world.url)
    await world.connection.execute((FILES / "accounts_schema.sql").read_text())
    schema.apply(world.url, source.migrations, source.view)
    return world


async def test_integer_ids_bcrypt_digests_and_one_name_column(
    accounts: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = accounts
    monkeypatch.setattr("toolkit.migration.source.Source.BATCH", 50)
    digest = bcrypt.hashpw(b"her password", bcrypt.gensalt(4)).decode()
    for number in range(1, 121):  # more than two batches, so that the keyset goes by the integer id
        await world.connection.execute(
            "INSERT INTO accounts (login, confirmed, pw_hash, full_name) VALUES ($1, true, $2, $3)",
            f"user{number}@example.com",
            digest,
            "Ada King Lovelace",
        )

    ended = await world.run()

    assert ended.tally.as_json()["states"] == {"linked": 120}
    user = await world.clerk_user("100")
    assert user is not None
    assert (user.first_name, user.last_name) == ("Ada", "King Lovelace")
    assert await world.password_works("100", "her password")
    linked = await world.connection.fetchval("SELECT clerk_user_id FROM accounts WHERE account_no = 100")
    assert linked == user.id


async def test_backup_codes_arrive_plain_or_hashed_and_work_once(accounts: World) -> None:
    """Invariant 2."""
    hashed = bcrypt.hashpw(b"hash-5678", bcrypt.gensalt(4)).decode()
    await accounts.connection.execute(
        "INSERT INTO accounts (login, confirmed, otp_secret, recovery_codes) VALUES ('ada@example.com', true, $1, $2)",
        SECRET,
        ["plain-1234", hashed],
    )
    assert (await accounts.run()).tally.as_json()["states"] == {"linked": 1}
    user = await accounts.clerk_user("1")
    assert user is not None
    assert (user.totp_enabled, user.backup_code_enabled) == (True, True)
    async with accounts.clerk() as clerk:
        for code in ("plain-1234", "hash-5678"):
            assert [await clerk.verify_totp(user.id, code) for _ in range(2)] == [True, False]


async def test_a_backup_code_used_up_while_its_user_is_imported_does_not_work_in_clerk(
    accounts: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await accounts.connection.execute(
        "INSERT INTO accounts (login, confirmed, otp_secret, recovery_codes) "
        "VALUES ('ada@example.com', true, $1, '{used-1234,left-5678}')",
        SECRET,
    )
    link, uses = Ledger.link, iter(["{left-5678}", None])

    async def use_then_link(ledger: Ledger, sent: Sent) -> bool:
        left = next(uses)
        if left:
            await accounts.connection.execute(
                "UPDATE accounts SET recovery_codes = $1::text::varchar[]", left
            )
        return await link(ledger, sent)

    monkeypatch.setattr(Ledger, "link", use_then_link)
    await accounts.run()
    user = await accounts.clerk_user("1")
    assert user is not None
    assert await accounts.connection.fetchval("SELECT clerk_user_id FROM accounts") == user.id
    async with accounts.clerk() as clerk:
        assert not await clerk.verify_totp(user.id, "used-1234")
        assert await clerk.verify_totp(user.id, "left-5678")


async def test_backup_codes_that_the_instance_does_not_offer_hold_their_user(accounts: World) -> None:
    """Invariant 2: whoever lost the telephone would be locked out."""
    accounts.emulator.settings(backup_code=False)
    await accounts.connection.execute(
        "INSERT INTO accounts (login, otp_secret, recovery_codes) VALUES ('ada@example.com', $1, '{abcd1234}')",
        SECRET,
    )
    report = await accounts.preflight()
    assert [said.partition(",")[0] for said in report.misfits] == ["Backup codes are off"]
    await accounts.run()
    assert await accounts.ledger("1") == ("held", "backup_codes_not_offered")
    assert accounts.requests() == 0


async def test_backup_codes_of_another_type_are_named_before_anything_begins(
    world: World, tmp_path: Path
) -> None:
    view = tmp_path / "view.sql"
    view.write_text(
        SOURCE_VIEW.read_text().replace("    clerk_id\n", "    clerk_id,\n    ''::text AS backup_codes\n")
    )
    world.source = {**AX_SOURCE, "view": str(view)}
    schema.apply(world.url, MIGRATIONS, view)
    with pytest.raises(SourceInvalid, match=r"backup_codes: is text, must be text\[\]"):
        await world.run()


async def test_a_key_goes_to_clerk_as_postgres_writes_it(world: World, tmp_path: Path) -> None:
    """Invariant 1: Python would write some types differently, and nobody would be found again."""
    view, link = tmp_path / "view.sql", tmp_path / "link.sql"
    view.write_text(SOURCE_VIEW.read_text().replace("    id,\n", "    id::text::bytea AS id,\n"))
    link.write_text(
        (paths.SQL / "sources" / "ax_link.sql")
        .read_text()
        .replace("sent.id::uuid", "convert_from(sent.id::bytea, 'utf8')::uuid")
        .replace("RETURNING u.id::text AS id", "RETURNING u.id::text::bytea::text AS id")
    )
    world.source = {**AX_SOURCE, "view": str(view), "link": str(link)}
    user_id = await world.add()
    schema.apply(world.url, MIGRATIONS, view)
    ended = await world.run()
    assert ended.tally.as_json()["states"] == {"linked": 1}
    assert await world.clerk_user("\\x" + user_id.encode().hex()) is not None


@pytest.mark.parametrize(
    "query",
    [
        "-- name: link\nUPDATE nowhere SET clerk_id = 'x' RETURNING 'x' AS id;",
        "-- name: link\nSELECT :no_such_parameter::text AS id;",
        "-- name: link!\nUPDATE users SET clerk_id = NULL WHERE false;",
        "-- name: connect\nSELECT 'x' AS id;",
    ],
)
async def test_a_write_back_that_cannot_work_is_found_before_anybody_is_sent(
    world: World, tmp_path: Path, query: str
) -> None:
    await world.add()
    link = tmp_path / "broken_link.sql"
    link.write_text(query)
    world.source = {**AX_SOURCE, "link": str(link)}
    for work in (world.preflight, world.run):
        with pytest.raises(SourceInvalid, match=r"broken_link\.sql"):
            await work()
    assert world.emulator.stats()["users"] == 0


@pytest.mark.parametrize(
    ("column", "code"),
    [
        ("enabled_2fa AS second_factor", "second_factor_missing"),
        ("disabled_at IS NOT NULL AS disabled", "disabled"),
    ],
)
async def test_a_flag_that_is_null_counts_as_set(
    world: World, tmp_path: Path, column: str, code: str
) -> None:
    """Invariant 2: a view that cannot tell must not make a user reachable by password alone, nor let one back in."""
    view, name = tmp_path / "view.sql", column.rpartition(" ")[2]
    told = SOURCE_VIEW.read_text()
    assert column in told
    view.write_text(told.replace(column, f"NULL::boolean AS {name}"))
    world.source = {**AX_SOURCE, "view": str(view)}
    world.settings["disabled_users"] = "hold"
    user_id = await world.add()
    schema.apply(world.url, MIGRATIONS, view)
    await world.run()
    assert await world.ledger(user_id) == ("held", code)
    assert world.emulator.stats()["users"] == 0


async def test_a_users_story_is_told_of_any_table(accounts: World) -> None:
    await accounts.connection.execute(
        "INSERT INTO accounts (login, confirmed, full_name) VALUES ('ada@example.com', true, 'Ada King Lovelace')"
    )
    await accounts.run()
    story = await read_story(accounts.environment, "1")
    assert story == await read_story(accounts.environment, "Ada@example.com")
    assert story.row is not None
    assert story.clerk is not None
    assert (story.row.last_name, story.row.clerk_id) == ("King Lovelace", story.clerk.id)
    assert (story.logins, story.events) == (None, [])
