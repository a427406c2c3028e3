"""No answer tells which system an account is on, or that there is none, not even while Argon2 is busy (invariant 9)."""

import pytest

from tests import enumeration
from tests.enumeration import Flow
from tests.integration.bff.test_enumeration import FLOWS, tells_nothing
from tests.integration.legacy.conftest import LegacyWorld


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.__name__)
async def test_an_account_is_not_told_from_none_nor_a_system_from_the_other(
    world: LegacyWorld, flow: Flow
) -> None:
    await world.migrated("p.clerk@example.com")
    await world.legacy("p.legacy@example.com")
    await tells_nothing(world, flow, clerk="p.clerk@example.com", legacy="p.legacy@example.com", nobody=None)


async def test_a_wrong_code_does_not_tell_the_system(world: LegacyWorld) -> None:
    await world.migrated("p.clerk@example.com", totp=True)
    await world.legacy("p.legacy@example.com", totp=True)
    await tells_nothing(
        world, enumeration.wrong_factor, clerk="p.clerk@example.com", legacy="p.legacy@example.com"
    )
