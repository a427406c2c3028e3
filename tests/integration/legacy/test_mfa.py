"""AX's own second factor, on the same routes."""

import pyotp
import pytest

from tests.integration.bff.test_mfa import (
    Owner,
    test_an_authenticator_is_set_up_used_and_removed,
    test_an_enrolment_is_finished_in_the_session_that_it_began_in,
    test_codes_of_an_enrolment_are_few,
    test_other_sessions_end_if_one_asks_for_it,
    test_the_owner_is_told_by_mail,
    test_what_is_to_be_scanned_is_what_is_to_be_typed,
    test_who_proved_a_password_alone_does_not_turn_the_factor_off,
)
from tests.integration.legacy.conftest import LegacyWorld

__all__ = [
    "test_an_authenticator_is_set_up_used_and_removed",
    "test_an_enrolment_is_finished_in_the_session_that_it_began_in",
    "test_codes_of_an_enrolment_are_few",
    "test_other_sessions_end_if_one_asks_for_it",
    "test_the_owner_is_told_by_mail",
    "test_what_is_to_be_scanned_is_what_is_to_be_typed",
    "test_who_proved_a_password_alone_does_not_turn_the_factor_off",
]


@pytest.fixture
async def owner(world: LegacyWorld) -> Owner:
    email, bff = await world.add(), await world.bff()
    return Owner(world, bff, await bff.token(email))


async def test_the_code_that_turned_it_on_does_not_log_in(owner: Owner) -> None:
    """A code works once."""
    enrolment_id, authenticator = await owner.begin_totp()
    code = authenticator.now()
    await owner.finish(enrolment_id, code)
    challenge = (await owner.bff.login("somebody@example.com")).content["challenge"]["id"]
    assert (await owner.bff.finish(challenge, code)).code == "code_invalid"


async def test_ax_has_no_numbers_and_no_backup_codes(owner: Owner) -> None:
    offered = (await owner.enrolled())["offered"]
    assert offered == {"totp": True, "backup_code": False, "sms": False}
    assert (await owner.ask("POST", "/mfa/phones", {"number": "+4915112345678"})).code == "method_unavailable"
    assert (await owner.ask("POST", "/mfa/backup-codes", {})).code == "method_unavailable"


async def test_whoever_is_moved_meanwhile_goes_on_with_clerk(owner: Owner) -> None:
    enrolment_id, authenticator = await owner.begin_totp()
    await owner.world.connection.execute("UPDATE users SET clerk_id = 'user_1'")
    assert (await owner.finish(enrolment_id, authenticator.now())).code == "reauthentication_required"
    assert not await owner.world.connection.fetchval("SELECT enabled_2fa FROM users")


async def test_the_secret_is_stored_as_the_import_reads_it(owner: Owner) -> None:
    from tests.integration.bff.conftest import TOTP_KEY
    from toolkit import totp

    enrolment_id, authenticator = await owner.begin_totp()
    await owner.finish(enrolment_id, authenticator.now())
    row = await owner.world.connection.fetchrow("SELECT totp_cipher, nonce FROM users")
    assert row is not None
    opened = totp.decrypt(row["totp_cipher"], row["nonce"], [TOTP_KEY])
    assert pyotp.TOTP(opened.secret).now() == authenticator.now()
