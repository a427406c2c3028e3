"""Waiting for what is bound to happen, with room for a machine that is busy with others."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable

SECONDS = 60
PAUSE = 0.02


async def until(holds: Callable[[], object | Awaitable[object]]) -> None:
    """Return once it holds."""
    async with asyncio.timeout(SECONDS):
        while True:
            answer = holds()
            if await answer if inspect.isawaitable(answer) else answer:
                return
            await asyncio.sleep(PAUSE)


def until_now(holds: Callable[[], bool]) -> None:
    """The same outside of a loop."""
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it never came to hold"
        time.sleep(PAUSE)
