"""Checking and making legacy digests."""

import asyncio
import multiprocessing
import os
import signal
from collections.abc import AsyncIterator

import pytest
from argon2 import PasswordHasher, extract_parameters

from bff.legacy.argon2_pool import Argon2Pool
from bff.legacy.passwords import WAITING_PER_SLOT, Passwords
from bff.refusals import AuthenticationUnavailable, Crowded
from toolkit.database import DatabaseFailed

HERE = "203.0.113.1"
CHEAP = PasswordHasher(time_cost=2, memory_cost=128, parallelism=1)


async def no_digest() -> None:
    return None


@pytest.fixture
async def passwords() -> AsyncIterator[Passwords]:
    made = Passwords(no_digest, slots=1)
    yield made
    made.close()


async def test_a_digest_tells_its_password_from_others(passwords: Passwords) -> None:
    digest = CHEAP.hash("right")
    assert await passwords.matches(digest, "right", HERE)
    assert not await passwords.matches(digest, "wrong", HERE)
    assert not await passwords.matches("no digest", "right", HERE)
    assert not await passwords.matches("$argon2id$v=19$m=128,t=2,p=1$AAAA", "right", HERE)


async def test_nobodys_password_costs_what_the_typical_digest_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Invariant 9."""
    verified: list[str] = []
    verify = Argon2Pool.verify

    async def watch(pool: Argon2Pool, digest: str, password: str) -> bool:
        verified.append(digest)
        return await verify(pool, digest, password)

    async def typical() -> str:
        return CHEAP.hash("somebody's")

    monkeypatch.setattr(Argon2Pool, "verify", watch)
    passwords = Passwords(typical, slots=1)
    try:
        await passwords.pretend("anything", HERE)
        await passwords.pretend("anything else", HERE)
    finally:
        passwords.close()
    assert len(verified) == 2
    assert extract_parameters(verified[0]) == extract_parameters(CHEAP.hash(""))


async def test_what_a_password_usually_costs_is_looked_up_once_for_all_who_come_meanwhile() -> None:
    looks = 0

    async def typical() -> str:
        nonlocal looks
        looks += 1
        await asyncio.sleep(0.01)
        return CHEAP.hash("somebody's")

    passwords = Passwords(typical, slots=1)
    try:
        await asyncio.gather(*(passwords.pretend("anything", HERE) for _ in range(5)))
    finally:
        passwords.close()
    assert looks == 1


async def test_nobody_waits_for_a_later_look_nor_fails_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Invariant 9: an address that nobody has is not refused otherwise than a wrong password."""
    verified: list[str] = []
    looked, answer = asyncio.Event(), asyncio.get_running_loop().create_future()

    async def verify(pool: Argon2Pool, digest: str, password: str) -> bool:
        verified.append(digest)
        return False

    async def typical() -> str:
        if not verified:
            return CHEAP.hash("somebody's")
        looked.set()
        return str(await answer)

    monkeypatch.setattr(Argon2Pool, "verify", verify)
    monkeypatch.setattr("bff.legacy.passwords.USUAL_SECONDS", 0)
    passwords = Passwords(typical, slots=1)
    try:
        await passwords.pretend("anything", HERE)
        await passwords.pretend("anything", HERE)
        await looked.wait()
        answer.set_exception(DatabaseFailed("it took too long"))
        await asyncio.sleep(0)
        await passwords.pretend("anything", HERE)
    finally:
        passwords.close()
    assert len(verified) == 3
    assert len(set(verified)) == 1


async def test_where_most_users_have_no_digest_nothing_is_computed(
    passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def computed(*_: object) -> bool:
        raise AssertionError("there is nobody to look like")

    monkeypatch.setattr(Argon2Pool, "verify", computed)
    monkeypatch.setattr(Argon2Pool, "hash", computed)
    await passwords.pretend("anything", HERE)


async def test_who_would_wait_too_long_is_refused(
    passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = asyncio.Event()

    async def wait(*_: object) -> bool:
        await held.wait()
        return True

    monkeypatch.setattr(Argon2Pool, "verify", wait)
    most = 1 + WAITING_PER_SLOT
    waiting = [asyncio.create_task(passwords.matches("digest", "", HERE)) for _ in range(most)]
    await asyncio.sleep(0)
    assert passwords.pending == most
    assert passwords.crowded(HERE)
    with pytest.raises(Crowded):
        await passwords.matches("digest", "", HERE)
    waiting.pop().cancel()  # who goes away makes room
    held.set()
    assert await asyncio.gather(*waiting) == [True] * (most - 1)
    await asyncio.sleep(0)
    assert passwords.pending == 0


async def test_a_process_that_is_stuck_is_replaced() -> None:
    others = multiprocessing.active_children()
    pool = Argon2Pool(1, seconds=60)
    try:
        assert await pool.verify(CHEAP.hash("right"), "right")
        pool.seconds = 1
        for child in set(multiprocessing.active_children()).difference(others):
            os.kill(child.pid or 0, signal.SIGSTOP)
        with pytest.raises(TimeoutError):
            await pool.verify(CHEAP.hash("right"), "right")
        pool.seconds = 60
        assert await pool.verify(CHEAP.hash("right"), "right")
    finally:
        pool.close()


async def test_who_waits_for_what_is_stuck_is_told(
    passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stuck(pool: Argon2Pool, digest: str, password: str) -> bool:
        raise TimeoutError

    monkeypatch.setattr(Argon2Pool, "verify", stuck)
    with pytest.raises(AuthenticationUnavailable):
        await passwords.matches(CHEAP.hash("right"), "right", HERE)
    assert passwords.pending == 0
