"""Digests that Clerk takes are described, all others refused before a request is spent."""

from collections.abc import Iterator
from contextlib import contextmanager

import bcrypt
import pytest
from argon2 import PasswordHasher, Type
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.digests import COGNITO, EXAMPLES, MALFORMED, Example
from toolkit.migration import digests
from toolkit.sandbox.emulator.errors import Refusal
from toolkit.sandbox.emulator.passwords import check_digest


@contextmanager
def noting_refusals() -> Iterator[list[bool]]:
    """Notes a refusal of either's."""
    noted: list[bool] = []
    try:
        yield noted
    except (digests.DigestMalformed, Refusal):
        noted.append(True)


CHEAP = PasswordHasher(time_cost=1, memory_cost=16, parallelism=2)
ARGON2ID = CHEAP.hash("secret", salt=b"the same each time")


def test_argon2id_is_told_by_its_parameters() -> None:
    assert str(digests.kind_of(ARGON2ID, "argon2id")) == "argon2id m=16,t=1,p=2"


def test_argon2i_is_told_from_argon2id() -> None:
    argon2i = PasswordHasher(time_cost=1, memory_cost=16, parallelism=1, type=Type.I).hash("secret")
    assert str(digests.kind_of(argon2i, "argon2i")) == "argon2i m=16,t=1,p=1"
    with pytest.raises(digests.DigestMalformed):
        digests.kind_of(argon2i, "argon2id")


def test_bcrypt_is_told_by_its_cost() -> None:
    assert (
        str(digests.kind_of(bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode(), "bcrypt"))
        == "bcrypt cost=4"
    )


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
        digests.kind_of(digest, "argon2id")


@pytest.mark.parametrize(("hasher", "digest"), MALFORMED)
def test_a_digest_of_another_form_is_refused(hasher: str, digest: str) -> None:
    with pytest.raises(digests.DigestMalformed):
        digests.kind_of(digest, hasher)


@pytest.mark.parametrize("example", [*EXAMPLES, COGNITO], ids=lambda example: str(example.hasher))
def test_a_digest_of_each_hasher_is_taken(example: Example) -> None:
    assert digests.kind_of(example.digest, example.hasher).hasher == example.hasher


@pytest.mark.parametrize("example", [*EXAMPLES, COGNITO], ids=lambda example: str(example.hasher))
@settings(max_examples=50)
@given(data=st.data())
def test_what_is_taken_the_emulator_takes_too_and_nothing_else(example: Example, data: st.DataObject) -> None:
    """Two readings of Clerk's reference, made apart, come to the same."""
    at = data.draw(st.integers(0, len(example.digest) - 1))
    other = data.draw(st.sampled_from(["", "$", "=", "é", "-", "0", "A", "\n", "$x"]))
    digest = example.digest[:at] + other + example.digest[at + 1 :]
    with noting_refusals() as refused_here:
        digests.kind_of(digest, example.hasher)
    with noting_refusals() as refused_there:
        check_digest(digest, example.hasher)
    assert refused_here == refused_there, digest


@pytest.mark.parametrize(
    ("hasher", "digest", "told", "weak", "costly"),
    [
        ("argon2id", "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$AAAAAA", "m=19456,t=2,p=1", False, False),
        ("argon2id", "$argon2id$v=19$m=19455,t=2,p=1$c29tZXNhbHQ$AAAAAA", "m=19455,t=2,p=1", True, False),
        ("argon2id", "$argon2id$v=19$m=65536,t=1,p=4$c29tZXNhbHQ$AAAAAA", "m=65536,t=1,p=4", False, False),
        ("argon2id", "$argon2id$v=19$m=2097152,t=1,p=4$c29tZXNhbHQ$AAAAAA", "m=2097152,t=1,p=4", False, True),
        ("bcrypt", "$2b$09$" + "a" * 53, "cost=9", True, False),
        ("bcrypt", "$2y$10$" + "a" * 53, "cost=10", False, False),
        ("bcrypt_peppered", "$2y$15$" + "a" * 53 + "$pepper", "cost=15", False, True),
        ("bcrypt_sha256_django", "bcrypt_sha256$$2b$12$" + "a" * 53, "cost=12", False, False),
        ("md5", "0f" * 16, "", True, False),
        ("ldap_ssha", "{SSHA}0c0blFTXXNuAMHECS4uxrj3ZieMoWImr", "", True, False),
        ("phpass", "$P$BIQRaTwmfeRo7ud9Fh4E2PdI0S3r.L0", "iterations=8192", True, False),
        ("pbkdf2_sha256_django", f"pbkdf2_sha256$600000$s${'A' * 43}=", "iterations=600000", False, False),
        ("pbkdf2_sha256_django", f"pbkdf2_sha256$599999$s${'A' * 43}=", "iterations=599999", True, False),
        ("pbkdf2_sha512", f"pbkdf2_sha512$210000$s${'0f' * 64}", "iterations=210000", False, False),
        ("pbkdf2_sha512", f"pbkdf2_sha512$9000000$s${'0f' * 64}", "iterations=9000000", False, True),
        ("pbkdf2_sha1", f"pbkdf2_sha1$1000000$s${'0f' * 32}", "iterations=1000000", True, False),
        ("scrypt_werkzeug", f"scrypt:32768:8:1$s${'0f' * 64}", "N=32768,r=8,p=1", True, False),
        ("scrypt_werkzeug", f"scrypt:32768:8:3$s${'0f' * 64}", "N=32768,r=8,p=3", False, False),
        ("scrypt_werkzeug", f"scrypt:524288:8:1$s${'0f' * 64}", "N=524288,r=8,p=1", False, True),
        ("sha512_symfony", f"sha512_symfony$5000$s${'A' * 86}==", "iterations=5000", True, False),
        ("awscognito", "awscognito#pool#client#ada", "", False, False),
    ],
)
def test_what_is_weak_and_what_is_costly(
    hasher: str, digest: str, told: str, weak: bool, costly: bool
) -> None:
    kind = digests.kind_of(digest, hasher)
    assert (kind.parameters, kind.is_weak, kind.is_costly) == (told, weak, costly)


@pytest.mark.parametrize("hasher", [None, "", "argon2d", "sha1", "ARGON2ID"])
def test_hashers_that_clerk_does_not_know_are_refused(hasher: str | None) -> None:
    with pytest.raises(digests.HasherUnsupported):
        digests.kind_of(ARGON2ID, hasher)


@given(st.text(min_size=12), st.sampled_from(sorted({example.hasher for example in EXAMPLES})))
def test_no_text_makes_it_fail_otherwise_and_no_message_holds_the_digest(digest: str, hasher: str) -> None:
    """Invariant 8."""
    with pytest.raises(digests.DigestMalformed) as caught:
        digests.kind_of(digest, hasher)
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
