"""The rest of the hashers that Clerk imports digests of, beside toolkit/hashers.py: bcrypt, phpass, and AWS Cognito."""

import hashlib
import re
from collections.abc import Mapping

import bcrypt
from passlib.exc import PasswordSizeError
from passlib.hash import phpass

from toolkit import hashers
from toolkit.hashers import Check, Reader, parts

BCRYPT_BYTES = 72
"""Bytes of a password that bcrypt reads."""
_BCRYPT = re.compile(r"\$2[abxy]\$(?:0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}")


def is_bcrypt(text: str) -> bool:
    """Whether it is a digest of bcrypt."""
    return _BCRYPT.fullmatch(text) is not None


def bcrypt_matches(digest: str, secret: bytes) -> bool:
    """Whether the secret is the digest's."""
    try:
        return bcrypt.checkpw(secret[:BCRYPT_BYTES], digest.encode())
    except ValueError:  # stray bits in the salt
        return False


def cognito_identifier(digest: str) -> str:
    """Who the user is in AWS Cognito, which is asked for the password. Raises ValueError."""
    return parts(r"awscognito#[^#]+#[^#]+#(.+)", digest)[0]


def _bcrypt(digest: str) -> Check:
    if not is_bcrypt(digest):
        raise ValueError
    return lambda password: bcrypt_matches(digest, password.encode())


def _bcrypt_sha256_django(digest: str) -> Check:
    (inner,) = parts(r"bcrypt_sha256\$(.+)", digest)
    matches = _bcrypt(inner)
    return lambda password: matches(hashlib.sha256(password.encode()).hexdigest())


def _bcrypt_peppered(digest: str) -> Check:
    inner, pepper = parts(r"(.{60})\$(.+)", digest)
    matches = _bcrypt(inner)
    return lambda password: matches(password + pepper)


def _phpass(digest: str) -> Check:
    parsed = phpass.from_string(digest)
    if parsed.ident != "$P$" or len(parsed.checksum or "") != 22:
        raise ValueError

    def check(password: str) -> bool:
        try:
            return bool(phpass.verify(password, digest))
        except PasswordSizeError:
            return False

    return check


def _md5_phpass(digest: str) -> Check:
    matches = _phpass(digest)
    return lambda password: matches(hashlib.md5(password.encode(), usedforsecurity=False).hexdigest())


READERS: Mapping[str, Reader] = {
    **hashers.READERS,
    "bcrypt": _bcrypt,
    "bcrypt_peppered": _bcrypt_peppered,
    "bcrypt_sha256_django": _bcrypt_sha256_django,
    "md5_phpass": _md5_phpass,
    "phpass": _phpass,
}
"""Those whose digests hold all that a check needs; `awscognito` is not among them."""
