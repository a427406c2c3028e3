"""Digests that Clerk takes are described, all others refused before a request is spent."""

import bcrypt
import pytest
from argon2 import PasswordHasher, Type
from hypothesis import given
from hypothesis import strategies as st

from toolkit.migration import digests

CHEAP = PasswordHasher(time_cost=1, memory_cost=16, parallelism=2)
ARGON2ID = CHEAP.hash("secret", salt=b"the same each time")


def test_argon2id_is_described_by_its_parameters() -> None:
    assert digests.describe(ARGON2ID, "argon2id") == "argon2id m=16,t=1,p=2"


def test_argon2i_is_told_from_argon2id() -> None:
    argon2i = PasswordHasher(time_cost=1, memory_cost=16, parallelism=1, type=Type.I).hash("secret")
    assert digests.describe(argon2i, "argon2i") == "argon2i m=16,t=1,p=1"
    with pytest.raises(digests.DigestMalformed):
        digests.describe(argon2i, "argon2id")


def test_bcrypt_is_described_by_its_cost() -> None:
    assert digests.describe(bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode(), "bcrypt") == "bcrypt cost=4"


@pytest.mark.parametrize(
    "digest",
    [
        "",
        "not a digest",
        "$argon2id$",
        ARGON2ID[:-20],
        ARGON2ID.replace("$v=19", ""),
        ARGON2ID.replace("m=16", "m=1"),
        ARGON2ID.replace("p=2", "p=0"),
        ARGON2ID + "=",
        ARGON2ID + "$more",
        ARGON2ID.replace("$m", "$x"),
        " " + ARGON2ID,
    ],
)
def test_malformed_argon2_digests_are_refused(digest: str) -> None:
    if digest == ARGON2ID[:-20]:
        digest = digest[: digest.rindex("$") + 2]
    with pytest.raises(digests.DigestMalformed):
        digests.describe(digest, "argon2id")


@pytest.mark.parametrize(
    "digest", ["$2b$12$short", "$2b$99$" + "a" * 53, "$2b$12$" + "!" * 53, "2b$12$" + "a" * 53]
)
def test_malformed_bcrypt_digests_are_refused(digest: str) -> None:
    with pytest.raises(digests.DigestMalformed):
        digests.describe(digest, "bcrypt")


@pytest.mark.parametrize("hasher", [None, "", "argon2d", "sha1", "ARGON2ID"])
def test_hashers_that_clerk_does_not_know_are_refused(hasher: str | None) -> None:
    with pytest.raises(digests.HasherUnsupported):
        digests.describe(ARGON2ID, hasher)


@given(st.text(min_size=12), st.sampled_from(["argon2id", "argon2i", "bcrypt"]))
def test_no_text_makes_it_fail_otherwise_and_no_message_holds_the_digest(digest: str, hasher: str) -> None:
    """Invariant 8."""
    with pytest.raises(digests.DigestMalformed) as caught:
        digests.describe(digest, hasher)
    assert digest not in str(caught.value)


@pytest.mark.parametrize(
    ("code", "taken"),
    [
        ("12345678", True),
        ("abcdefghij-klmnopqrst", True),
        ("ab12 cd34", True),
        ("123e4567-e89b-12d3-a456-426614174000", True),
        ("$2y$10$" + "a" * 53, True),
        ("$2b$10$" + "a" * 52, False),
        ("$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$aGFzaA", False),
        ("pbkdf2_sha256$1000$salt$hash", False),
        ("5f4dcc3b5aa765d61d8327deb882cf99", False),
        ("W6ph5Mm5Pz8GgiULbPgzG37mj9g=", False),
        ("é2345678", False),
        ("12345678\n", False),
        ("-", False),
        (" ", False),
        ("", False),
    ],
)
def test_backup_codes_are_plain_or_of_bcrypt(code: str, taken: bool) -> None:
    """Clerk would take another digest for the code itself."""
    assert digests.is_backup_code(code) is taken
