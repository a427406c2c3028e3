"""Digests and passwords, checked for real."""

import base64
import secrets
import string
from collections.abc import Callable, Iterable, Mapping

from argon2 import PasswordHasher
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from toolkit.sandbox.emulator import errors, hashers
from toolkit.sandbox.emulator.settings import Settings

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
COGNITO = "awscognito"
"""The hasher whose digests hold no checksum but say whom AWS Cognito knows the user as."""


def check_digest(digest: str, hasher: str) -> None:
    """Raises Refusal when the digest is not of the hasher's form, or Clerk knows no such hasher."""
    if hasher != COGNITO and hasher not in hashers.READERS:
        raise errors.value_invalid("password_hasher", hasher)
    try:
        if hasher == COGNITO:
            hashers.cognito_identifier(digest)
        else:
            hashers.READERS[hasher](digest)
    except ValueError as error:
        raise errors.digest_invalid() from error


def verify(settings: Settings, digest: str, hasher: str, password: str) -> bool:
    """Whether the password is the digest's. Slow on purpose: to be called in a thread."""
    if hasher == COGNITO:
        return settings.cognito_passwords.get(hashers.cognito_identifier(digest)) == password
    return hashers.READERS[hasher](digest)(password)


def check_password(
    settings: Settings, password: str, identifiers: Iterable[str], param: str = "password"
) -> None:
    """Hold a new password of a user with these addresses, numbers and names against the rules. Raises Refusal."""
    if len(password) < settings.password_min_length:
        raise errors.password_too_short(settings.password_min_length, param)
    if 0 < settings.password_max_length < len(password):
        raise errors.password_too_long(settings.password_max_length, param)
    if len(password.encode()) > hashers.BCRYPT_BYTES:
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
    if hashers.is_bcrypt(stored):
        return hashers.bcrypt_matches(stored, code.encode())
    return secrets.compare_digest(stored.encode(), code.encode())
