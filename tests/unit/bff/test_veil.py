"""When answers leave that must tell nothing (invariant 9), by a clock of their own."""

import asyncio
import math
import time

import pytest

from bff.refusals import AuthenticationUnavailable, CodeInvalid, CredentialsInvalid, Unexplained
from bff.veil import MOST_STEPS, SLOW_SECONDS, Veil

SECONDS = 0.5


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def late(veil: Veil, clock: Clock, took: float, *, lasting: bool = True) -> float:
    """How long after its request something is answered that took so long."""
    started = clock.now
    clock.now += took
    due = veil.due(started, lasting=lasting)
    clock.now = max(clock.now, due)
    return round(due - started, 6)


def test_whatever_takes_less_than_a_step_is_answered_after_one(clock: Clock) -> None:
    veil = Veil(SECONDS, clock)
    assert [late(veil, clock, took) for took in (0, 0.1, 0.3, 0.499)] == [SECONDS] * 4


def test_once_one_was_late_all_are_for_a_while(clock: Clock) -> None:
    veil = Veil(SECONDS, clock)
    assert late(veil, clock, 1.1) == 3 * SECONDS
    assert [late(veil, clock, took) for took in (0, 0.6, 1.2)] == [3 * SECONDS] * 3
    clock.now += SLOW_SECONDS
    assert late(veil, clock, 0) == SECONDS


def test_lateness_goes_on_as_long_as_some_are_as_late(clock: Clock) -> None:
    veil = Veil(SECONDS, clock)
    for _ in range(4):
        assert late(veil, clock, 0.6) == 2 * SECONDS
        clock.now += SLOW_SECONDS / 2
    assert late(veil, clock, 0) == 2 * SECONDS


def test_an_outage_and_what_takes_very_long_make_nobody_else_late(clock: Clock) -> None:
    veil = Veil(SECONDS, clock)
    assert late(veil, clock, 1.1, lasting=False) == 3 * SECONDS
    assert late(veil, clock, 0) == SECONDS
    assert late(veil, clock, MOST_STEPS * SECONDS + 0.1) == (MOST_STEPS + 1) * SECONDS
    assert late(veil, clock, 0) == SECONDS


def test_answers_leave_at_whole_milliseconds(clock: Clock) -> None:
    clock.now = 100.000123
    due = Veil(SECONDS, clock).due(clock.now)
    assert math.isclose(due * 1000 % 1, 0, abs_tol=1e-6) or math.isclose(due * 1000 % 1, 1, abs_tol=1e-6)
    assert due >= clock.now + SECONDS


async def test_what_only_one_path_is_refused_with_is_told_as_the_others() -> None:
    veil = Veil(0)
    for instead in (CredentialsInvalid, CodeInvalid):
        with pytest.raises(instead) as refused:
            async with veil.refusals(instead):
                raise Unexplained
        assert refused.value.outcome == "unexplained"
    with pytest.raises(Unexplained):
        async with veil.refusals():
            raise Unexplained


@pytest.mark.parametrize("error", [CredentialsInvalid("wrong"), AuthenticationUnavailable(), ValueError()])
async def test_whatever_goes_wrong_is_held_back(error: Exception) -> None:
    started = time.monotonic()
    with pytest.raises(type(error)):
        async with Veil(0.05).refusals():
            raise error
    assert time.monotonic() >= started + 0.05


async def test_what_succeeds_is_held_back_where_all_answers_are() -> None:
    started = time.monotonic()
    async with Veil(0.05).answers():
        pass
    assert time.monotonic() >= started + 0.05
    async with asyncio.timeout(1), Veil(100).refusals():
        pass
