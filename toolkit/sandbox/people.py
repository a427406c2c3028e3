"""Believable people with home-made accounts, invented from a seed.

A person follows from the seed, their place, and how many there are, and from nothing else: the same ids,
addresses, passwords, salts and TOTP secrets come out every time. (The TOTP secrets are encrypted with the
sandbox's own key, so the ciphers differ between sandboxes.) A handful are broken on purpose, each in one way.
"""

import base64
import hashlib
import random
import re
import unicodedata
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache

from argon2.low_level import Type, hash_secret
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from faker import Faker

TOTP_SHARE = 0.15
STAFF_SHARE = 0.02

FIRST_SIGNUP = datetime(2019, 3, 1, tzinfo=UTC)
LAST_SIGNUP = datetime(2025, 6, 30, tzinfo=UTC)

STAFF_DOMAIN = "ax.example"
_DOMAINS = ("example.com", "example.net", "example.org", "mail.example.com", "Example.com")
_TAGS = ("ax", "shop", "news", "2fa", "clerk_test")
_LOCALES = (
    *(
        "en_US",
        "en_IN",
        "de_DE",
        "fr_FR",
        "es_MX",
        "pt_BR",
        "pl_PL",
        "tr_TR",
        "ru_RU",
        "uk_UA",
        "el_GR",
        "hy_AM",
    ),
    *("ka_GE", "he_IL", "ar_AA", "fa_IR", "hi_IN", "bn_BD", "ta_IN", "th_TH", "zh_CN", "ja_JP", "ko_KR"),
)
_POOL = 150
"""Names a locale."""

_NONCE_BYTES = 12
_CHEAP = (1, 8, 1)
"""Argon2's passes, memory (KiB) and lanes: the least it takes, because a sandbox needs many digests quickly."""
_OTHER_PARAMETERS = ((2, 64, 1), (1, 256, 4), (3, 1024, 2))


class Kind(StrEnum):
    """What is special about a person; from MALFORMED_DIGEST on, what is broken."""

    ORDINARY = "ordinary"
    UNVERIFIED = "unverified"
    DISABLED = "disabled"
    ARGON2I = "argon2i"
    OTHER_PARAMETERS = "other_parameters"
    MALFORMED_DIGEST = "malformed_digest"
    UNSUPPORTED_HASHER = "unsupported_hasher"
    INVALID_EMAIL = "invalid_email"
    EMAIL_CASE_TWIN = "email_case_twin"
    EMAIL_UNICODE_TWIN = "email_unicode_twin"
    UNDECRYPTABLE_TOTP = "undecryptable_totp"
    MALFORMED_TOTP = "malformed_totp"
    MISSING_TOTP = "missing_totp"


_BROKEN: Sequence[tuple[Kind, str | None]] = (
    (Kind.MALFORMED_DIGEST, None),
    (Kind.UNSUPPORTED_HASHER, None),
    (Kind.INVALID_EMAIL, "not-an-address@@example.com"),
    (Kind.EMAIL_CASE_TWIN, "Robin.Twin@example.com"),
    (Kind.EMAIL_CASE_TWIN, "robin.twin@example.com"),
    (Kind.EMAIL_UNICODE_TWIN, unicodedata.normalize("NFC", "zoë.twin@example.com")),
    (Kind.EMAIL_UNICODE_TWIN, unicodedata.normalize("NFD", "zoë.twin@example.com")),
    (Kind.UNDECRYPTABLE_TOTP, None),
    (Kind.MALFORMED_TOTP, None),
    (Kind.MISSING_TOTP, None),
)
"""What is broken, once each, and the address that it takes."""

FEWEST_WITH_BROKEN = 2 * len(_BROKEN)
"""Fewer people than this are all sound."""

_SHARES = (
    (0.05, Kind.UNVERIFIED),
    (0.02, Kind.DISABLED),
    (0.01, Kind.ARGON2I),
    (0.01, Kind.OTHER_PARAMETERS),
)


@dataclass(frozen=True, slots=True)
class Person:
    """A row of AX's users table, and what only its owner knows."""

    kind: Kind
    id: uuid.UUID
    email: str
    password: str = field(repr=False)
    totp_secret: str | None = field(repr=False)
    """Base32; None without a second factor, and when the stored one is of no use."""
    hashed_password: str = field(repr=False)
    email_verified_at: datetime | None
    enabled_2fa: bool
    totp_cipher: bytes | None = field(repr=False)
    nonce: bytes | None = field(repr=False)
    first_name: str
    last_name: str
    created_at: datetime
    updated_at: datetime
    disabled_at: datetime | None


def people(count: int, seed: int, totp_key: bytes) -> Iterator[Person]:
    """`count` people, the broken ones spread among them. `totp_key` is AX's key for TOTP secrets (AES-256)."""
    broken = _broken_places(count)
    for place in range(count):
        yield _person(place, seed, totp_key, broken.get(place))


def _broken_places(count: int) -> Mapping[int, tuple[Kind, str | None]]:
    if count < FEWEST_WITH_BROKEN:
        return {}
    return {(2 * i + 1) * count // (2 * len(_BROKEN)): broken for i, broken in enumerate(_BROKEN)}


def _person(place: int, seed: int, totp_key: bytes, broken: tuple[Kind, str | None] | None) -> Person:
    chance = random.Random(f"{seed}/{place}")  # noqa: S311 - reproducible on purpose
    names = _names(chance.choice(_LOCALES))
    first_name, last_name = chance.choice(names.first), chance.choice(names.last)
    kind = _kind(chance)
    email = _email(chance, chance.choice(names.handles), place)
    if broken:
        kind, email = broken[0], broken[1] or email
    password = _password(chance, first_name)
    totp = _totp(chance, kind, totp_key)
    created_at = FIRST_SIGNUP + chance.random() * (LAST_SIGNUP - FIRST_SIGNUP)
    return Person(
        kind=kind,
        id=uuid.UUID(int=chance.getrandbits(128), version=4),
        email=email,
        password=password,
        totp_secret=totp.secret,
        hashed_password=_digest(chance, kind, password),
        email_verified_at=None
        if kind is Kind.UNVERIFIED
        else created_at + timedelta(minutes=chance.randint(1, 90)),
        enabled_2fa=totp.enabled,
        totp_cipher=totp.cipher,
        nonce=totp.nonce,
        first_name=first_name,
        last_name=last_name,
        created_at=created_at,
        updated_at=created_at + timedelta(days=chance.random() * 100),
        disabled_at=created_at + timedelta(days=110) if kind is Kind.DISABLED else None,
    )


@dataclass(frozen=True, slots=True)
class _Names:
    first: Sequence[str]
    last: Sequence[str]
    handles: Sequence[str]
    """Names in Latin letters, for addresses."""


@cache
def _names(locale: str) -> _Names:
    faker = Faker(locale)
    faker.seed_instance(locale)
    handles = (re.sub("[^a-z]", "", faker.user_name()) for _ in range(_POOL))
    return _Names(
        first=[faker.first_name() for _ in range(_POOL)],
        last=[faker.last_name() for _ in range(_POOL)],
        handles=[handle for handle in handles if len(handle) > 2],
    )


def _kind(chance: random.Random) -> Kind:
    at = chance.random()
    for share, kind in _SHARES:
        if at < share:
            return kind
        at -= share
    return Kind.ORDINARY


def _email(chance: random.Random, handle: str, place: int) -> str:
    """An address that nobody else has, because the place in the list is in it."""
    if chance.random() < STAFF_SHARE:
        return f"{handle}{place}@{STAFF_DOMAIN}"
    if chance.random() < 0.15:
        handle = handle.title()
    tag = f"+{chance.choice(_TAGS)}" if chance.random() < 0.05 else ""
    return f"{handle}{place}{tag}@{chance.choice(_DOMAINS)}"


def _password(chance: random.Random, first_name: str) -> str:
    """At least eight characters; now and then in the person's own script."""
    if chance.random() < 0.05:
        return f"{first_name} {chance.randrange(10**6, 10**7)}"
    words = _names("en_US")
    return f"{chance.choice(words.last)}-{chance.choice(words.handles)}-{chance.randrange(1000, 10000)}"


def _digest(chance: random.Random, kind: Kind, password: str) -> str:
    variant = {Kind.ARGON2I: Type.I, Kind.UNSUPPORTED_HASHER: Type.D}.get(kind, Type.ID)
    parameters = chance.choice(_OTHER_PARAMETERS) if kind is Kind.OTHER_PARAMETERS else _CHEAP
    digest = hash_secret(
        password.encode(), chance.randbytes(16), *parameters, hash_len=32, type=variant
    ).decode()
    return digest[: len(digest) // 2] if kind is Kind.MALFORMED_DIGEST else digest


@dataclass(frozen=True, slots=True)
class _Totp:
    enabled: bool = False
    secret: str | None = field(default=None, repr=False)
    cipher: bytes | None = field(default=None, repr=False)
    nonce: bytes | None = None


def _totp(chance: random.Random, kind: Kind, key: bytes) -> _Totp:
    """The second factor: AES-256-GCM over the base32 text, a nonce of 12 bytes, no associated data."""
    wanted = chance.random() < TOTP_SHARE
    secret, nonce = base64.b32encode(chance.randbytes(20)).decode(), chance.randbytes(_NONCE_BYTES)
    if kind is Kind.MISSING_TOTP:
        return _Totp(enabled=True)
    if kind is Kind.UNDECRYPTABLE_TOTP:
        other_key = hashlib.sha256(key).digest()
        return _Totp(
            enabled=True, cipher=AESGCM(other_key).encrypt(nonce, secret.encode(), None), nonce=nonce
        )
    if kind is Kind.MALFORMED_TOTP:
        return _Totp(enabled=True, cipher=AESGCM(key).encrypt(nonce, b"0189-not-base32", None), nonce=nonce)
    if not wanted:
        return _Totp()
    return _Totp(True, secret, AESGCM(key).encrypt(nonce, secret.encode(), None), nonce)
