"""Signups as dead processes leave them: rows, users in Clerk, and no BFF."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from tests.emulator import Emulator
from tests.integration.bff.conftest import PASSWORD, World, new_world
from tests.postgres import Server
from toolkit.sweep.signups import State


class LeftWorld(World):
    """A world in which signups were left, each with an invite of its own, by the signup's number."""

    async def leave(self, number: int, state: State, *, hours: int = 1, clerk_id_known: bool = True) -> UUID:
        """A signup that came as far as this, so long ago, and whose user Clerk has; its id."""
        user_id, email = uuid4(), f"new{number}@example.com"
        async with self.clerk() as clerk:
            user = await clerk.create_user(
                external_id=str(user_id), email_address=email, email_status="reserved", password=PASSWORD
            )
        if state in ("row_created", "code_sent"):
            await self.row(email, id=user_id, clerk_id=user.id)
        await self.invite(str(number), uses=0)
        return UUID(
            str(
                await self.connection.fetchval(
                    """
                    INSERT INTO clerk_migration.signups (
                        state, user_id, email, delivery, clerk_id, created_at, updated_at, invite_id
                    )
                    SELECT $1, $2, $3, 'cookie', $4, now() - $5 * interval '1 hour', now() - $5 * interval '1 hour', id
                    FROM invites WHERE code_hash = sha256($6)
                    RETURNING id
                    """,
                    state,
                    str(user_id),
                    email,
                    user.id if clerk_id_known else None,
                    hours,
                    str(number).encode(),
                )
            )
        )

    async def states(self) -> list[str]:
        """The states of all signups, the oldest first."""
        records = await self.connection.fetch("SELECT state FROM clerk_migration.signups ORDER BY created_at")
        return [record["state"] for record in records]


@pytest.fixture
async def world(postgres: Server, emulator: Emulator, tmp_path: Path) -> AsyncIterator[LeftWorld]:
    async with new_world(LeftWorld, postgres, emulator, tmp_path) as world:
        yield world
