"""Filling AX's tables with people, invites and API keys, and noting what a tester must know.

Everything goes in by one transaction: a seed that is killed leaves the tables empty, and may be run again.
"""

import asyncio
import base64
import hashlib
import itertools
import json
import random
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TextIO

import aiosql
import asyncpg

from toolkit import schema
from toolkit.database import Connection, Expected, database_errors
from toolkit.errors import ToolkitError
from toolkit.paths import QUERIES, SQL
from toolkit.sandbox import state
from toolkit.sandbox.people import LAST_SIGNUP, Person, people
from toolkit.sandbox.state import Sandbox

MIGRATIONS = (SQL / "baseline", SQL / "expand" / "toolkit", SQL / "expand" / "ax")
SOURCE_VIEW = SQL / "sources" / "ax.sql"

PEOPLE_TO_AN_API_KEY = 50
INVITES = 20
BATCH = 2000
_NEVER = datetime(2099, 12, 31, tzinfo=UTC)

_USERS = (
    *("id", "email", "hashed_password", "email_verified_at", "enabled_2fa", "totp_cipher", "nonce"),
    *("first_name", "last_name", "created_at", "updated_at", "disabled_at"),
)
_API_KEYS = ("id", "user_id", "name", "key_hash", "created_at", "revoked_at")
_INVITES = ("id", "code_hash", "uses_left", "created_at", "expires_at")

_queries: Any = aiosql.from_path(QUERIES / "sandbox.sql", "asyncpg")

Progress = Callable[[int], None]
"""Told, after each person, how many there are so far."""


class AlreadySeeded(ToolkitError):
    """AX's tables have users already."""


def seed(count: int, number: int, progress: Progress = lambda _: None) -> Sandbox:
    """Fill the running sandbox with `count` people that follow from `number`; the schema is brought up to date first.

    Raises SandboxStopped or AlreadySeeded, and what `schema.apply` raises.
    """
    sandbox = state.running()
    with state.lock():
        schema.apply(sandbox.postgres.url, MIGRATIONS, SOURCE_VIEW, Expected(sandbox=True))
        with database_errors(sandbox.postgres.url):
            asyncio.run(_fill(sandbox, count, number, progress))
    return sandbox


async def _fill(sandbox: Sandbox, count: int, number: int, progress: Progress) -> None:
    connection = await asyncpg.connect(sandbox.postgres.url)
    try:
        async with connection.transaction():
            if users := await _queries.sandbox_count_users(connection):
                raise AlreadySeeded(
                    f"The sandbox has {users:,} users already. Empty it first: `python -m toolkit sandbox reset`."
                )
            # The files are in place before the commit: users that nobody knows the passwords of would be worse
            # than passwords without users, which the next seed overwrites.
            with (
                state.private_file(sandbox.users_file) as users_file,
                state.private_file(sandbox.secrets_file) as secrets_file,
            ):
                seeding = _Seeding(connection, number, users_file, secrets_file, progress)
                await seeding.fill(people(count, number, base64.b64decode(sandbox.settings.totp_key)))
        await _queries.sandbox_analyze(connection)
    finally:
        await connection.close()


@dataclass
class _Seeding:
    """One seed under way."""

    connection: Connection
    number: int
    users_file: TextIO
    secrets_file: TextIO
    progress: Progress
    api_keys: list[tuple[object, ...]] = field(default_factory=list)

    async def fill(self, everybody: Iterator[Person]) -> None:
        """Write all tables and both files."""
        await self._copy("users", _USERS, self._users(everybody))
        await self._copy("api_keys", _API_KEYS, iter(self.api_keys))
        await self._copy("invites", _INVITES, self._invites())

    async def _copy(self, table: str, columns: tuple[str, ...], rows: Iterator[tuple[object, ...]]) -> None:
        # In batches that are made before they are sent: Ctrl-C then never meets a COPY that has begun.
        while batch := list(itertools.islice(rows, BATCH)):
            await self.connection.copy_records_to_table(table, records=batch, columns=columns)

    def _users(self, everybody: Iterator[Person]) -> Iterator[tuple[object, ...]]:
        for place, person in enumerate(everybody):
            self._note(
                self.users_file,
                id=str(person.id),
                email=person.email,
                password=person.password,
                totp_secret=person.totp_secret,
                kind=person.kind.value,
            )
            if place % PEOPLE_TO_AN_API_KEY == 0:
                self.api_keys.append(self._api_key(place, person))
            self.progress(place + 1)
            yield tuple(getattr(person, column) for column in _USERS)

    def _api_key(self, place: int, person: Person) -> tuple[object, ...]:
        chance = self._chance(f"api-key/{place}")
        key = "ax_" + base64.urlsafe_b64encode(chance.randbytes(32)).decode().rstrip("=")
        revoked_at = person.updated_at if chance.random() < 0.1 else None
        self._note(
            self.secrets_file, type="api_key", user_id=str(person.id), key=key, revoked=revoked_at is not None
        )
        return (_id(chance), person.id, "Command line", _hash(key), person.updated_at, revoked_at)

    def _invites(self) -> Iterator[tuple[object, ...]]:
        """Most are open; of the last two, one is used up and one expired."""
        for place in range(INVITES):
            chance = self._chance(f"invite/{place}")
            code = f"AX-{base64.b32encode(chance.randbytes(10)).decode()}"
            used_up, expired = place == INVITES - 2, place == INVITES - 1
            uses_left = 0 if used_up else chance.choice((1, 1, 1, 5, 25))
            self._note(self.secrets_file, type="invite", code=code, uses_left=uses_left, expired=expired)
            yield (_id(chance), _hash(code), uses_left, LAST_SIGNUP, LAST_SIGNUP if expired else _NEVER)

    def _chance(self, what: str) -> random.Random:
        return random.Random(f"{self.number}/{what}")  # noqa: S311 - reproducible on purpose

    @staticmethod
    def _note(file: TextIO, **values: object) -> None:
        file.write(json.dumps(values, ensure_ascii=False) + "\n")


def _id(chance: random.Random) -> uuid.UUID:
    return uuid.UUID(int=chance.getrandbits(128), version=4)


def _hash(secret: str) -> bytes:
    """What AX stores of a secret with enough randomness of its own: SHA-256."""
    return hashlib.sha256(secret.encode()).digest()
