"""What has expired is deleted, however much it is."""

import pytest

from tests.integration.bff.conftest import World
from tests.waiting import until

EXPIRED = 5
"""Rows of each table that are to go; more than are deleted at once."""
FILL = {
    "challenges": "INSERT INTO clerk_migration.challenges (id_hash, user_id, system, purpose, kind, delivery, methods, "
    "state_cipher, state_nonce, expires_at) SELECT $1::int::text::bytea, '', 'clerk', 'login', 'second_factor', 'cookie', "
    "'[]', '', '', now() - $2::text::interval",
    "devices": "INSERT INTO clerk_migration.devices (device_hash, user_id, proved, expires_at) "
    "SELECT $1::int::text::bytea, gen_random_uuid(), true, now() - $2::text::interval",
    "attempts": "INSERT INTO clerk_migration.attempts (key_hash, times, refused, updated_at) "
    "SELECT $1::int::text::bytea, '{}', false, now() - $2::text::interval",
    "spent_codes": "INSERT INTO clerk_migration.spent_codes (user_id, code_hash, expires_at) "
    "SELECT gen_random_uuid(), $1::int::text::bytea, now() - $2::text::interval",
    "security_events": "INSERT INTO clerk_migration.security_events (user_id, kind, at) "
    "SELECT gen_random_uuid(), 'totp_removed' || $1::int, now() - $2::text::interval",
    "changes": "INSERT INTO clerk_migration.changes (user_id, kind, subject, sign_out_others, look_at, shelved_at) "
    "SELECT gen_random_uuid(), 'totp_removed', $1::int::text, false, now(), now() - $2::text::interval",
}
"""Makes a row of a table that expired, or was last used, so long ago."""


@pytest.fixture
async def filled(world: World) -> World:
    """A world where each table has rows that expired long ago, and one that did not."""
    for statement in FILL.values():
        for number in range(EXPIRED):
            await world.connection.execute(statement, number, "100 days")
        await world.connection.execute(statement, EXPIRED, "-1 day")
    return world


async def count(world: World, table: str) -> int:
    return int(await world.connection.fetchval(f"SELECT count(*) FROM clerk_migration.{table}"))  # noqa: S608


async def one_is_left(world: World, table: str) -> None:
    """Wait until it is so."""

    async def so() -> bool:
        return await count(world, table) == 1

    await until(so)


async def test_what_has_expired_is_deleted_bit_by_bit_from_the_start_on(filled: World) -> None:
    await filled.bff({"bff.tidying.AT_ONCE": 2})
    for table in FILL:
        await one_is_left(filled, table)


async def test_what_fails_or_is_held_by_another_holds_up_nothing_else(filled: World) -> None:
    await filled.connection.execute("ALTER TABLE clerk_migration.challenges RENAME TO gone")
    async with filled.connection.transaction():
        await filled.connection.execute("SELECT FROM clerk_migration.devices WHERE proved LIMIT 1 FOR UPDATE")
        bff = await filled.bff()
        for table in ("attempts", "spent_codes", "security_events"):
            await one_is_left(filled, table)
        assert await count(filled, "devices") == 2
    assert "forget_expired_challenges" in bff.log.read_text()
    assert "forget_expired_devices" not in bff.log.read_text()
