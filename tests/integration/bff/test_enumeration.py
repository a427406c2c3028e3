"""No answer tells who has an account: a few dozen of each kind of address are told apart by nothing (invariant 9).

`make bench` does the same with hundreds.
"""

import pytest

from tests import enumeration
from tests.enumeration import Flow, compare, lift_limits, nobody
from tests.integration.bff.conftest import World

TIMES = 20
"""So many that times which have nothing in common are told apart at a p below LEAST."""
LEAST = 1e-6
"""Less than ever comes by chance; whatever else the machine does meets all kinds alike."""
LATENCY_MS = 80


async def tells_nothing(world: World, flow: Flow, **kinds: str | None) -> None:
    """Hold kinds of addresses against each other: each its address, None for one that nobody has."""
    lift_limits(world)
    world.login.update(failure_seconds=0.4, legacy_slots=1)
    world.signup.update(answer_seconds=0.7, clerk_seconds=10)
    await world.switch("signup", "clerk")
    await world.invite(uses=1_000_000)
    bff = await world.bff()
    world.emulator.settings(latency_ms=LATENCY_MS)
    addresses = {kind: (lambda email=email: email or nobody()) for kind, email in kinds.items()}
    found = await compare(flow, bff, addresses, TIMES, at_once=10)
    world.emulator.settings(latency_ms=0)
    for step, answers in found.items():
        assert answers.alike, (step, dict(answers.words))
        assert answers.p > LEAST, (step, answers.p, dict(answers.seconds))


FLOWS = [enumeration.wrong_password, enumeration.signup, enumeration.reset]


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.__name__)
async def test_an_account_is_not_told_from_none(world: World, flow: Flow) -> None:
    await world.migrated("p.clerk@example.com")
    await tells_nothing(world, flow, clerk="p.clerk@example.com", nobody=None)
