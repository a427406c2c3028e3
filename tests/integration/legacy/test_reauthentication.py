"""Proving once more who one is, as AX checks it."""

from tests.integration.bff.test_reauthentication import (
    test_a_challenge_is_finished_in_its_own_session_alone,
    test_a_login_is_recent_proof_for_ten_minutes,
    test_the_second_factor_is_asked_for_too,
    test_whoever_took_a_session_does_not_get_to_try_passwords,
)
from tests.integration.legacy.conftest import LegacyWorld

__all__ = [
    "test_a_challenge_is_finished_in_its_own_session_alone",
    "test_a_login_is_recent_proof_for_ten_minutes",
    "test_the_second_factor_is_asked_for_too",
    "test_whoever_took_a_session_does_not_get_to_try_passwords",
]


async def test_a_user_who_was_moved_meanwhile_proves_it_to_clerk(world: LegacyWorld) -> None:
    """Invariant 3."""
    email, bff = await world.add(), await world.bff()
    token = await bff.token(email)
    await world.connection.execute("UPDATE users SET clerk_id = 'user_1'")
    await world.age_proofs()
    assert (await bff.reauthenticate(token)).code == "fields_invalid"
    assert await bff.signed_in(token)
