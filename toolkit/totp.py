"""TOTP secrets: from what is stored to what Clerk takes, base32.

AX keeps the base32 text encrypted with AES-256-GCM, a nonce a row, no associated data. Others keep an otpauth:// URI
(https://github.com/google/google-authenticator/wiki/Key-Uri-Format). Clerk's TOTP is SHA-1, 6 digits, 30 seconds (its
description of `totp_secret`), as nearly every authenticator's.
"""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from toolkit.errors import ToolkitError


class TotpUnfit(ToolkitError):
    """The TOTP secret can't be carried over."""


class TotpUndecryptable(TotpUnfit):
    """The cipher opens with none of the keys that were given, or was tampered with."""


class TotpMalformed(TotpUnfit):
    """What is stored is not a base32 secret."""


class OtherDigits(TotpUnfit):
    """The codes have more or fewer digits than 6."""


class OtherPeriod(TotpUnfit):
    """A code stands for more or less than 30 seconds."""


class OtherAlgorithm(TotpUnfit):
    """The codes are computed with something else than SHA-1."""


class CounterBased(TotpUnfit):
    """The codes go by a counter (HOTP), and not by the time."""


class EncryptedByLaravel(TotpUnfit):
    """The secret is in a payload of Laravel's: AES-CBC with a MAC."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A secret that was encrypted."""

    secret: str = field(repr=False)
    by_older_key: bool
    """The first key did not open it, another did."""


def decrypt(cipher: bytes, nonce: bytes | None, keys: Sequence[bytes]) -> Opened:
    """The base32 secret inside `cipher` (AES-256-GCM with its tag at the end), by the first of the keys that opens it.

    Raises TotpUndecryptable, or what `read` raises.
    """
    if _is_laravels(cipher):
        raise EncryptedByLaravel
    for number, key in enumerate(keys):
        try:
            secret = AESGCM(key).decrypt(nonce or b"", cipher, None)
        except (InvalidTag, ValueError):
            continue
        try:
            return Opened(read(secret.decode("ascii")), by_older_key=number > 0)
        except UnicodeDecodeError as error:
            raise TotpMalformed("TOTP secret is not text") from error
    raise TotpUndecryptable("TOTP cipher does not open")


def read(stored: str) -> str:
    """The base32 secret that is stored as such, or in an otpauth:// URI.

    Raises TotpMalformed, or, for one that Clerk would compute other codes from, OtherDigits, OtherPeriod, OtherAlgorithm,
    CounterBased or EncryptedByLaravel.
    """
    stored = stored.strip()
    if stored.lower().startswith("otpauth:"):
        return _read_uri(stored)
    if _is_laravels(stored.encode()):
        raise EncryptedByLaravel
    return normalize(stored)


def _read_uri(uri: str) -> str:
    try:
        parts = urlsplit(uri)
    except ValueError as error:
        raise TotpMalformed("TOTP URI is malformed") from error
    said = {name.lower(): values[-1].strip() for name, values in parse_qs(parts.query).items()}
    if parts.netloc.lower() == "hotp":
        raise CounterBased
    if said.get("algorithm", "SHA1").upper().replace("-", "").removeprefix("HMAC") != "SHA1":
        raise OtherAlgorithm
    if said.get("digits", "6") != "6":
        raise OtherDigits
    if said.get("period", "30") != "30":
        raise OtherPeriod
    return normalize(said.get("secret", ""))


def _is_laravels(stored: bytes) -> bool:
    """Whether it is what Laravel's `encrypt` makes: a JSON object with `iv`, `value`, `mac`, in base64."""
    try:
        payload = json.loads(base64.b64decode(stored, validate=True))
    except ValueError:
        return False
    return isinstance(payload, dict) and {"iv", "value", "mac"} <= payload.keys()


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
