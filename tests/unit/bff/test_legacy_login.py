"""AX's own check of passwords and codes."""

import asyncio
import multiprocessing
import os
import signal
from collections.abc import AsyncIterator, Callable
from uuid import UUID

import pyotp
import pytest
from argon2 import PasswordHasher, extract_parameters
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bff.legacy import login as legacy
from bff.legacy.argon2_pool import Argon2Pool
from bff.legacy.login import LegacyLogin
from bff.login.account import Account
from bff.problems import Problem

CHEAP = PasswordHasher(time_cost=2, memory_cost=128, parallelism=1)
KEY, NONCE, SECRET = bytes(range(32)), b"n" * 12, "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
NOW = 1_700_000_010


def account(**changed: object) -> Account:
    cipher = AESGCM(KEY).encrypt(NONCE, SECRET.encode(), None)
    fields: dict[str, object] = {
        "id": UUID(int=1),
        "email": "a@example.com",
        "email_verified": True,
        "clerk_id": None,
        "digest": None,
        "second_factor": True,
        "totp_cipher": cipher,
        "totp_nonce": NONCE,
        "disabled": False,
        **changed,
    }
    return Account(**fields)  # type: ignore[arg-type]


async def no_digest() -> None:
    return None


@pytest.fixture
async def login() -> AsyncIterator[LegacyLogin]:
    made = LegacyLogin(KEY, no_digest, slots=1)
    yield made
    made.close()


async def test_a_digest_tells_its_password_from_others(login: LegacyLogin) -> None:
    digest = CHEAP.hash("right")
    assert await login.password_matches(digest, "right")
    assert not await login.password_matches(digest, "wrong")
    assert not await login.password_matches("no digest", "right")
    assert not await login.password_matches("$argon2id$v=19$m=128,t=2,p=1$AAAA", "right")


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
    login = LegacyLogin(None, typical, slots=1)
    try:
        assert not await login.password_matches(None, "anything")
        assert not await login.password_matches(None, "anything else")
    finally:
        login.close()
    assert len(verified) == 2
    assert extract_parameters(verified[0]) == extract_parameters(CHEAP.hash(""))


async def test_who_would_wait_too_long_is_refused(
    login: LegacyLogin, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = asyncio.Event()

    async def wait(*_: object) -> bool:
        await held.wait()
        return True

    monkeypatch.setattr(Argon2Pool, "verify", wait)
    most = 1 + legacy.WAITING_PER_SLOT
    waiting = [asyncio.create_task(login.password_matches("digest", "")) for _ in range(most)]
    await asyncio.sleep(0)
    assert login.pending == most
    with pytest.raises(Problem) as refused:
        await login.password_matches("digest", "")
    assert refused.value.code == "authentication_unavailable"
    waiting.pop().cancel()  # who goes away makes room
    held.set()
    assert await asyncio.gather(*waiting) == [True] * (most - 1)
    await asyncio.sleep(0)
    assert login.pending == 0


@pytest.mark.parametrize(("steps", "taken"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
async def test_a_code_is_taken_a_step_early_or_late(
    login: LegacyLogin, monkeypatch: pytest.MonkeyPatch, steps: int, taken: bool
) -> None:
    monkeypatch.setattr("time.time", lambda: NOW)
    step = NOW // 30 + steps
    found = login.totp_step(account(), pyotp.TOTP(SECRET).at(step * 30), after=None)
    assert found == (step if taken else None)


@pytest.mark.parametrize("spend", [lambda step: step, lambda step: step + 1])
async def test_a_code_does_not_work_again(
    login: LegacyLogin, monkeypatch: pytest.MonkeyPatch, spend: Callable[[int], int]
) -> None:
    monkeypatch.setattr("time.time", lambda: NOW)
    step = NOW // 30
    code = pyotp.TOTP(SECRET).at(step * 30)
    assert login.totp_step(account(), code, after=step - 1) == step
    assert login.totp_step(account(), code, after=spend(step)) is None


@pytest.mark.parametrize("code", ["", "12345", "1234567", "é" * 6, "١٢٣٤٥٦"])
async def test_what_is_no_code_is_wrong(login: LegacyLogin, code: str) -> None:
    assert login.totp_step(account(), code, after=None) is None


@pytest.mark.parametrize("changed", [{"totp_cipher": None}, {"totp_cipher": b"garbage" * 5}])
async def test_a_secret_that_does_not_open_lets_nobody_in(
    login: LegacyLogin, changed: dict[str, bytes]
) -> None:
    """Invariant 2."""
    with pytest.raises(Problem) as refused:
        login.totp_step(account(**changed), pyotp.TOTP(SECRET).now(), after=None)
    assert refused.value.code == "authentication_unavailable"


async def test_a_process_that_is_stuck_is_replaced() -> None:
    pool = Argon2Pool(1, seconds=15)
    try:
        assert await pool.verify(CHEAP.hash("right"), "right")
        pool.seconds = 1
        for child in multiprocessing.active_children():
            os.kill(child.pid or 0, signal.SIGSTOP)
        with pytest.raises(TimeoutError):
            await pool.verify(CHEAP.hash("right"), "right")
        pool.seconds = 15
        assert await pool.verify(CHEAP.hash("right"), "right")
    finally:
        pool.close()


async def test_who_waits_for_what_is_stuck_is_told(
    login: LegacyLogin, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stuck(pool: Argon2Pool, digest: str, password: str) -> bool:
        raise TimeoutError

    monkeypatch.setattr(Argon2Pool, "verify", stuck)
    with pytest.raises(Problem) as told:
        await login.password_matches(CHEAP.hash("right"), "right")
    assert (told.value.code, login.pending) == ("authentication_unavailable", 0)
