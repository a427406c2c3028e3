"""What has expired is deleted."""

from tests.integration.legacy.conftest import LegacyWorld
from tests.waiting import until


async def test_codes_of_resets_that_nobody_used_are_deleted(world: LegacyWorld) -> None:
    user_id = await world.legacy()
    for ended in ("2 hours", "-10 minutes"):
        await world.connection.execute(
            "INSERT INTO password_reset_codes (user_id, code_hash, expires_at) "
            "VALUES ($1::text::uuid, 'hash', now() - $2::text::interval)",
            user_id,
            ended,
        )
    await world.bff()

    async def one_is_left() -> bool:
        return bool(await world.connection.fetchval("SELECT count(*) = 1 FROM password_reset_codes"))

    await until(one_is_left)
    assert await world.connection.fetchval("SELECT expires_at > now() FROM password_reset_codes")
