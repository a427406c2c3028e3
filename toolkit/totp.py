"""TOTP secrets: from AX's cipher to what Clerk takes, base32.

AX keeps the base32 text encrypted with AES-256-GCM, a nonce a row, no associated data. Clerk's TOTP is
SHA-1, 6 digits, 30 seconds (its description of `totp_secret`), the same as every authenticator app's.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from toolkit.errors import ToolkitError


class TotpUnfit(ToolkitError):
    """The TOTP secret can't be carried over."""


class TotpUndecryptable(TotpUnfit):
    """The cipher opens with none of the keys that were given, or was tampered with."""


class TotpMalformed(TotpUnfit):
    """What is stored is not a base32 secret."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A secret that was encrypted."""

    secret: str = field(repr=False)
    by_older_key: bool
    """The first key did not open it, another did."""


def decrypt(cipher: bytes, nonce: bytes | None, keys: Sequence[bytes]) -> Opened:
    """The base32 secret inside `cipher` (AES-256-GCM with its tag at the end), by the first of the keys that opens it.

    Raises TotpUndecryptable or TotpMalformed.
    """
    for number, key in enumerate(keys):
        try:
            secret = AESGCM(key).decrypt(nonce or b"", cipher, None)
        except (InvalidTag, ValueError):
            continue
        try:
            return Opened(normalize(secret.decode("ascii")), by_older_key=number > 0)
        except UnicodeDecodeError as error:
            raise TotpMalformed("TOTP secret is not text") from error
    raise TotpUndecryptable("TOTP cipher does not open")


def normalize(secret: str) -> str:
    """A base32 secret in upper case, without blanks and padding. Raises TotpMalformed."""
    compact = secret.replace(" ", "").rstrip("=").upper()
    try:
        decoded = base64.b32decode(compact + "=" * (-len(compact) % 8))
    except ValueError as error:
        raise TotpMalformed("TOTP secret is not base32") from error
    if not decoded:
        raise TotpMalformed("TOTP secret is empty")
    return compact
