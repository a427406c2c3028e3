"""Sessions of users whom AX checks: as those of users of Clerk."""

from tests.integration.bff.test_sessions import (
    test_a_session_ends_when_it_is_revoked,
    test_a_session_ends_when_the_user_is_disabled_or_all_are_revoked,
    test_api_keys_and_sessions_tell_who_one_is,
    test_expiry_slides_and_ends,
)

__all__ = [
    "test_a_session_ends_when_it_is_revoked",
    "test_a_session_ends_when_the_user_is_disabled_or_all_are_revoked",
    "test_api_keys_and_sessions_tell_who_one_is",
    "test_expiry_slides_and_ends",
]
