"""A BFF that ends, without a word, where a request waits for the n-th time."""

import asyncio
import itertools
import json
import os
import signal
from collections.abc import Awaitable, Coroutine, Generator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
from aiohttp import web

from bff.app import build
from bff.http.api import Handler
from tests.processes import CONTEXT, END_SECONDS, fork_what_is_spawned
from toolkit.environment import load_environment

T = TypeVar("T")

_NUMBERS = itertools.count()


class _Mortal(Awaitable[T]):
    """A coroutine whose n-th wait is the process's last. Every place where it waits is one, and none is picked."""

    def __init__(self, work: Coroutine[Any, Any, T], last: int) -> None:
        self._work = work
        self._last = last

    def __await__(self) -> Generator[Any, Any, T]:
        waits = 0
        resume, value = self._work.send, None
        while True:
            try:
                waited_for = resume(value)
            except StopIteration as done:
                result: T = done.value
                return result
            waits += 1
            if waits == self._last:
                os.kill(os.getpid(), signal.SIGKILL)
            try:
                resume, value = self._work.send, (yield waited_for)
            except BaseException as error:
                resume, value = self._work.throw, error


def call(
    playbook: Path, variables: Mapping[str, str], method: str, path: str, body: object, last: int
) -> dict[str, Any] | None:
    """A BFF's answer; None when it was killed at the wait with the number `last` before it could answer."""
    told = playbook.with_suffix(f".{next(_NUMBERS)}.answer")
    process = CONTEXT.Process(
        target=_serve, args=(str(playbook), dict(variables), method, path, body, last, str(told))
    )
    process.start()
    process.join(END_SECONDS)
    if process.exitcode is None:
        process.kill()
        raise AssertionError(f"{path} does not end, killed at {last}")
    if process.exitcode == -signal.SIGKILL:
        return None
    assert process.exitcode == 0, process.exitcode
    return dict(json.loads(told.read_text()))


def _serve(
    playbook: str, variables: dict[str, str], method: str, path: str, body: object, last: int, told: str
) -> None:
    fork_what_is_spawned()
    reply = asyncio.run(_answer(playbook, variables, method, path, body, last))
    Path(told).write_text(json.dumps(reply))


async def _answer(
    playbook: str, variables: Mapping[str, str], method: str, path: str, body: object, last: int
) -> dict[str, Any]:
    @web.middleware
    async def mortal(request: web.Request, handler: Handler) -> web.StreamResponse:
        work = handler(request)
        assert isinstance(work, Coroutine)
        return await _Mortal(work, last)

    app = build(load_environment(playbook, variables))
    app.middlewares.append(mortal)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"http://127.0.0.1:{port}{path}", json=body) as answer,
    ):
        reply = {**json.loads(await answer.text() or "{}"), "http_status": answer.status}
    await runner.cleanup()
    return reply
