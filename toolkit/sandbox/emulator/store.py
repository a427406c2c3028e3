"""The emulator's state, in SQLite: survives a restart and a kill, and holds a million users in little memory."""

import asyncio
import os
import sqlite3
import time
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import orjson

_SCHEMA = """
CREATE TABLE IF NOT EXISTS users (
    id TEXT PRIMARY KEY, external_id TEXT UNIQUE, username TEXT UNIQUE, created_at INTEGER, record BLOB
);
CREATE INDEX IF NOT EXISTS users_by_age ON users (created_at, id);
CREATE TABLE IF NOT EXISTS emails (address TEXT PRIMARY KEY, id TEXT UNIQUE, user_id TEXT) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS emails_by_user ON emails (user_id);
CREATE TABLE IF NOT EXISTS phones (number TEXT PRIMARY KEY, id TEXT UNIQUE, user_id TEXT) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS phones_by_user ON phones (user_id);
CREATE TABLE IF NOT EXISTS things (kind TEXT, id TEXT, user_id TEXT, record BLOB, PRIMARY KEY (kind, id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS things_by_user ON things (user_id, kind) WHERE user_id IS NOT NULL;
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID;
"""
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

Value = str | int | None


_ahead_ms = 0


def now_ms() -> int:
    """The instance's time in milliseconds since 1970, with what the clock was put forward by."""
    return time.time_ns() // 1_000_000 + _ahead_ms


def set_clock(ahead_ms: int) -> None:
    """Put the clock of this process forward. Everything goes by it."""
    global _ahead_ms
    _ahead_ms = ahead_ms


def clock_ahead_ms() -> int:
    """How far the clock was put forward."""
    return _ahead_ms


def new_id(prefix: str) -> str:
    """An id as Clerk makes them: a KSUID (seconds and 16 random bytes, 27 digits of base 62) behind a prefix."""
    number = int.from_bytes((int(time.time()) - 1_400_000_000).to_bytes(4, "big") + os.urandom(16), "big")
    digits = []
    for _ in range(27):
        number, digit = divmod(number, 62)
        digits.append(_ALPHABET[digit])
    return f"{prefix}_{''.join(reversed(digits))}"


def normalize_email(address: str) -> str:
    """The form in which addresses are compared: NFKC, lower case, no blanks around."""
    return unicodedata.normalize("NFKC", address.strip()).lower()


@dataclass
class Email:
    """An email address of a user."""

    id: str
    email_address: str
    status: str
    """verified, reserved or unverified."""
    created_at: int
    updated_at: int
    code: dict[str, object] | None = None
    """The code that was sent last."""

    @property
    def identifies(self) -> bool:
        """Verified or reserved: the user can sign in with it."""
        return self.status != "unverified"


@dataclass
class Phone:
    """A phone number of a user."""

    id: str
    phone_number: str
    created_at: int
    updated_at: int
    verified: bool = False
    reserved_for_second_factor: bool = False
    default_second_factor: bool = False
    code: dict[str, object] | None = None
    """The code that was sent last."""

    @property
    def identifies(self) -> bool:
        """Verified, and no second factor: the user can sign in with it where the instance lets them."""
        return self.verified and not self.reserved_for_second_factor

    @property
    def is_second_factor(self) -> bool:
        """Verified, and reserved for that."""
        return self.verified and self.reserved_for_second_factor


@dataclass
class User:
    """A user, including what Clerk never shows."""

    id: str
    created_at: int
    updated_at: int
    external_id: str | None = None
    username: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    locale: str | None = None
    emails: list[Email] = field(default_factory=list)
    primary_email_address_id: str | None = None
    password_digest: str | None = None
    password_hasher: str | None = None
    password_last_updated_at: int | None = None
    totp_secret: str | None = None
    totp_last_step: int = 0
    totp_pending: str | None = None
    """The secret of an authenticator that is not proven yet."""
    backup_codes: list[str] = field(default_factory=list)
    phones: list[Phone] = field(default_factory=list)
    mfa_enabled_at: int | None = None
    mfa_disabled_at: int | None = None
    public_metadata: dict[str, object] = field(default_factory=dict)
    private_metadata: dict[str, object] = field(default_factory=dict)
    unsafe_metadata: dict[str, object] = field(default_factory=dict)
    banned: bool = False
    locked: bool = False
    locked_until: int | None = None
    failed_attempts: int = 0
    """Since the last sign-in or lock."""
    password_compromised: bool = False
    last_sign_in_at: int | None = None
    last_active_at: int | None = None
    delete_self_enabled: bool = True
    create_organization_enabled: bool = True
    create_organizations_limit: int | None = None
    legal_accepted_at: int | None = None
    bypass_client_trust: bool = False

    @property
    def has_second_factor(self) -> bool:
        """A password alone is not enough."""
        return self.totp_secret is not None or any(phone.is_second_factor for phone in self.phones)

    @property
    def identifiers(self) -> list[str]:
        """Addresses, numbers and the name that tell who the user is."""
        names = [self.username] if self.username is not None else []
        return [
            *(email.email_address for email in self.emails),
            *(phone.phone_number for phone in self.phones),
            *names,
        ]

    def settle_second_factors(self) -> None:
        """Bring up to date what follows from the second factors: since when there are any, and which is the default."""
        was_on = self.mfa_enabled_at is not None and self.mfa_enabled_at > (self.mfa_disabled_at or 0)
        if self.has_second_factor and not was_on:
            self.mfa_enabled_at = now_ms()
        elif was_on and not self.has_second_factor:
            self.mfa_disabled_at = now_ms()
        for phone in self.phones:
            phone.default_second_factor = phone.default_second_factor and phone.is_second_factor
        factors = [phone for phone in self.phones if phone.is_second_factor]
        if factors and self.totp_secret is None and not any(phone.default_second_factor for phone in factors):
            factors[0].default_second_factor = True

    @property
    def primary_email(self) -> Email | None:
        """The address that messages go to."""
        return next((email for email in self.emails if email.id == self.primary_email_address_id), None)

    @property
    def is_locked(self) -> bool:
        """Locked, and the time is not over."""
        return self.locked and (self.locked_until is None or self.locked_until > now_ms())

    @property
    def lockout_seconds(self) -> int | None:
        """Seconds until the lock ends; None when the user is not locked, or for good."""
        if not self.is_locked or self.locked_until is None:
            return None
        return -(-(self.locked_until - now_ms()) // 1000)

    @classmethod
    def from_bytes(cls, record: bytes) -> "User":
        """Read a record."""
        content = orjson.loads(record)
        content["emails"] = [Email(**email) for email in content["emails"]]
        content["phones"] = [Phone(**phone) for phone in content.get("phones", ())]
        return cls(**content)


class Store:
    """Everything that the emulated instance knows.

    Changes that come close together share a transaction. Before a change is answered for, `written` is awaited, so that
    whatever was answered survives a kill.
    """

    GATHER = 0.003
    """Seconds for which a transaction waits for more changes."""

    def __init__(self, path: Path | None) -> None:
        if path is not None:
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # it holds digests and TOTP secrets
        # Without a path SQLite keeps the state in a temporary file of its own.
        self._connection = sqlite3.connect(path or "", timeout=1, isolation_level=None, cached_statements=256)
        self._connection.execute("PRAGMA locking_mode = EXCLUSIVE")  # one emulator a file
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = OFF")  # a kill loses nothing, a power cut may
        self._connection.execute("PRAGMA cache_size = -65536")
        self._connection.executescript(_SCHEMA)
        self._writing: asyncio.Task[None] | None = None
        self.users = self._value("SELECT value FROM counters WHERE name = 'users'") or 0

    def close(self) -> None:
        """Close the file."""
        self._commit()
        self._connection.close()

    async def written(self) -> None:
        """Wait until all changes so far are written."""
        if not self._connection.in_transaction:
            return
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_soon())
        await asyncio.shield(self._writing)

    async def _write_soon(self) -> None:
        await asyncio.sleep(self.GATHER)
        self._writing = None
        self._commit()

    def _commit(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("COMMIT")

    def clear(self) -> None:
        """Forget every user, and all that belongs to them."""
        self._begin()
        for table in ("users", "emails", "phones", "counters"):
            self._connection.execute(f"DELETE FROM {table}")  # noqa: S608 - names from the line above
        self._connection.execute("DELETE FROM things WHERE kind NOT IN ('settings', 'signing_key')")
        self.users = 0

    def add(self, user: User) -> str | None:
        """Add a user; the parameter that somebody else has already, or None when it is added."""
        taken = self._taken(user)
        if taken:
            return taken
        self._begin()
        self._connection.execute(
            "INSERT INTO users VALUES (?, ?, ?, ?, ?)",
            (user.id, user.external_id, user.username, user.created_at, orjson.dumps(user)),
        )
        self._add_identifications(user)
        self._count(+1)
        return None

    def save(self, user: User) -> str | None:
        """Write a changed user; the parameter that somebody else has already, or None when it is written."""
        taken = self._taken(user)
        if taken:
            return taken
        self._begin()
        self._connection.execute(
            "UPDATE users SET external_id = ?, username = ?, created_at = ?, record = ? WHERE id = ?",
            (user.external_id, user.username, user.created_at, orjson.dumps(user), user.id),
        )
        self._remove_identifications(user.id)
        self._add_identifications(user)
        return None

    def delete(self, user_id: str) -> None:
        """Remove a user and all that belongs to it."""
        self._begin()
        self._connection.execute("DELETE FROM users WHERE id = ?", (user_id,))
        self._remove_identifications(user_id)
        self._connection.execute("DELETE FROM things WHERE user_id = ?", (user_id,))
        self._count(-1)

    def get(self, user_id: str) -> User | None:
        """The user with this id."""
        row = self._connection.execute("SELECT record FROM users WHERE id = ?", (user_id,)).fetchone()
        return User.from_bytes(row[0]) if row else None

    def owner_of(self, identification_id: str) -> User | None:
        """The user whose email address or phone number has this id."""
        row = self._connection.execute(
            "SELECT user_id FROM emails WHERE id = ?1 UNION ALL SELECT user_id FROM phones WHERE id = ?1",
            (identification_id,),
        ).fetchone()
        return self.get(row[0]) if row else None

    def with_email(self, address: str) -> User | None:
        """The user with this address."""
        row = self._connection.execute(
            "SELECT user_id FROM emails WHERE address = ?", (normalize_email(address),)
        ).fetchone()
        return self.get(row[0]) if row else None

    def with_phone(self, number: str) -> User | None:
        """The user with this number."""
        row = self._connection.execute("SELECT user_id FROM phones WHERE number = ?", (number,)).fetchone()
        return self.get(row[0]) if row else None

    def find(self, where: str, values: Sequence[Value], order: str, limit: int, offset: int) -> list[User]:
        """Users that a condition holds for."""
        rows = self._connection.execute(
            f"SELECT record FROM users WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?",  # noqa: S608 - from users.py
            (*values, limit, offset),
        )
        return [User.from_bytes(row[0]) for row in rows]

    def count(self, where: str, values: Sequence[Value]) -> int:
        """How many users a condition holds for."""
        if where == "1":
            return self.users
        return self._value(f"SELECT count(*) FROM users WHERE {where}", values) or 0  # noqa: S608 - from users.py

    def put_thing(self, kind: str, thing_id: str, user_id: str | None, record: object) -> None:
        """Write a thing: a session, a sign-in token, the settings, or the like."""
        self._begin()
        self._connection.execute(
            "INSERT OR REPLACE INTO things VALUES (?, ?, ?, ?)",
            (kind, thing_id, user_id, orjson.dumps(record)),
        )

    def get_thing(self, kind: str, thing_id: str) -> dict[str, object] | None:
        """Read a thing."""
        row = self._connection.execute(
            "SELECT record FROM things WHERE kind = ? AND id = ?", (kind, thing_id)
        ).fetchone()
        return orjson.loads(row[0]) if row else None

    def delete_thing(self, kind: str, thing_id: str) -> None:
        """Remove a thing."""
        self._begin()
        self._connection.execute("DELETE FROM things WHERE kind = ? AND id = ?", (kind, thing_id))

    def things_of(self, kind: str, user_id: str | None) -> list[dict[str, object]]:
        """All things of a kind, newest first; those of one user, or everybody's."""
        of_user, values = ("AND user_id = ?", (kind, user_id)) if user_id is not None else ("", (kind,))
        rows = self._connection.execute(
            f"SELECT record FROM things WHERE kind = ? {of_user} ORDER BY id DESC",  # noqa: S608 - from the line above
            values,
        )
        return [orjson.loads(row[0]) for row in rows]

    def _add_identifications(self, user: User) -> None:
        for email in user.emails:
            self._connection.execute(
                "INSERT INTO emails VALUES (?, ?, ?)",
                (normalize_email(email.email_address), email.id, user.id),
            )
        for phone in user.phones:
            self._connection.execute(
                "INSERT INTO phones VALUES (?, ?, ?)", (phone.phone_number, phone.id, user.id)
            )

    def _remove_identifications(self, user_id: str) -> None:
        self._connection.execute("DELETE FROM emails WHERE user_id = ?", (user_id,))
        self._connection.execute("DELETE FROM phones WHERE user_id = ?", (user_id,))

    def _taken(self, user: User) -> str | None:
        for column in ("external_id", "username"):
            value = getattr(user, column)
            query = f"SELECT 1 FROM users WHERE {column} = ? AND id <> ?"  # noqa: S608 - a column of two
            if value is not None and self._value(query, (value, user.id)):
                return column
        for email in user.emails:
            address = normalize_email(email.email_address)
            if self._value("SELECT 1 FROM emails WHERE address = ? AND user_id <> ?", (address, user.id)):
                return "email_address"
        for phone in user.phones:
            query = "SELECT 1 FROM phones WHERE number = ? AND user_id <> ?"
            if self._value(query, (phone.phone_number, user.id)):
                return "phone_number"
        return None

    def _count(self, change: int) -> None:
        self._connection.execute(
            "INSERT INTO counters VALUES ('users', ?) ON CONFLICT DO UPDATE SET value = value + excluded.value",
            (change,),
        )
        self.users += change

    def _value(self, query: str, values: Sequence[Value] = ()) -> int | None:
        row = self._connection.execute(query, values).fetchone()
        return row[0] if row else None

    def _begin(self) -> None:
        if not self._connection.in_transaction:
            self._connection.execute("BEGIN IMMEDIATE")
