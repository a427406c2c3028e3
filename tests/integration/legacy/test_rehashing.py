"""Digests that are weaker than the policy are hashed anew when their password was right."""

import pytest
from argon2 import PasswordHasher, extract_parameters

from tests.integration.bff.conftest import PASSWORD, code_now
from tests.integration.legacy.conftest import CHEAP, LegacyWorld
from tests.waiting import until

WEAK = PasswordHasher(time_cost=1, memory_cost=32, parallelism=1)
POLICY = extract_parameters(CHEAP.hash(""))


async def digest(world: LegacyWorld) -> str:
    return str(await world.connection.fetchval("SELECT hashed_password FROM users"))


async def is_hashed_anew(world: LegacyWorld) -> bool:
    return extract_parameters(await digest(world)) == POLICY


async def test_a_weak_digest_is_hashed_anew_at_the_next_login(world: LegacyWorld) -> None:
    weak = WEAK.hash(PASSWORD)
    await world.legacy(hashed_password=weak)
    bff = await world.bff()
    assert (await bff.login("legacy@example.com", "wrong")).status == 401
    assert (await bff.login("legacy@example.com")).status == 200
    await until(lambda: is_hashed_anew(world))
    assert CHEAP.verify(strong := await digest(world), PASSWORD)
    assert (await bff.login("legacy@example.com", "wrong")).status == 401
    assert (await bff.login("legacy@example.com")).status == 200
    bff.stop()
    assert await digest(world) == strong, "a strong one stays"


async def test_a_wrong_password_does_not_touch_a_digest(world: LegacyWorld) -> None:
    await world.legacy(hashed_password=(weak := WEAK.hash(PASSWORD)))
    bff = await world.bff()
    assert (await bff.login("legacy@example.com", "wrong")).status == 401
    bff.stop()
    assert await digest(world) == weak


async def test_a_login_goes_on_whose_digest_is_hashed_anew_between_the_steps(world: LegacyWorld) -> None:
    await world.legacy(hashed_password=WEAK.hash(PASSWORD), totp=True)
    bff = await world.bff()
    challenge = (await bff.login("legacy@example.com")).content["challenge"]["id"]
    await until(lambda: is_hashed_anew(world))
    assert (await bff.finish(challenge, code_now())).status == 200


@pytest.mark.parametrize("totp", [False, True])
async def test_a_new_password_is_not_taken_for_the_old_one_hashed_anew(
    world: LegacyWorld, totp: bool
) -> None:
    """Invariant 4."""
    await world.legacy(hashed_password=WEAK.hash(PASSWORD), totp=totp)
    bff = await world.bff()
    reply = await bff.login("legacy@example.com")
    await until(lambda: is_hashed_anew(world))
    await world.connection.execute("UPDATE users SET hashed_password = $1", CHEAP.hash("a newer password"))
    assert (await bff.login("legacy@example.com")).status == 401
    if totp:
        challenge = reply.content["challenge"]["id"]
        assert (await bff.finish(challenge, code_now())).code == "challenge_expired"


async def test_a_login_waits_for_no_digest_and_does_not_fail_with_one(world: LegacyWorld) -> None:
    weak = WEAK.hash(PASSWORD)
    await world.legacy(hashed_password=weak)
    await world.connection.execute(
        """
        CREATE FUNCTION held() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM pg_advisory_xact_lock(1);
            RETURN NULL;
        END $$;
        CREATE TRIGGER held BEFORE UPDATE OF hashed_password ON users EXECUTE FUNCTION held();
        SELECT pg_advisory_lock(1);
        """
    )
    bff = await world.bff()
    assert (await bff.login("legacy@example.com")).status == 200
    await until(lambda: "a digest was not hashed anew" in bff.log.read_text())
    assert await digest(world) == weak
    assert PASSWORD not in bff.log.read_text()
    await world.connection.execute("SELECT pg_advisory_unlock(1)")
    assert (await bff.login("legacy@example.com")).status == 200
    await until(lambda: is_hashed_anew(world))
