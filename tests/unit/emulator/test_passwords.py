"""What counts as a digest."""

from contextlib import suppress

import pytest
from argon2 import PasswordHasher
from argon2.low_level import Type
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.digests import COGNITO, EXAMPLES, MALFORMED, Example
from toolkit.sandbox.emulator import passwords
from toolkit.sandbox.emulator.errors import Refusal
from toolkit.sandbox.emulator.hashers import READERS
from toolkit.sandbox.emulator.settings import Settings

HASHERS = {"argon2id": Type.ID, "argon2i": Type.I}


@settings(max_examples=50)
@given(
    hasher=st.sampled_from(sorted(HASHERS)),
    time_cost=st.integers(1, 3),
    memory_cost=st.integers(16, 64),
    parallelism=st.integers(1, 2),
    hash_len=st.integers(4, 64),
    salt_len=st.integers(8, 32),
    password=st.text(),
)
def test_every_argon2_digest_is_taken_and_verifies(
    hasher: str,
    time_cost: int,
    memory_cost: int,
    parallelism: int,
    hash_len: int,
    salt_len: int,
    password: str,
) -> None:
    digest = PasswordHasher(
        time_cost=time_cost,
        memory_cost=memory_cost,
        parallelism=parallelism,
        hash_len=hash_len,
        salt_len=salt_len,
        type=HASHERS[hasher],
    ).hash(password)
    passwords.check_digest(digest, hasher)
    assert passwords.verify(Settings(), digest, hasher, password)
    assert not passwords.verify(Settings(), digest, hasher, password + "x")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: str(example.hasher))
def test_a_digest_that_others_made_verifies(example: Example) -> None:
    passwords.check_digest(example.digest, example.hasher)
    assert passwords.verify(Settings(), example.digest, example.hasher, example.password)
    for wrong in ("", example.password + "x", example.password.swapcase() + "ß", "x" * 5000, "\0"):
        assert not passwords.verify(Settings(), example.digest, example.hasher, wrong)


def test_every_hasher_has_an_example() -> None:
    assert {example.hasher for example in EXAMPLES} == set(READERS)


@pytest.mark.parametrize("hasher", [*READERS, COGNITO.hasher])
@settings(max_examples=30)
@given(digest=st.text())
def test_no_text_breaks_the_check(hasher: str, digest: str) -> None:
    with pytest.raises(Refusal, match="form_password_digest_invalid_code"):
        passwords.check_digest(digest, hasher)


@pytest.mark.parametrize("example", [*EXAMPLES, COGNITO], ids=lambda example: str(example.hasher))
@settings(max_examples=50)
@given(data=st.data())
def test_a_mangled_digest_is_refused_or_nobodys(example: Example, data: st.DataObject) -> None:
    """Nothing but a refusal comes of it, and what is taken can be computed."""
    at = data.draw(st.integers(0, len(example.digest) - 1))
    mangled = (
        example.digest[:at]
        + data.draw(st.sampled_from(["", "$", "=", "é", "-", "0"]))
        + example.digest[at + 1 :]
    )
    with suppress(Refusal):
        passwords.check_digest(mangled, example.hasher)


@pytest.mark.parametrize(("hasher", "digest"), MALFORMED)
def test_a_digest_of_another_form_is_refused(hasher: str, digest: str) -> None:
    with pytest.raises(Refusal, match="form_password_digest_invalid_code"):
        passwords.check_digest(digest, hasher)


def test_cognito_is_asked_by_the_identifier_in_the_digest() -> None:
    with_ada = Settings(cognito_passwords={"ada": COGNITO.password})
    passwords.check_digest(COGNITO.digest, COGNITO.hasher)
    assert passwords.verify(with_ada, COGNITO.digest, COGNITO.hasher, COGNITO.password)
    assert not passwords.verify(with_ada, COGNITO.digest, COGNITO.hasher, "another")
    assert not passwords.verify(Settings(), COGNITO.digest, COGNITO.hasher, COGNITO.password)


@given(secret=st.text() | st.text(alphabet="AZaz27="), code=st.text())
def test_no_text_breaks_totp(secret: str, code: str) -> None:
    with suppress(Refusal):
        passwords.check_totp_secret(secret)
        passwords.totp_step(secret, code, 1_700_000_000)
