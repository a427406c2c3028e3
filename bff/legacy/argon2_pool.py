"""Argon2 in processes of its own, as many as there are slots, at a lower priority, and away from one core.

Priority alone is not enough: where every core is busy, whatever wakes up waits some milliseconds now and then. So one core
(if there are several) is left to everybody else, whose every request is short. And the lowest priority is too low: beside
others that are always busy, a login got a five-hundredth of a core and took nine seconds. At this one it gets a quarter.
Processes and not threads: a thread of low priority that holds the interpreter's lock while it is not let run would hold
up the event loop. Nothing of the BFF is imported in them.
"""

import asyncio
import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing import get_context
from typing import TypeVar

import structlog
from argon2 import Parameters, PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

T = TypeVar("T")

NICENESS = 5
"""A third of the weight that others have."""
STUCK_SECONDS = 30.0
ORPHAN_SECONDS = 1.0
"""How soon a process notices that the BFF is gone."""

_log = structlog.get_logger("bff")
_HASHER = PasswordHasher()
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # malloc.h
_KEPT_BYTES = 1 << 30


def cores() -> list[int]:
    """The cores that Argon2 runs on: all that this process may use but one, if there are several."""
    usable = sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else list(range(os.cpu_count() or 1))
    return usable[:-1] or usable


class Argon2Pool:
    """Verifies and makes digests, `slots` at a time. What takes longer than `seconds`, with its wait, is stuck."""

    def __init__(self, slots: int, seconds: float = STUCK_SECONDS) -> None:
        self._slots = slots
        self.seconds = seconds
        self._pool = self._start()

    async def verify(self, digest: str, password: str) -> bool:
        """Whether the password is the digest's; false for what is no digest of Argon2's."""
        return await self._run(_verify, digest, password)

    async def hash(self, parameters: Parameters, password: str, salt: bytes | None = None) -> str:
        """A new digest; with a salt of its own, unless one is given."""
        return await self._run(_hash, parameters, password, salt)

    def close(self) -> None:
        """End the processes, as soon as they are done with what they do."""
        self._pool.shutdown(cancel_futures=True)

    def _start(self) -> ProcessPoolExecutor:
        pool = ProcessPoolExecutor(
            self._slots, get_context("spawn"), initializer=_begin, initargs=(os.getpid(), cores())
        )
        for _ in range(self._slots):  # they start when there is work
            pool.submit(_nothing)
        return pool

    async def _run(self, work: Callable[..., T], *given: object) -> T:
        """Raises TimeoutError when a process is stuck; the next call finds others."""
        loop, pool = asyncio.get_running_loop(), self._pool
        try:
            async with asyncio.timeout(self.seconds):
                return await loop.run_in_executor(pool, work, *given)
        except BrokenProcessPool:  # somebody ended a process: it takes the others with it
            self._replace(pool)
            async with asyncio.timeout(self.seconds):
                return await loop.run_in_executor(self._pool, work, *given)
        except TimeoutError:
            _log.error("a process that computes argon2 is stuck: all of them are replaced")
            self._replace(pool)
            raise

    def _replace(self, pool: ProcessPoolExecutor) -> None:
        """End a pool at once, unless another call already has. Its waiting work goes to the next pool."""
        if self._pool is not pool:
            return
        self._pool = self._start()
        for process in list((pool._processes or {}).values()):
            process.kill()
        pool.shutdown(wait=False)


def _begin(parent: int, cores: list[int]) -> None:
    """In a new process: leave the processor to others, Ctrl-C to the BFF, and end with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(OSError, AttributeError):
        os.nice(NICENESS)
        os.sched_setaffinity(0, cores)
    with suppress(OSError, AttributeError):  # glibc only: keep the memory from one digest to the next
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_MAX, 0)
        libc.mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(ORPHAN_SECONDS)
    os._exit(0)


def _nothing() -> None:
    """Something to do, so that a process starts."""


def _verify(digest: str, password: str) -> bool:
    with suppress(Argon2Error, InvalidHashError):
        return _HASHER.verify(digest, password)
    return False


def _hash(parameters: Parameters, password: str, salt: bytes | None) -> str:
    return PasswordHasher.from_parameters(parameters).hash(password, salt=salt)
