"""Password digests: which ones Clerk takes, checked before a request is spent on them.

Formats and hashers as in Clerk's description of `POST /v1/users` (`password_hasher`). Digests go over
verbatim. No digest ever appears in a message.
"""

import base64
import binascii
import re

from argon2 import extract_parameters
from argon2.exceptions import InvalidHashError

from toolkit.errors import ToolkitError

_BCRYPT = re.compile(r"\$2[abxy]?\$(?P<cost>0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}")
_PLAIN_CODE = re.compile(r"(?!.*[0-9A-Za-z]{32})[0-9A-Za-z][0-9A-Za-z ._-]{0,63}")
_ARGON2 = frozenset({"argon2id", "argon2i"})
_VERBATIM = frozenset(
    {
        "bcrypt_sha256_django",
        "ldap_ssha",
        "md5",
        "md5_phpass",
        "pbkdf2_sha1",
        "pbkdf2_sha256",
        "pbkdf2_sha256_django",
        "pbkdf2_sha512",
        "pbkdf2_sha512_hex",
        "phpass",
        "scrypt_firebase",
        "scrypt_werkzeug",
        "sha256",
        "sha512_symfony",
    }
)
"""Hashers that Clerk takes and whose digests only Clerk checks."""

HASHERS = _ARGON2 | {"bcrypt"} | _VERBATIM


class DigestUnfit(ToolkitError):
    """Clerk would refuse this digest."""


class HasherUnsupported(DigestUnfit):
    """Clerk knows no such hasher."""


class DigestMalformed(DigestUnfit):
    """The digest is not of the form that its hasher makes."""


def is_backup_code(code: str) -> bool:
    """Whether Clerk takes it as a backup code: plain, or as bcrypt makes it of one.

    Clerk would take any other digest, or what is encrypted, for the code itself. 32 letters and digits on end are no
    code that somebody types, but an MD5.
    """
    return bool(_PLAIN_CODE.fullmatch(code) or _BCRYPT.fullmatch(code))


def describe(digest: str, hasher: str | None) -> str:
    """The digest's hasher and parameters, such as `argon2id m=65536,t=3,p=4`, when Clerk will take it.

    Raises HasherUnsupported or DigestMalformed.
    """
    if hasher not in HASHERS:
        raise HasherUnsupported(f"hasher {hasher!r}")
    if hasher in _ARGON2:
        return f"{hasher} {_argon2_parameters(digest, hasher)}"
    if hasher == "bcrypt":
        match = _BCRYPT.fullmatch(digest)
        if match is None:
            raise DigestMalformed("bcrypt digest is not $2b$COST$ with 53 characters of salt and hash")
        return f"bcrypt cost={int(match['cost'])}"
    if not digest.strip():
        raise DigestMalformed(f"{hasher} digest is empty")
    return hasher


def _argon2_parameters(digest: str, hasher: str) -> str:
    """Memory (KiB), passes and lanes of a PHC string, `$argon2id$v=19$m=…,t=…,p=…$salt$hash`."""
    try:
        parameters = extract_parameters(digest)
        _, variant, _, _, salt, checksum = digest.split("$")
        salt_bytes, checksum_bytes = _unpadded_base64(salt), _unpadded_base64(checksum)
    except (InvalidHashError, binascii.Error, ValueError) as error:
        raise DigestMalformed(f"{hasher} digest is not a PHC string") from error
    if variant != hasher:
        raise DigestMalformed(f"{hasher} digest says it is {variant}")
    # RFC 9106 section 3.1: at least 8 bytes of salt (its limit for Argon2 libraries), 4 of tag, 8 KiB of memory a lane.
    lanes = parameters.parallelism
    if len(salt_bytes) < 8 or len(checksum_bytes) < 4 or lanes < 1 or parameters.time_cost < 1:
        raise DigestMalformed(f"{hasher} digest has impossible parameters")
    if parameters.memory_cost < 8 * lanes:
        raise DigestMalformed(f"{hasher} digest has too little memory for its lanes")
    return f"m={parameters.memory_cost},t={parameters.time_cost},p={lanes}"


def _unpadded_base64(text: str) -> bytes:
    if "=" in text:
        raise binascii.Error("padded")
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
