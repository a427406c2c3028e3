"""Which digests are too weak."""

import pytest
from argon2 import extract_parameters

from bff.legacy.digests import POLICY, is_weak

SALT, HASH = "a" * 22, "b" * 43


def test_the_policy_is_what_the_other_digests_here_are_about() -> None:
    assert extract_parameters(f"$argon2id$v=19$m=65536,t=3,p=4${SALT}${HASH}") == POLICY


@pytest.mark.parametrize(
    "digest",
    [
        f"$argon2id$v=19$m=65535,t=100,p=4${SALT}${HASH}",
        f"$argon2id$v=19$m=65536,t=2,p=4${SALT}${HASH}",
        f"$argon2i$v=19$m=65536,t=3,p=4${SALT}${HASH}",
        f"$argon2id$m=65536,t=3,p=4${SALT}${HASH}",
        f"$argon2id$v=19$m=65536,t=3,p=4${SALT[:11]}${HASH}",
        f"$argon2id$v=19$m=65536,t=3,p=4${SALT}${HASH[:22]}",
    ],
)
def test_whatever_costs_less_is_weak(digest: str) -> None:
    assert is_weak(digest)


@pytest.mark.parametrize(
    "digest",
    [
        f"$argon2id$v=19$m=65536,t=3,p=1${SALT}${HASH}",
        f"$argon2id$v=19$m=131072,t=2,p=4${SALT}${HASH}",
        f"$argon2id$v=19$m=2097152,t=1,p=4${SALT}${HASH}",
        f"$2b$12${SALT}{HASH[:31]}",
        "",
    ],
)
def test_what_costs_as_much_or_is_no_digest_of_argon2_is_left_alone(digest: str) -> None:
    assert not is_weak(digest)
