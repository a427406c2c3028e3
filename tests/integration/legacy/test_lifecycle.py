"""What may happen to a login that AX checks: the rows of the table in docs/login.md."""

from tests.integration.bff.test_lifecycle import (
    CLIENT,
    test_a_bff_killed_between_the_steps,
    test_a_bff_killed_with_live_sessions,
    test_a_client_that_goes_away_in_the_middle_of_a_challenge,
    test_a_client_that_goes_away_in_the_middle_of_a_login,
    test_postgres_gone_and_back,
    test_two_replicas_take_turns,
)
from tests.integration.legacy.conftest import LegacyWorld

__all__ = [
    "test_a_bff_killed_between_the_steps",
    "test_a_bff_killed_with_live_sessions",
    "test_a_client_that_goes_away_in_the_middle_of_a_challenge",
    "test_a_client_that_goes_away_in_the_middle_of_a_login",
    "test_postgres_gone_and_back",
    "test_two_replicas_take_turns",
]


async def test_legacy_logs_in_whatever_clerk_does(world: LegacyWorld) -> None:
    """Invariant 6."""
    email = await world.add()
    bff = await world.bff()
    for fault in ({"drop": "before"}, {"latency_ms": 5000}, {"status": 500}, {"body": "<html></html>"}):
        world.emulator.add_fault({"match": CLIENT, "times": 100, **fault})
        assert (await bff.login(email)).status == 200
        world.emulator.clear_faults()


async def test_legacy_logs_in_without_clerk_configured(world: LegacyWorld) -> None:
    email = await world.add()
    bff = await world.bff(CLERK_SECRET_KEY=None, CLERK_PUBLISHABLE_KEY=None)
    assert (await bff.login(email)).status == 200
