"""Turns are fair by network."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bff.legacy.turns import Turns
from bff.refusals import Crowded

MANY, ONE = "203.0.113.1", "198.51.100.1"


class Queue:
    """Callers that hold their turn until they are let go; `had` tells whose turn came, in order."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.had: list[str] = []
        self.go = asyncio.Semaphore(0)
        self.tasks: list[asyncio.Task[None]] = []

    async def come(self, name: str, network: str) -> asyncio.Task[None]:
        async def have() -> None:
            async with self.turns.turn(network):
                self.had.append(name)
                await self.go.acquire()

        task = asyncio.create_task(have())
        self.tasks.append(task)
        await _settle()
        return task

    async def let_go(self, times: int = 1) -> None:
        for _ in range(times):
            self.go.release()
            await _settle()


async def _settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@asynccontextmanager
async def queue(at_once: int, most_waiting: int) -> AsyncIterator[Queue]:
    """Everybody in it has had their turn at the end, and nothing is left."""
    made = Queue(Turns(at_once, most_waiting))
    yield made
    await made.let_go(len(made.tasks))
    await asyncio.gather(*made.tasks, return_exceptions=True)
    assert made.turns.pending == 0
    async with asyncio.timeout(1), made.turns.turn(ONE):
        assert made.turns.pending == 1


async def test_who_comes_once_does_not_wait_for_all_of_those_who_came_often() -> None:
    async with queue(1, 10) as q:
        for number in range(5):
            await q.come(f"many {number}", MANY)
        await q.come("one", ONE)
        await q.let_go(3)
        assert q.had == ["many 0", "many 1", "one", "many 2"]


async def test_so_many_have_a_turn_at_once() -> None:
    async with queue(2, 10) as q:
        for number in range(4):
            await q.come(str(number), MANY)
        assert q.had == ["0", "1"]
        assert q.turns.pending == 4


async def test_where_no_more_may_wait_the_longest_line_gives_way() -> None:
    async with queue(1, 3) as q:
        await q.come("first", MANY)
        waiting = [await q.come(f"many {number}", MANY) for number in range(3)]
        assert q.turns.crowded(MANY)
        assert not q.turns.crowded(ONE)
        assert isinstance((await q.come("many 3", MANY)).exception(), Crowded)
        await q.come("one", ONE)
        assert isinstance(waiting[-1].exception(), Crowded)
        await q.let_go(3)
        assert q.had == ["first", "many 0", "one", "many 1"]


async def test_no_line_gives_way_to_one_that_is_as_long() -> None:
    async with queue(1, 2) as q:
        await q.come("first", MANY)
        await q.come("many", MANY)
        await q.come("one", ONE)
        assert q.turns.crowded("192.0.2.1")
        with pytest.raises(Crowded):
            async with q.turns.turn("192.0.2.1"):
                pass


async def test_who_goes_away_leaves_the_line() -> None:
    async with queue(1, 3) as q:
        await q.come("first", MANY)
        gone = await q.come("gone", MANY)
        await q.come("next", MANY)
        gone.cancel()
        await _settle()
        assert q.turns.pending == 2
        await q.let_go()
        assert q.had == ["first", "next"]


@pytest.mark.parametrize("when", ["before", "after"])
async def test_who_goes_away_just_as_the_turn_comes_does_not_take_it_along(when: str) -> None:
    async with queue(1, 3) as q:
        first = q.turns.turn(ONE)
        await first.__aenter__()
        gone = await q.come("gone", MANY)
        await q.come("next", MANY)
        if when == "before":
            gone.cancel()
        await first.__aexit__(None, None, None)  # the turn is passed on, and nobody has noticed yet
        if when == "after":
            gone.cancel()
        await _settle()
        assert q.had == ["next"]
