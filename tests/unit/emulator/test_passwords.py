"""What counts as a digest."""

from contextlib import suppress

import pytest
from argon2 import PasswordHasher
from argon2.low_level import Type
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.sandbox.emulator import passwords
from toolkit.sandbox.emulator.errors import Refusal

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
    assert passwords.verify(digest, hasher, password)
    assert not passwords.verify(digest, hasher, password + "x")


@given(digest=st.text(), hasher=st.sampled_from(["argon2id", "argon2i", "bcrypt"]))
def test_no_text_breaks_the_check(digest: str, hasher: str) -> None:
    with pytest.raises(Refusal, match="form_password_digest_invalid_code"):
        passwords.check_digest(digest, hasher)


@given(secret=st.text() | st.text(alphabet="AZaz27="), code=st.text())
def test_no_text_breaks_totp(secret: str, code: str) -> None:
    with suppress(Refusal):
        passwords.check_totp_secret(secret)
        passwords.totp_step(secret, code, 1_700_000_000)
