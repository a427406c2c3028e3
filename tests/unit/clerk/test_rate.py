"""The pace of requests, in virtual time."""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable
from itertools import pairwise
from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.clerk.rate import CUT, FILL, WINDOW, RateLimiter

from .virtual_time import VirtualTimeLoop, in_virtual_time, run


def now() -> float:
    return asyncio.get_running_loop().time()


async def start(limiter: RateLimiter, starts: list[float]) -> None:
    await limiter.acquire()
    starts.append(now())


async def start_many(limiter: RateLimiter, count: int) -> list[float]:
    starts: list[float] = []
    await asyncio.gather(*(start(limiter, starts) for _ in range(count)))
    return starts


def most_in_a_window(starts: list[float]) -> int:
    window: deque[float] = deque()
    most = 0
    for moment in sorted(starts):
        window.append(moment)
        while window[0] <= moment - WINDOW + 1e-6:  # what floating point makes of ten seconds
            window.popleft()
        most = max(most, len(window))
    return most


class StrictWindow:
    """Counts requests over every ten seconds, the strictest reading of "1000 requests per 10 seconds"."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.accepted: deque[float] = deque()

    def refuses(self) -> int | None:
        """Take a request; `Retry-After` in whole seconds if it is too many."""
        while self.accepted and self.accepted[0] <= now() - WINDOW:
            self.accepted.popleft()
        if len(self.accepted) < self.limit:
            self.accepted.append(now())
            return None
        return max(1, ceil(self.accepted[0] + WINDOW - now()))


async def users_through(
    limiter: RateLimiter, server: StrictWindow, delay: Callable[[], float], seconds: float, workers: int = 512
) -> list[float]:
    """Send as many as will go for a while; the moments of success. `delay` is how long the way to the server takes."""
    done: list[float] = []

    async def work() -> None:
        while True:
            await limiter.acquire()
            await asyncio.sleep(delay())
            if (retry_after := server.refuses()) is None:
                done.append(now())
            else:
                limiter.refuse(retry_after)
                await asyncio.sleep(retry_after)

    workforce = [asyncio.create_task(work()) for _ in range(workers)]
    await asyncio.sleep(seconds)
    for worker in workforce:
        worker.cancel()
    await asyncio.gather(*workforce, return_exceptions=True)
    return done


@pytest.mark.parametrize("latency", [0.05, 0.3, 1.0])
@pytest.mark.parametrize("jitter", [0.0, 0.1])
@in_virtual_time
async def test_99_percent_of_the_limit_is_sustained_and_hardly_anything_refused(
    latency: float, jitter: float
) -> None:
    dice = random.Random(1)  # noqa: S311
    limiter, begin = RateLimiter(100.0), now()
    done = await users_through(
        limiter, StrictWindow(1000), lambda: latency * dice.uniform(1 - jitter, 1 + jitter), 72
    )
    sustained = sum(12 <= moment - begin < 72 for moment in done)
    assert sustained >= 0.99 * 6000
    assert limiter.refused < 0.005 * limiter.started


@in_virtual_time
async def test_stalls_of_the_process_are_made_up_for() -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    limiter, begin = RateLimiter(100.0), now()

    async def stall() -> None:
        while True:
            await asyncio.sleep(3)
            loop.stall(0.1)

    stalls = asyncio.create_task(stall())
    done = await users_through(limiter, StrictWindow(1000), lambda: 0.05, 72)
    stalls.cancel()
    assert sum(12 <= moment - begin < 72 for moment in done) >= 0.985 * 6000
    assert limiter.refused < 0.005 * limiter.started


@in_virtual_time
async def test_what_a_stall_cost_does_not_come_as_a_burst() -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    limiter, starts = RateLimiter(10.0), list[float]()
    loop.call_later(2.0, loop.stall, 1.0)
    await asyncio.gather(*(start(limiter, starts) for _ in range(90)))
    gaps = [after - before for before, after in pairwise(starts)]
    assert max(gaps) > 1.0
    assert sum(gap < 0.07 for gap in gaps) <= 1
    assert starts[-1] - starts[0] == pytest.approx(89 / (10 * FILL), abs=0.01)


@in_virtual_time
async def test_starts_are_spaced_evenly() -> None:
    starts = await start_many(RateLimiter(10.0), 200)
    gaps = [after - before for before, after in pairwise(starts)]
    assert max(gaps) == pytest.approx(1 / (10 * FILL), rel=1e-6)
    assert min(gaps[1:]) == pytest.approx(max(gaps), rel=1e-6)


@in_virtual_time
async def test_idling_does_not_save_up_more_than_a_few_requests() -> None:
    limiter = RateLimiter(100.0)
    await start_many(limiter, 10)
    await asyncio.sleep(3600)
    begin = now()
    starts = await start_many(limiter, 50)
    assert sum(moment - begin < 0.009 for moment in starts) <= 3
    assert now() - begin >= 48 / (100 * FILL)


@in_virtual_time
async def test_who_comes_first_goes_first() -> None:
    limiter, order = RateLimiter(100.0), list[int]()

    async def take(number: int) -> None:
        await limiter.acquire()
        order.append(number)

    await asyncio.gather(*(take(number) for number in range(50)))
    assert order == list(range(50))


@in_virtual_time
async def test_a_cancelled_waiter_takes_nobodys_turn() -> None:
    limiter, starts = RateLimiter(10.0), list[float]()
    waiters = [asyncio.create_task(start(limiter, starts)) for _ in range(40)]
    await asyncio.sleep(1)
    for waiter in waiters[:-5]:
        waiter.cancel()
    begin = now()
    await asyncio.gather(*waiters, return_exceptions=True)
    assert limiter.started == len(starts)
    assert now() - begin <= 0.6
    await asyncio.wait_for(limiter.acquire(), 1)


@in_virtual_time
async def test_without_a_limit_nothing_waits() -> None:
    limiter, begin = RateLimiter(None), now()
    await start_many(limiter, 5000)
    assert (now() - begin, limiter.started, limiter.rate) == (0, 5000, None)


@in_virtual_time
async def test_without_a_limit_a_refusal_pauses_everybody() -> None:
    limiter, begin = RateLimiter(None), now()
    limiter.refuse(2.0)
    starts = await start_many(limiter, 10)
    assert min(starts) - begin >= 2.0


@in_virtual_time
async def test_a_few_refusals_do_not_stop_the_others() -> None:
    limiter = RateLimiter(100.0)
    await start_many(limiter, 1000)
    limiter.refuse(5.0)
    begin = now()
    await start_many(limiter, 10)
    assert now() - begin < 0.2
    assert limiter.rate == 100 * FILL


@in_virtual_time
async def test_many_refusals_pause_everybody_and_slow_the_pace_once_a_window() -> None:
    limiter = RateLimiter(100.0)
    await start_many(limiter, 1000)
    begin = now()
    for _ in range(100):
        limiter.refuse(3.0)
    assert limiter.refused == 100
    assert limiter.rate == pytest.approx(100 * FILL * CUT)
    starts = await start_many(limiter, 1)
    assert starts[0] - begin >= 3.0


@in_virtual_time
async def test_the_pace_recovers_slowly() -> None:
    limiter = RateLimiter(10.0)
    for _ in range(10):
        limiter.refuse(1.0)
    assert limiter.rate == pytest.approx(10 * FILL * CUT)
    await start_many(limiter, 150)
    assert 10 * FILL * CUT < (limiter.rate or 0) < 10 * FILL * 0.95
    await start_many(limiter, 1500)
    assert limiter.rate == pytest.approx(10 * FILL)


@in_virtual_time
async def test_whoever_shares_the_key_leaves_most_requests_accepted() -> None:
    server, limiter, begin = StrictWindow(1000), RateLimiter(100.0), now()

    async def other_user_of_the_key() -> None:
        while True:
            await asyncio.sleep(0.1)
            server.refuses()

    other = asyncio.create_task(other_user_of_the_key())
    done = await users_through(limiter, server, lambda: 0.3, 72)
    other.cancel()
    assert sum(12 <= moment - begin < 72 for moment in done) >= 0.80 * 6000
    assert limiter.refused < 0.06 * limiter.started


@in_virtual_time
async def test_an_absurd_retry_after_does_not_stop_everything_for_good() -> None:
    limiter = RateLimiter(None)
    limiter.refuse(float("inf"))
    await asyncio.wait_for(limiter.acquire(), 61)


@pytest.mark.parametrize("limit", [0.0, -1.0, float("nan"), float("inf")])
def test_a_limit_that_is_none_is_refused(limit: float) -> None:
    with pytest.raises(ValueError, match="more than 0"):
        RateLimiter(limit)


Step = Callable[[RateLimiter, list[float]], Awaitable[None]]


def _demand(count: int) -> Step:
    async def step(limiter: RateLimiter, starts: list[float]) -> None:
        await asyncio.gather(*(start(limiter, starts) for _ in range(count)))

    return step


def _idle(seconds: float) -> Step:
    async def step(limiter: RateLimiter, starts: list[float]) -> None:
        await asyncio.sleep(seconds)

    return step


def _stall(seconds: float) -> Step:
    async def step(limiter: RateLimiter, starts: list[float]) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        loop.call_later(0.01, loop.stall, seconds)
        await asyncio.gather(*(start(limiter, starts) for _ in range(20)))

    return step


def _refuse(count: int, retry_after: float) -> Step:
    async def step(limiter: RateLimiter, starts: list[float]) -> None:
        for _ in range(count):
            limiter.refuse(retry_after)

    return step


STEPS = st.one_of(
    st.integers(1, 120).map(_demand),
    st.floats(0, 15).map(_idle),
    st.floats(0, 5).map(_stall),
    st.builds(_refuse, st.integers(1, 8), st.floats(0, 12)),
)


@settings(max_examples=120)
@given(limit=st.floats(0.3, 40), steps=st.lists(STEPS, min_size=1, max_size=8))
def test_no_window_ever_holds_more_than_the_limit(limit: float, steps: list[Step]) -> None:
    async def play() -> list[float]:
        limiter, starts = RateLimiter(limit), list[float]()
        for step in steps:
            await step(limiter, starts)
        return starts

    assert most_in_a_window(run(play())) <= limit * WINDOW


@in_virtual_time
async def test_a_higher_limit_holds_at_once_for_who_waits_already() -> None:
    limiter, starts = RateLimiter(0.1), list[float]()
    waiting = asyncio.gather(*(start(limiter, starts) for _ in range(21)))
    await asyncio.sleep(1)
    begun = now()
    limiter.change(10)
    await waiting
    assert starts[-1] - begun == pytest.approx(2, abs=0.2)


@in_virtual_time
async def test_a_lower_limit_holds_at_once_and_stops_nobody_for_a_window() -> None:
    limiter = RateLimiter(100)
    await start_many(limiter, 500)
    limiter.change(10)
    begun = now()
    starts = await start_many(limiter, 21)
    assert starts[0] - begun < 0.2
    assert starts[-1] - begun == pytest.approx(2, abs=0.2)


@in_virtual_time
async def test_without_a_limit_nobody_waits_any_more() -> None:
    limiter, starts = RateLimiter(0.1), list[float]()
    waiting = asyncio.gather(*(start(limiter, starts) for _ in range(21)))
    await asyncio.sleep(1)
    begun = now()
    limiter.change(None)
    await waiting
    assert now() - begun < 0.1
