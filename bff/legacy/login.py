"""AX's own check of passwords and authenticator codes, for users who are not in Clerk yet.

Argon2 runs in threads of its own, as many as there are cores, at a lower priority than the event loop: checking a
session stays quick while passwords are verified.
"""

import asyncio
import os
import secrets
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pyotp
from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import Argon2Error, InvalidHashError

from bff.login.account import Account
from bff.problems import Problem
from toolkit.migration import totp
from toolkit.migration.totp import TotpUnfit

WAITING_PER_SLOT = 50
"""Verifications that may wait for each slot; more are refused, as they would not be answered in time."""
NICENESS = 19
STEP = 30
"""Seconds that an authenticator code stands for."""


class LegacyLogin:
    """Verifies legacy passwords and codes.

    `totp_key` opens the TOTP secrets; `typical_digest` finds a digest like most of the table's, so that somebody who
    is not there costs what somebody who is there does.
    """

    def __init__(
        self,
        totp_key: bytes | None,
        typical_digest: Callable[[], Awaitable[str | None]],
        slots: int | None = None,
    ) -> None:
        slots = slots or os.cpu_count() or 1
        self._totp_key = totp_key
        self._most = slots * (1 + WAITING_PER_SLOT)
        self._pending = 0
        self._pool = ThreadPoolExecutor(slots, "argon2", initializer=_yield_to_the_event_loop)
        self._hasher = PasswordHasher()
        self._typical_digest = typical_digest
        self._decoy: str | None = None

    @property
    def pending(self) -> int:
        """Verifications under way or waiting."""
        return self._pending

    def close(self) -> None:
        """Let the threads go."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def password_matches(self, digest: str | None, password: str) -> bool:
        """Whether the password is the digest's. Without a digest it costs the same, and is false.

        Raises Problem (authentication_unavailable) when too many wait.
        """
        if self._pending >= self._most:
            raise Problem("authentication_unavailable")
        self._pending += 1
        try:
            if digest is None and self._decoy is None:
                self._decoy = self._make_decoy(await self._typical_digest())
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._pool, self._verify, digest, password)
        finally:
            self._pending -= 1

    def totp_step(self, account: Account, code: str, *, after: int | None) -> int | None:
        """The 30-second step that the code belongs to, newer than `after`; None when it is not the user's code.

        A step early or late is taken, as AX does. Raises Problem (authentication_unavailable) when the secret does
        not open.
        """
        if account.totp_cipher is None or self._totp_key is None:
            raise Problem("authentication_unavailable")
        try:
            secret = totp.decrypt(account.totp_cipher, account.totp_nonce, self._totp_key)
        except TotpUnfit as error:
            raise Problem("authentication_unavailable") from error
        now = int(time.time()) // STEP
        generator = pyotp.TOTP(secret)
        return next(
            (
                step
                for step in (now, now - 1, now + 1)
                if (after is None or step > after)
                and secrets.compare_digest(generator.at(step * STEP).encode(), code.encode())
            ),
            None,
        )

    def _make_decoy(self, like: str | None) -> str:
        """A digest of nobody's password, with the same parameters."""
        hasher = self._hasher
        if like is not None:
            with suppress(InvalidHashError):
                hasher = PasswordHasher.from_parameters(extract_parameters(like))
        return hasher.hash(os.urandom(16))

    def _verify(self, digest: str | None, password: str) -> bool:
        with suppress(Argon2Error, InvalidHashError):
            return self._hasher.verify(digest or self._decoy or "", password) and digest is not None
        return False


def _yield_to_the_event_loop() -> None:
    with suppress(OSError, AttributeError):  # elsewhere than on Linux a thread has no priority of its own
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
