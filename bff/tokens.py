"""Tokens: random ones that a browser holds and Postgres knows by their hash, and others' secrets, kept encrypted."""

import hashlib
import hmac
import os
import secrets
from typing import NamedTuple
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE_BYTES = 12


def new_token() -> str:
    """256 random bits, in URL-safe base64; never what looks like an API key."""
    while (token := secrets.token_urlsafe(32)).startswith("ax_"):
        pass
    return token


def hash_token(token: str) -> bytes:
    """SHA-256, as AX stores tokens: nobody guesses a random value, so nothing slower is needed."""
    return hashlib.sha256(token.encode(errors="surrogateescape")).digest()


def hash_code(user_id: UUID, code: str) -> bytes:
    """What is remembered of a code that was used, as long as it could be used again: of one user's alone.

    It opens nothing any more, so that whoever finds it out by trying all has nothing. For other codes: `Cipher.hash_code`.
    """
    return hash_token(f"{user_id} {code}")


class Sealed(NamedTuple):
    """A text encrypted by AES-256-GCM, with its tag at the end; None and None where a row has none."""

    cipher: bytes | None
    nonce: bytes | None


class Cipher:
    """Keeps secrets from whoever reads the database: encrypts what is stored of Clerk's, such as client tokens. `key` has 32 bytes."""

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)
        self._code_key = HKDF(SHA256(), 32, salt=None, info=b"codes").derive(key)

    def hash_code(self, whose: UUID, code: str) -> bytes:
        """HMAC-SHA-256 of a code that may still open something: it has so few digits that a mere hash would tell it."""
        return hmac.digest(self._code_key, f"{whose} {code}".encode(errors="surrogatepass"), "sha256")

    def seal(self, text: str) -> Sealed:
        """Encrypt a text."""
        nonce = os.urandom(_NONCE_BYTES)
        return Sealed(self._aead.encrypt(nonce, text.encode(), None), nonce)

    def open(self, sealed: Sealed) -> str | None:
        """The text; None when there is none, or it was sealed with another key."""
        if sealed.cipher is None or sealed.nonce is None:
            return None
        try:
            return self._aead.decrypt(sealed.nonce, sealed.cipher, None).decode()
        except InvalidTag:
            return None
