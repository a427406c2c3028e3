"""The circuit breaker, by a clock of its own."""

import asyncio

import pytest

from toolkit.clerk import (
    CircuitBreaker,
    ClerkAnswerUnexpected,
    ClerkCircuitOpen,
    ClerkError,
    ClerkRateLimited,
    ClerkUnavailable,
    ResourceNotFound,
)
from toolkit.clerk.breaker import FAILURES, ODD_SECONDS, OPEN_SECONDS
from toolkit.clerk.errors import ApiError


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


async def fail(breaker: CircuitBreaker, error: Exception | None = None) -> None:
    raised = error or ClerkUnavailable("out")
    with pytest.raises(type(raised)):
        async with breaker.call():
            raise raised


async def answer_oddly(breaker: CircuitBreaker, whose: str, error: ClerkError | None = None) -> ClerkError:
    """What is raised of an odd answer."""
    with pytest.raises(ClerkError) as raised:
        async with breaker.call(whose):
            raise error or ClerkRateLimited(1)
    return raised.value


async def succeed(breaker: CircuitBreaker) -> None:
    async with breaker.call():
        pass


def state(breaker: CircuitBreaker) -> str:
    return breaker.state


async def opened(clock: Clock) -> CircuitBreaker:
    breaker = CircuitBreaker(clock)
    for _ in range(FAILURES):
        await fail(breaker)
    return breaker


async def test_outages_in_a_row_open_it() -> None:
    clock = Clock()
    breaker = await opened(clock)
    assert state(breaker) == "open"
    clock.now += 2
    with pytest.raises(ClerkCircuitOpen) as refused:
        await succeed(breaker)
    assert refused.value.retry_after == OPEN_SECONDS - 2


@pytest.mark.parametrize(
    "error", [None, ResourceNotFound(404, (ApiError("resource_not_found", "", "", None),))]
)
async def test_an_answer_in_between_starts_the_count_again(error: Exception | None) -> None:
    breaker = CircuitBreaker(Clock())
    for _ in range(FAILURES - 1):
        await fail(breaker)
    await (fail(breaker, error) if error else succeed(breaker))
    for _ in range(FAILURES - 1):
        await fail(breaker)
    assert state(breaker) == "closed"


async def test_an_answer_that_is_not_clerks_says_nothing() -> None:
    """A firewall that dislikes one password must not have everybody refused."""
    clock = Clock()
    breaker = CircuitBreaker(clock)
    for _ in range(FAILURES):
        await fail(breaker, ClerkAnswerUnexpected("HTML"))
    assert state(breaker) == "closed"
    breaker = await opened(clock)
    clock.now += OPEN_SECONDS
    await fail(breaker, ClerkAnswerUnexpected("HTML"))
    assert state(breaker) == "half_open"
    await succeed(breaker)
    assert state(breaker) == "closed"


ODD = [ClerkRateLimited(1), ClerkAnswerUnexpected("HTML")]


@pytest.mark.parametrize("error", ODD)
async def test_odd_answers_to_one_person_are_no_outage(error: ClerkError) -> None:
    breaker = CircuitBreaker(Clock())
    await succeed(breaker)
    for _ in range(3 * FAILURES):
        assert await answer_oddly(breaker, "203.0.113.1", error) is error
    assert state(breaker) == "closed"


@pytest.mark.parametrize("error", ODD)
async def test_odd_answers_to_everybody_are_an_outage(error: ClerkError) -> None:
    breaker = CircuitBreaker(Clock())
    await succeed(breaker)
    told = [await answer_oddly(breaker, f"203.0.113.{number}", error) for number in range(FAILURES)]
    assert [type(refused) for refused in told] == [type(error)] * (FAILURES - 1) + [ClerkUnavailable]
    assert state(breaker) == "open"


async def test_odd_answers_to_different_people_are_no_outage_with_others_in_between() -> None:
    clock = Clock()
    breaker = CircuitBreaker(clock)
    await succeed(breaker)
    for number in range(3 * FAILURES):
        await answer_oddly(breaker, f"203.0.113.{number}")
        if number % 2:
            await succeed(breaker)
    await succeed(breaker)
    for number in range(3 * FAILURES):
        await answer_oddly(breaker, f"198.51.100.{number}")
        clock.now += ODD_SECONDS / (FAILURES - 1)
    assert state(breaker) == "closed"


async def test_before_anything_was_answered_an_odd_answer_is_an_outage() -> None:
    breaker = CircuitBreaker(Clock())
    assert type(await answer_oddly(breaker, "203.0.113.1")) is ClerkUnavailable
    await succeed(breaker)
    assert type(await answer_oddly(breaker, "203.0.113.1")) is ClerkRateLimited


async def test_one_person_alone_does_not_keep_it_open() -> None:
    clock = Clock()
    breaker = CircuitBreaker(clock)
    await succeed(breaker)
    for number in range(FAILURES):
        await answer_oddly(breaker, f"203.0.113.{number}")
    clock.now += ODD_SECONDS
    assert type(await answer_oddly(breaker, "203.0.113.1")) is ClerkUnavailable, "nobody else got in yet"
    assert state(breaker) == "half_open"
    await succeed(breaker)
    assert state(breaker) == "closed"


async def test_one_call_probes_and_closes_it() -> None:
    clock = Clock()
    breaker = await opened(clock)
    clock.now += OPEN_SECONDS
    assert state(breaker) == "half_open"
    async with breaker.call():
        with pytest.raises(ClerkCircuitOpen):
            await succeed(breaker)
    assert state(breaker) == "closed"
    await succeed(breaker)


async def test_a_probe_that_fails_opens_it_again() -> None:
    clock = Clock()
    breaker = await opened(clock)
    clock.now += OPEN_SECONDS
    await fail(breaker)
    assert state(breaker) == "open"
    clock.now += OPEN_SECONDS
    await succeed(breaker)
    assert state(breaker) == "closed"


async def test_a_cancelled_probe_says_nothing_and_gives_its_place_back() -> None:
    clock = Clock()
    breaker = await opened(clock)
    clock.now += OPEN_SECONDS

    async def probe() -> None:
        async with breaker.call():
            await asyncio.sleep(60)

    probing = asyncio.create_task(probe())
    await asyncio.sleep(0)
    probing.cancel()
    await asyncio.gather(probing, return_exceptions=True)
    assert state(breaker) == "half_open"
    await succeed(breaker)
    assert state(breaker) == "closed"
