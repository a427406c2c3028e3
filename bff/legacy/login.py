"""AX's own check of passwords and authenticator codes, for users who are not in Clerk yet."""

import secrets
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import pyotp

from bff.legacy import argon2_pool
from bff.legacy.argon2_pool import Argon2Pool
from bff.login.account import Account
from bff.problems import Problem
from toolkit import totp
from toolkit.totp import TotpUnfit

WAITING_PER_SLOT = 50
"""Verifications that may wait for each slot; more are refused, as they would not be answered in time."""
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
        slots = slots or len(argon2_pool.cores())
        self._totp_key = totp_key
        self._most = slots * (1 + WAITING_PER_SLOT)
        self._pending = 0
        self._pool = Argon2Pool(slots)
        self._typical_digest = typical_digest
        self._decoy: str | None = None

    @property
    def pending(self) -> int:
        """Verifications under way or waiting."""
        return self._pending

    def close(self) -> None:
        """Let the processes go."""
        self._pool.close()

    async def password_matches(self, digest: str | None, password: str) -> bool:
        """Whether the password is the digest's. Without a digest it costs the same, and is false.

        Raises Problem (authentication_unavailable) when too many wait.
        """
        with self._waiting():
            if digest is not None:
                return await self._pool.verify(digest, password)
            if self._decoy is None:
                nobodys = secrets.token_urlsafe(16)
                self._decoy = await self._pool.hash_like(await self._typical_digest(), nobodys)
            await self._pool.verify(self._decoy, password)
            return False

    async def digest(self, password: str) -> str:
        """A digest of a new password, as most of the table's are made. Raises as `password_matches` does."""
        with self._waiting():
            return await self._pool.hash_like(await self._typical_digest(), password)

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        """A place in the queue. Raises Problem (authentication_unavailable) when it is full, or does not move."""
        if self._pending >= self._most:
            raise Problem("authentication_unavailable")
        self._pending += 1
        try:
            yield
        except TimeoutError:
            raise Problem("authentication_unavailable") from None
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
