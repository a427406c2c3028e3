"""The browser's pages, with users whom AX checks."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.emulator import Emulator
from tests.integration.bff.conftest import new_world
from tests.integration.legacy.conftest import LegacyWorld
from tests.postgres import Server


@pytest_asyncio.fixture(loop_scope="session")
async def world(postgres: Server, emulator: Emulator, tmp_path: Path) -> AsyncIterator[LegacyWorld]:
    async with new_world(LegacyWorld, postgres, emulator, tmp_path) as world:
        yield world
