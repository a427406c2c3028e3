"""Digests and passwords, checked for real."""

import base64
import re
import secrets
import string
from collections.abc import Callable, Iterable, Mapping

import bcrypt
from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import Argon2Error, InvalidHashError
from argon2.low_level import Type, verify_secret
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from toolkit.sandbox.emulator import errors
from toolkit.sandbox.emulator.settings import Settings

MOST_BYTES = 72
"""Bytes of a password that bcrypt, Clerk's own hasher, reads."""
SPECIAL = string.punctuation
"""Characters of which there must be one, where an instance wants a special one."""
_KINDS: Mapping[str, Callable[[str], bool]] = {
    "special_char": SPECIAL.__contains__,
    "numbers": str.isdigit,
    "uppercase": str.isupper,
    "lowercase": str.islower,
}
OWN_HASHER = "argon2id"
_OWN = PasswordHasher(time_cost=1, memory_cost=256, parallelism=1)
"""Cheap, since no real password is ever here."""
_BCRYPT = re.compile(r"\$2[abxy]\$(?:0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}")
_VARIANTS = {"argon2id": Type.ID, "argon2i": Type.I}


def check_digest(digest: str, hasher: str) -> None:
    """Raises Refusal when the digest is not of the hasher's form, or the hasher is not emulated."""
    if hasher == "bcrypt":
        if not _BCRYPT.fullmatch(digest):
            raise errors.digest_invalid()
    elif hasher in _VARIANTS:
        _check_argon2(digest, hasher)
    else:
        raise errors.value_invalid("password_hasher", hasher)


def _check_argon2(digest: str, hasher: str) -> None:
    try:
        parameters = extract_parameters(digest)
        salt, checksum = digest.split("$")[-2:]
        sound = (
            parameters.type is _VARIANTS[hasher]
            and parameters.version in (16, 19)
            and parameters.time_cost >= 1
            and parameters.memory_cost >= 8 * parameters.parallelism >= 8
            and len(_decode(salt)) >= 8
            and len(_decode(checksum)) >= 4
        )
    except (InvalidHashError, ValueError):
        sound = False
    if not sound:
        raise errors.digest_invalid()


def _decode(part: str) -> bytes:
    """Base64 without padding and stray bits, as Argon2's reference code takes it. Raises ValueError."""
    decoded = base64.b64decode(part + "=" * (-len(part) % 4), validate=True)
    if base64.b64encode(decoded).decode().rstrip("=") != part:
        raise ValueError
    return decoded


def verify(digest: str, hasher: str, password: str) -> bool:
    """Whether the password is the digest's. Slow on purpose: to be called in a thread."""
    secret = password.encode()
    if hasher == "bcrypt":
        return _bcrypt_matches(digest, secret)
    try:
        return verify_secret(digest.encode(), secret, _VARIANTS[hasher])
    except Argon2Error:
        return False


def _bcrypt_matches(digest: str, secret: bytes) -> bool:
    try:
        return bcrypt.checkpw(secret[:MOST_BYTES], digest.encode())
    except ValueError:  # stray bits in the salt
        return False


def check_password(
    settings: Settings, password: str, identifiers: Iterable[str], param: str = "password"
) -> None:
    """Hold a new password of a user with these addresses, numbers and names against the rules. Raises Refusal."""
    if len(password) < settings.password_min_length:
        raise errors.password_too_short(settings.password_min_length, param)
    if 0 < settings.password_max_length < len(password):
        raise errors.password_too_long(settings.password_max_length, param)
    if len(password.encode()) > MOST_BYTES:
        raise errors.password_too_large(param)
    for kind in settings.password_requires:
        if not any(map(_KINDS[kind], password)):
            raise errors.password_lacks(kind, param)
    if password.lower() in map(str.lower, identifiers):
        raise errors.password_matches_identifier(param)
    if settings.password_strength and password in settings.weak_passwords:
        raise errors.password_weak(param)
    if settings.reject_pwned and is_pwned(settings, password):
        raise errors.password_pwned(param)


def is_pwned(settings: Settings, password: str) -> bool:
    """Whether the password is a leaked one."""
    return password.lower() in settings.pwned_passwords


def hash_password(password: str) -> str:
    """A digest by OWN_HASHER."""
    return _OWN.hash(password)


def check_totp_secret(secret: str) -> None:
    """Raises Refusal when it is not base32."""
    try:
        decoded = _decode_base32(secret)
    except ValueError:
        decoded = b""
    if not decoded:
        raise errors.totp_secret_invalid()


def totp_step(secret: str, code: str, now: float) -> int | None:
    """The 30-second step that the code belongs to, this one or one of its neighbours; None when to none."""
    # Secrets of 80 bits are common, though too short for RFC 4226.
    totp = TOTP(_decode_base32(secret), 6, SHA1(), 30, enforce_key_length=False)  # noqa: S303 - what apps use
    for step in (0, -1, 1):
        if secrets.compare_digest(totp.generate(int(now) + 30 * step), code.encode()):
            return int(now) // 30 + step
    return None


def _decode_base32(secret: str) -> bytes:
    return base64.b32decode(secret + "=" * (-len(secret) % 8), casefold=True)


def backup_code_matches(stored: str, code: str) -> bool:
    """Whether the code is the stored one, which is plain or a bcrypt digest: slow, to be called in a thread."""
    if _BCRYPT.fullmatch(stored):
        return _bcrypt_matches(stored, code.encode())
    return secrets.compare_digest(stored.encode(), code.encode())
