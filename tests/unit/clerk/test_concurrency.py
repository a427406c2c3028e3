"""How many requests are in flight, in virtual time."""

import asyncio

import pytest

from toolkit.clerk.concurrency import LEAST, MOST, InFlightLimit

from .virtual_time import in_virtual_time


class Server:
    """Answers so many requests a second, each `latency` seconds after it was its turn."""

    def __init__(self, latency: float, capacity: float) -> None:
        self.latency = latency
        self.capacity = capacity
        self.answers = 0
        self.in_flight = 0
        self.most_in_flight = 0
        self._free_at = 0.0

    async def ask(self, limit: InFlightLimit) -> None:
        async with limit:
            begin = asyncio.get_running_loop().time()
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
            self._free_at = max(self._free_at, begin) + 1 / self.capacity
            await asyncio.sleep(self._free_at - begin + self.latency)
            self.in_flight -= 1
            self.answers += 1
            limit.answered(asyncio.get_running_loop().time() - begin)

    async def besiege(self, limit: InFlightLimit, seconds: float, workers: int = 600) -> float:
        """Ask all the time from many sides; answers a second over the last half of it."""

        async def work() -> None:
            while True:
                await self.ask(limit)

        workforce = [asyncio.create_task(work()) for _ in range(workers)]
        await asyncio.sleep(seconds / 2)
        before = self.answers
        await asyncio.sleep(seconds / 2)
        for worker in workforce:
            worker.cancel()
        await asyncio.gather(*workforce, return_exceptions=True)
        return (self.answers - before) / (seconds / 2)


@pytest.mark.parametrize(("latency", "worth"), [(0.001, 2), (0.05, 100), (0.15, 300)])
@in_virtual_time
async def test_it_finds_what_a_server_can_take_and_not_much_more(latency: float, worth: int) -> None:
    limit, server = InFlightLimit(), Server(latency, 2000)
    assert await server.besiege(limit, 10) >= 0.95 * 2000
    assert limit.size <= 1.2 * worth + 60


@in_virtual_time
async def test_a_latency_that_rose_for_good_is_learned() -> None:
    limit, server = InFlightLimit(), Server(0.02, 1000)
    await server.besiege(limit, 10)
    server.latency = 0.2
    assert await server.besiege(limit, 80) >= 0.9 * 1000


@in_virtual_time
async def test_it_does_not_grow_when_fewer_are_wanted() -> None:
    limit = InFlightLimit()
    await Server(0.05, 10_000).besiege(limit, 10, workers=20)
    assert limit.size <= 32


@in_virtual_time
async def test_an_overload_halves_it_once_for_all_that_fail_together() -> None:
    limit = InFlightLimit(64)
    for _ in range(20):
        limit.overloaded()
    assert limit.size == 32
    for _ in range(32):
        limit.answered(0.05)
    limit.overloaded()
    assert limit.size <= 24


@in_virtual_time
async def test_it_never_leaves_its_bounds() -> None:
    limit = InFlightLimit()
    for _ in range(20):
        limit.overloaded()
        for _ in range(limit.size):
            limit.answered(0.05)
    assert limit.size >= LEAST
    limit = InFlightLimit()
    await Server(5.0, 1e6).besiege(limit, 300, workers=2 * MOST)
    assert limit.size == MOST


@in_virtual_time
async def test_no_more_are_in_flight_than_there_is_room_for() -> None:
    limit, server = InFlightLimit(10, least=10, most=10), Server(0.05, 1000)
    await server.besiege(limit, 2)
    assert server.most_in_flight == 10


@in_virtual_time
async def test_room_that_was_lost_by_shrinking_comes_back_by_growing() -> None:
    limit = InFlightLimit(64)
    release = asyncio.Event()

    async def hold() -> None:
        async with limit:
            await release.wait()

    holders = [asyncio.create_task(hold()) for _ in range(64)]
    await asyncio.sleep(0)
    limit.overloaded()
    release.set()
    await asyncio.gather(*holders)
    server = Server(0.05, 1e6)
    await server.besiege(limit, 0.04)
    assert server.most_in_flight == 32
    await server.besiege(limit, 5)
    assert server.most_in_flight > 100


@in_virtual_time
async def test_cancelled_waiters_leave_no_hole() -> None:
    limit = InFlightLimit(8, least=8, most=8)
    server = Server(0.05, 1000)
    waiters = [asyncio.create_task(server.ask(limit)) for _ in range(100)]
    await asyncio.sleep(0.06)
    for waiter in waiters:
        waiter.cancel()
    await asyncio.gather(*waiters, return_exceptions=True)
    server = Server(0.05, 1000)
    await server.besiege(limit, 1)
    assert server.most_in_flight == 8


@pytest.mark.parametrize("latency", [0.05, 0.3, 1.0, 5.0])
@in_virtual_time
async def test_a_paced_client_is_never_held_back_by_it(latency: float) -> None:
    limit = InFlightLimit.for_rate(100.0)
    assert limit.size >= 100 * latency
    for _ in range(2000):
        limit.overloaded()
        limit.answered(latency)
    assert limit.size >= 100 * latency


@in_virtual_time
async def test_room_follows_a_limit_that_changes() -> None:
    limit = InFlightLimit.for_rate(1)

    async def most_in_flight() -> int:
        server = Server(1, 1000)
        await server.besiege(limit, 4)
        return server.most_in_flight

    assert await most_in_flight() == LEAST
    limit.fit(100)
    assert await most_in_flight() == MOST
    limit.fit(1)
    await most_in_flight()  # what is in use leaves first
    assert await most_in_flight() == LEAST
