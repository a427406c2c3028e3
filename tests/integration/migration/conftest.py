"""A database with AX's schema, an emulator, and a run of the import between them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from argon2 import PasswordHasher, Type
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.emulator import Emulator
from tests.postgres import Server
from toolkit import paths, schema
from toolkit.clerk import BackendClient, User
from toolkit.environment import Environment
from toolkit.migration.controls import Stop
from toolkit.migration.importer import Ended, import_users
from toolkit.migration.ledger import Outcome
from toolkit.migration.observer import Observer
from toolkit.migration.preflight import Report, make_report
from toolkit.migration.selection import Selection
from toolkit.migration.survey import Finding
from toolkit.playbook import Playbook

TOTP_KEY = bytes(range(32))
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
CHEAP_ARGON2I = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1, type=Type.I)
AX_SOURCE = {
    "view": "sql/sources/ax.sql",
    "link": "sql/sources/ax_link.sql",
    "migrations": ["sql/baseline", "sql/expand/toolkit", "sql/expand/ax"],
}
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"

SOURCES = Path(__file__).parent.parent / "sources"


@dataclass
class World:
    """AX's users in Postgres, and Clerk."""

    url: str
    connection: "asyncpg.Connection[asyncpg.Record]"
    emulator: Emulator
    settings: dict[str, Any] = field(default_factory=lambda: {"disabled_users": "ban"})
    source: dict[str, Any] = field(default_factory=dict)
    outcomes: list[Outcome] = field(default_factory=list)
    staying: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    """Whom the last preflight told of, with state and code."""

    @property
    def variables(self) -> dict[str, str]:
        return {
            "DATABASE_URL": self.url,
            "CLERK_SECRET_KEY": self.emulator.secret_key,
            "CLERK_PUBLISHABLE_KEY": self.emulator.publishable_key,
            "CLERK_API_URL": self.emulator.url,
            "CLERK_FRONTEND_API_URL": self.emulator.url,
            "AX_TOTP_KEY": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        }

    @property
    def environment(self) -> Environment:
        playbook = {
            "clerk_instance": "development",
            "import": self.settings,
            "source": self.source or AX_SOURCE,
        }
        return Environment("test", Playbook.model_validate(playbook), self.variables)

    async def add(
        self, email: str | None = "ada@example.com", password: str | None = "correct horse", **columns: Any
    ) -> str:
        """A row of AX's users; its id."""
        row = {
            "email": email,
            "hashed_password": CHEAP.hash(password) if password else None,
            "email_verified_at": datetime(2021, 1, 1, tzinfo=UTC),
            "created_at": datetime(2020, 2, 3, 4, 5, 6, tzinfo=UTC),
            **columns,
        }
        names, places = ", ".join(row), ", ".join(f"${n}" for n in range(1, len(row) + 1))
        return str(
            await self.connection.fetchval(
                f"INSERT INTO users ({names}) VALUES ({places}) RETURNING id::text",  # noqa: S608
                *row.values(),
            )
        )

    async def add_many(self, users: int) -> list[str]:
        """Ordinary users with the same password."""
        digest = CHEAP.hash("correct horse")
        records = await self.connection.fetch(
            "INSERT INTO users (email, hashed_password, email_verified_at) "
            "SELECT 'user' || n || '@example.com', $2, now() FROM generate_series(1, $1) AS n RETURNING id::text",
            users,
            digest,
        )
        return [record["id"] for record in records]

    async def run(
        self,
        *,
        rate: float | None = float("inf"),
        stop: Stop | None = None,
        observer: Observer | None = None,
        **selected: Any,
    ) -> Ended:
        """Import."""
        return await import_users(
            self.environment,
            Selection(**selected),
            rate=rate,
            stop=Stop() if stop is None else stop,
            observer=observer or Noting(self),
        )

    async def preflight(self, **selected: Any) -> Report:
        self.staying = {}
        return await make_report(self.environment, Selection(**selected), float("inf"), tell=self._told)

    def _told(self, user: Finding) -> None:
        self.staying[user.user_id] = (user.reason.state.value, user.reason.code)

    def clerk(self) -> BackendClient:
        return BackendClient(self.environment.clerk, rate=None)

    async def clerk_user(self, user_id: str) -> User | None:
        async with self.clerk() as clerk:
            return await clerk.find_user_by_external_id(user_id)

    async def password_works(self, user_id: str, password: str) -> bool:
        async with self.clerk() as clerk:
            user = await clerk.find_user_by_external_id(user_id)
            assert user is not None
            return await clerk.verify_password(user.id, password)

    async def clerk_id(self, user_id: str) -> str | None:
        value: str | None = await self.connection.fetchval(
            "SELECT clerk_id FROM users WHERE id::text = $1", user_id
        )
        return value

    async def ledger(self, user_id: str) -> tuple[str, str | None]:
        record = await self.connection.fetchrow(
            "SELECT state, error_code FROM clerk_migration.import_ledger WHERE user_id = $1", user_id
        )
        assert record is not None
        return record["state"], record["error_code"]

    def requests(self, operation: str = "POST /v1/users") -> int:
        """Requests that Clerk got for an operation."""
        return sum(self.emulator.stats()["requests"].get(operation, {}).values())


class Noting(Observer):
    """Notes what an import tells."""

    def __init__(self, world: World) -> None:
        self._world = world

    def settled(self, outcome: Outcome) -> None:
        self._world.outcomes.append(outcome)


@pytest.fixture
async def world(postgres: Server, emulator: Emulator) -> AsyncIterator[World]:
    url = postgres.create_database()
    connection = await asyncpg.connect(url)
    yield World(url, connection, emulator)
    await connection.close()


Open = Callable[[str], Awaitable[World]]


@pytest.fixture
def source_of(world: World, postgres: Server) -> Open:
    """Makes it a world whose users are in the table of a source of tests/integration/sources."""

    async def open_source(name: str) -> World:
        world.url = postgres.create_database(migrated=False)
        world.source = {
            "view": str(SOURCES / f"{name}.sql"),
            "link": str(SOURCES / f"{name}_link.sql"),
            "migrations": [str(paths.SQL / "expand" / "toolkit")],
        }
        await world.connection.close()
        world.connection = await asyncpg.connect(world.url)
        await world.connection.execute((SOURCES / f"{name}_schema.sql").read_text())
        source = world.environment.playbook.source
        schema.apply(world.url, source.migrations, source.view)
        return world

    return open_source


def with_totp(secret: str = SECRET) -> dict[str, Any]:
    """Columns of a user with a second factor, as AX keeps it."""
    nonce = b"0123456789ab"
    return {
        "enabled_2fa": True,
        "totp_cipher": AESGCM(TOTP_KEY).encrypt(nonce, secret.encode(), None),
        "nonce": nonce,
    }
