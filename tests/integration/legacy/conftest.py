"""A BFF with users whom AX checks itself."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pyotp
import pytest
from argon2 import PasswordHasher, extract_parameters
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.emulator import Emulator
from tests.integration.bff.conftest import PASSWORD, SECRET, TOTP_KEY, Bff, World, new_world
from tests.postgres import Server

CHEAP = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
NONCE = b"n" * 12


class LegacyWorld(World):
    """A world whose users are checked by AX."""

    system = "legacy"

    async def bff(self, constants: Mapping[str, object] | None = None, **changed: str | None) -> Bff:
        """Start a BFF to which a digest that `CHEAP` makes is strong enough."""
        cheap = {"bff.legacy.digests.POLICY": extract_parameters(CHEAP.hash(""))}
        return await super().bff({**cheap, **(constants or {})}, **changed)

    async def legacy(self, email: str = "legacy@example.com", *, totp: bool = False, **columns: Any) -> str:
        """A user whom AX checks; the id."""
        if totp:
            cipher = AESGCM(TOTP_KEY).encrypt(NONCE, SECRET.encode(), None)
            columns = {"enabled_2fa": True, "totp_cipher": cipher, "nonce": NONCE, **columns}
        return await self.row(email, **{"hashed_password": CHEAP.hash(PASSWORD), **columns})

    async def moved(self, email: str = "clerk@example.com", *, old_password: str) -> str:
        """A user whom Clerk checks, and whose row still has the digest of an old password; the Clerk id."""
        async with self.clerk() as clerk:
            made = await clerk.create_user(email_address=email, password=PASSWORD)
        await self.row(email, clerk_id=made.id, hashed_password=CHEAP.hash(old_password))
        return made.id

    async def move(self, email: str) -> None:
        """Move a user to Clerk, with the password."""
        async with self.clerk() as clerk:
            made = await clerk.create_user(email_address=email, password=PASSWORD)
        await self.connection.execute("UPDATE users SET clerk_id = $1 WHERE email = $2", made.id, email)

    async def reset_state(self) -> bytes:
        """What the newest reset remembers, encrypted; a few bytes as long as its code is on its way."""
        return bytes(
            await self.connection.fetchval(
                "SELECT state_cipher FROM clerk_migration.challenges WHERE purpose = 'reset' "
                "ORDER BY created_at DESC LIMIT 1"
            )
        )

    @asynccontextmanager
    async def nothing_written_down(self) -> AsyncIterator[None]:
        """No security event can be written: whatever is to be written with one is not, either."""
        await self.connection.execute(
            """
            CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                RAISE EXCEPTION 'no';
            END $$;
            CREATE TRIGGER no BEFORE INSERT ON clerk_migration.security_events EXECUTE FUNCTION no();
            """
        )
        yield
        await self.connection.execute("DROP TRIGGER no ON clerk_migration.security_events")

    async def fresh_code(self, secret: str = SECRET) -> str:
        await self.connection.execute("DELETE FROM clerk_migration.spent_codes")
        return pyotp.TOTP(secret).now()

    async def add(self, email: str = "somebody@example.com", *, totp: bool = False) -> str:
        await self.legacy(email, totp=totp)
        return email


@pytest.fixture
async def world(postgres: Server, emulator: Emulator, tmp_path: Path) -> AsyncIterator[LegacyWorld]:
    async with new_world(LegacyWorld, postgres, emulator, tmp_path) as world:
        yield world
