"""Tokens, and the encryption of Clerk's."""

import base64
import hmac
from uuid import uuid4

import pytest

from bff.tokens import Cipher, Sealed, hash_token, new_token


def test_tokens_are_256_random_bits() -> None:
    tokens = {new_token() for _ in range(1000)}
    assert len(tokens) == 1000
    assert {len(base64.urlsafe_b64decode(token + "=")) for token in tokens} == {32}
    assert len({hash_token(token) for token in tokens}) == 1000


def test_a_sealed_token_opens_with_its_key_alone() -> None:
    cipher, other = Cipher(b"k" * 32), Cipher(b"l" * 32)
    sealed = cipher.seal("clerk's token")
    assert sealed.cipher is not None
    assert b"clerk" not in sealed.cipher
    assert cipher.open(sealed) == "clerk's token"
    assert other.open(sealed) is None
    assert cipher.seal("clerk's token") != sealed  # a nonce each


def test_a_sealed_token_that_was_changed_does_not_open() -> None:
    cipher = Cipher(b"k" * 32)
    sealed = cipher.seal("clerk's token")
    assert sealed.cipher is not None
    for place in range(len(sealed.cipher)):
        changed = bytearray(sealed.cipher)
        changed[place] ^= 1
        assert cipher.open(Sealed(bytes(changed), sealed.nonce)) is None


def test_a_code_is_hashed_with_the_key_and_for_its_owner() -> None:
    whose, other = uuid4(), uuid4()
    kept = Cipher(b"k" * 32).hash_code(whose, "123456")
    assert kept == Cipher(b"k" * 32).hash_code(whose, "123456")
    others = {
        Cipher(b"l" * 32).hash_code(whose, "123456"),
        Cipher(b"k" * 32).hash_code(other, "123456"),
        Cipher(b"k" * 32).hash_code(whose, "123457"),
        hmac.digest(b"k" * 32, f"{whose} 123456".encode(), "sha256"),  # the key of the encryption itself
    }
    assert len(others) == 4
    assert kept not in others


@pytest.mark.parametrize("sealed", [Sealed(None, None), Sealed(b"x" * 32, None)])
def test_without_a_token_there_is_none(sealed: Sealed) -> None:
    assert Cipher(b"k" * 32).open(sealed) is None
