"""Plays what runs side by side in every order there is, step by step, without a clock.

A step goes from one gate to the next. Gates stand before each statement about the users' rows, before each commit, and
before each request to Clerk: what actors do between those, no other can see. They are played anew for every order, each
time in a world that the test makes.
"""

import asyncio
import os
import random
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest

from tests.waiting import SECONDS
from toolkit.clerk.transport import Call, Transport

_GATED = re.compile(r"\b(users|cohort|source_rows)\b|^COMMIT")
_PLAYING: ContextVar["tuple[Schedule, str] | None"] = ContextVar("playing", default=None)

Actor = Callable[[], Awaitable[object]]


@dataclass(frozen=True)
class Step:
    """A choice that was made."""

    actors: tuple[str, ...]
    """Who could have taken the step."""
    actor: str
    what: str


class Schedule:
    """One order: the first steps are taken by the actors that `begun` names, the others by whoever comes first.

    `blocked` tells whether somebody waits in Postgres for a lock.
    """

    def __init__(self, begun: Sequence[str], blocked: Callable[[], Awaitable[bool]]) -> None:
        self.begun = begun
        self.steps: list[Step] = []
        self._blocked = blocked
        self._at_gate: dict[str, tuple[str, asyncio.Future[None]]] = {}

    def __str__(self) -> str:
        return " → ".join(f"{step.actor}: {step.what}" for step in self.steps)

    def enter(self, name: str) -> None:
        """From here on the task that calls it, and those that it begins, are an actor that stops at gates."""
        _PLAYING.set((self, name))

    async def play(self, actors: Mapping[str, Actor]) -> dict[str, object]:
        """What comes of each: its result, or what it raised."""
        tasks = {name: asyncio.ensure_future(actor()) for name, actor in actors.items()}
        async with asyncio.timeout(SECONDS):
            while able := await self._able(tasks):
                number = len(self.steps)
                actor = self.begun[number] if number < len(self.begun) else able[0]
                what, gate = self._at_gate.pop(actor)
                self.steps.append(Step(able, actor, what))
                gate.set_result(None)
        results = await asyncio.gather(*tasks.values(), return_exceptions=True)
        return dict(zip(tasks, results, strict=True))

    async def stop_at_gate(self, actor: str, what: str) -> None:
        assert actor not in self._at_gate, f"{actor} does two things at a time, of which one is {what}"
        gate = asyncio.get_running_loop().create_future()
        self._at_gate[actor] = (what, gate)
        await gate

    async def _able(self, tasks: Mapping[str, "asyncio.Future[object]"]) -> tuple[str, ...]:
        """Who can take the next step, once nobody is under way any more but to a lock that somebody at a gate holds."""
        waiting = 0
        while True:
            under_way = [
                name for name, task in tasks.items() if not task.done() and name not in self._at_gate
            ]
            if not under_way or waiting == 3:
                return tuple(sorted(self._at_gate))
            waiting = waiting + 1 if self._at_gate and await self._blocked() else 0
            await asyncio.sleep(0.001)


async def play_all(
    play: Callable[[Schedule], Awaitable[None]],
    blocked: Callable[[], Awaitable[bool]],
    most: int | None = None,
) -> int:
    """Play every order, or so many at most, drawn from all over; how many were played. EVERY_ORDER=1 lifts that."""
    drawn = random.Random(1)  # noqa: S311 - the same ones each time
    count, left = 0, [tuple[str, ...]()]
    while left and (most is None or count < most or "EVERY_ORDER" in os.environ):
        schedule = Schedule(left.pop(drawn.randrange(len(left)) if most else -1), blocked)
        try:
            await play(schedule)
        except BaseException as error:
            error.add_note(f"It was played so: {schedule}")
            raise
        count += 1
        taken = [step.actor for step in schedule.steps]
        for number in range(len(schedule.begun), len(taken)):
            left.extend(
                (*taken[:number], other) for other in schedule.steps[number].actors if other != taken[number]
            )
    return count


def put_gates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let actors stop before what others can see."""
    connection: Any = asyncpg.Connection
    query, statement, send = connection._execute, connection.execute, Transport._send

    async def gated_query(self: Any, sql: str, *args: Any, **more: Any) -> Any:
        await _stop_before(sql)
        return await query(self, sql, *args, **more)

    async def gated_statement(self: Any, sql: str, *args: Any, **more: Any) -> Any:
        if not args:  # those with arguments are queries, too
            await _stop_before(sql)
        return await statement(self, sql, *args, **more)

    async def gated_send(transport: Transport, call: Call) -> Any:
        await _stop(f"{call.method} {call.path}")
        return await send(transport, call)

    monkeypatch.setattr(connection, "_execute", gated_query)
    monkeypatch.setattr(connection, "execute", gated_statement)
    monkeypatch.setattr(Transport, "_send", gated_send)


async def _stop_before(sql: str) -> None:
    if _GATED.search(sql):
        await _stop(" ".join(re.sub("--.*", "", sql).split())[:40])


async def _stop(what: str) -> None:
    playing = _PLAYING.get()
    if playing is not None:
        schedule, actor = playing
        await schedule.stop_at_gate(actor, what)
