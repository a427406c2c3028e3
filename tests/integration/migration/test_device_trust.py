"""What Clerk's Device Trust makes of those who are imported: with grace nobody is mailed a code at the first login."""

from typing import Any

import pytest

from tests.integration.migration.conftest import World, with_totp
from toolkit.clerk import FrontendClient
from toolkit.migration.ledger import Ledger
from toolkit.migration.links import Sent
from toolkit.migration.status import read_status

ADA = "ada@example.com"


async def sign_in(world: World, email: str = ADA) -> str:
    """How far the password leads on a device that Clerk does not know."""
    async with FrontendClient(world.environment.clerk) as clerk:
        return (await clerk.device(None, address=None).create_sign_in(email, "correct horse")).status


async def graces(world: World) -> int:
    return (await read_status(world.environment)).graces


async def test_with_grace_nobody_is_mailed_a_code_and_the_status_counts_whose_grace_runs(
    world: World,
) -> None:
    world.emulator.settings(client_trust=True)
    await world.add(ADA)
    await world.add("totp@example.com", **with_totp())
    await world.run()
    assert await sign_in(world) == "complete"
    assert await sign_in(world, "totp@example.com") == "needs_second_factor"
    assert await graces(world) == 1
    await world.connection.execute("DELETE FROM users WHERE email = $1", ADA)
    assert await graces(world) == 0


async def test_enforced_everybody_without_a_second_factor_is_mailed_a_code(world: World) -> None:
    world.settings["device_trust"] = "enforce"
    world.emulator.settings(client_trust=True)
    await world.add(ADA)
    await world.run()
    assert await sign_in(world) == "needs_client_trust"
    assert await graces(world) == 0


@pytest.mark.parametrize(("before", "after"), [({}, with_totp()), (with_totp(), {})])
async def test_a_second_factor_that_changes_during_the_import_takes_or_gives_the_grace(
    world: World, monkeypatch: pytest.MonkeyPatch, before: dict[str, Any], after: dict[str, Any]
) -> None:
    """Clerk and the database agree on whose grace runs."""
    user_id = await world.add(ADA, **before)
    link = Ledger.link
    changed = False

    async def change_then_link(ledger: Ledger, sent: Sent) -> bool:
        nonlocal changed
        if not changed:
            changed = True
            row = {"enabled_2fa": False, "totp_cipher": None, "nonce": None, **after}
            await world.connection.execute(
                "UPDATE users SET enabled_2fa = $1, totp_cipher = $2, nonce = $3", *row.values()
            )
        return await link(ledger, sent)

    monkeypatch.setattr(Ledger, "link", change_then_link)
    await world.run()
    made = world.emulator.get(f"/v1/users/{await world.clerk_id(user_id)}")
    assert made["bypass_client_trust"] is (not after)
    assert await graces(world) == int(not after)
