"""Why a password does not give a row's digest, as far as that can be told: by trying what applications do with passwords.

The row's own check is tried here where toolkit/hashers.py has the hasher. For the others Clerk is asked, of the stand-in,
and no more often than it lets anybody fail.
"""

import asyncio
import base64
import hashlib
import unicodedata
from collections.abc import Awaitable, Callable, Iterator, Mapping

from toolkit import hashers
from toolkit.clerk import UserLocked
from toolkit.migration import findings
from toolkit.migration.findings import Finding

Check = Callable[[str], Awaitable[bool]]

MOST_AT_CLERK = 8
"""Clerk locks a user after ten failures, if these count (it does not say), and one is spent already."""

_ALTERED: Mapping[str, Callable[[str], str]] = {
    "without the blanks around it": str.strip,
    "normalised to NFC": lambda password: unicodedata.normalize("NFC", password),
    "normalised to NFKC": lambda password: unicodedata.normalize("NFKC", password),
    "in small letters": str.lower,
    "without the blanks around it, normalised to NFKC": lambda password: unicodedata.normalize(
        "NFKC", password
    ).strip(),
    "in capitals": str.upper,
    "normalised to NFD": lambda password: unicodedata.normalize("NFD", password),
}


def _hex(algorithm: str) -> Callable[[str], str]:
    return lambda password: hashlib.new(algorithm, password.encode(), usedforsecurity=False).hexdigest()


def _base64(algorithm: str) -> Callable[[str], str]:
    return lambda password: base64.b64encode(hashlib.new(algorithm, password.encode()).digest()).decode()


_HASHED: Mapping[str, Callable[[str], str]] = {
    "its SHA-256 in hexadecimal": _hex("sha256"),
    "its MD5 in hexadecimal": _hex("md5"),
    "its SHA-1 in hexadecimal": _hex("sha1"),
    "its SHA-512 in hexadecimal": _hex("sha512"),
    "its SHA-256 in base64": _base64("sha256"),
    "its SHA-384 in base64": _base64("sha384"),
    "its SHA-512 in base64": _base64("sha512"),
}


async def diagnose(digest: str, hasher: str, password: str, ask_clerk: Check) -> Finding:
    """What is most likely the matter with a password that Clerk has refused."""
    own = _check_of(digest, hasher)
    if own is None:
        return await _try(_limited(ask_clerk), hasher, password, checked_here=False)
    if await own(password):
        return findings.clerk_differs(hasher)
    for other in hashers.READERS.keys() - {hasher}:
        check = _check_of(digest, other)
        if check is not None and await check(password):
            return findings.other_hasher(hasher, other)
    return await _try(own, hasher, password, checked_here=True)


async def _try(check: Check, hasher: str, password: str, *, checked_here: bool) -> Finding:
    for how, made in _once(_ALTERED, password):
        if await check(made):
            return findings.altered(how)
    for how, made in _once(_HASHED, password):
        if await check(made):
            return findings.hashed_before(how)
    return findings.wrong_or_peppered(hasher, checked_here=checked_here)


def _once(ways: Mapping[str, Callable[[str], str]], password: str) -> Iterator[tuple[str, str]]:
    """What these ways make of the password, where that is something else than was tried already."""
    tried = {password}
    for how, make in ways.items():
        made = make(password)
        if made and made not in tried:
            tried.add(made)
            yield how, made


def _check_of(digest: str, hasher: str) -> Check | None:
    """The hasher's check of the digest; None for a digest of another form, or a hasher that is not known here."""
    try:
        check = hashers.READERS[hasher](digest)
    except (KeyError, ValueError):
        return None
    return lambda password: asyncio.to_thread(check, password)


def _limited(ask_clerk: Check) -> Check:
    left = MOST_AT_CLERK

    async def check(password: str) -> bool:
        nonlocal left
        left -= 1
        try:
            return left >= 0 and await ask_clerk(password)
        except UserLocked:
            left = 0
            return False

    return check
