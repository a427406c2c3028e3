"""Checking and making Argon2 digests, a few at a time."""

import secrets
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from bff.legacy import argon2_pool, digests
from bff.legacy.argon2_pool import Argon2Pool
from bff.legacy.digests import parameters_like
from bff.refusals import AuthenticationUnavailable

WAITING_PER_SLOT = 50
"""Verifications that may wait for each slot; more are refused, as they would not be answered in time."""


class Passwords:
    """Verifies legacy passwords, and makes digests of new ones.

    `typical_digest` finds a digest like most of the table's, so that somebody who is not there costs what somebody who is
    there does. Every call raises AuthenticationUnavailable when too many wait, or the queue does not move.
    """

    def __init__(self, typical_digest: Callable[[], Awaitable[str | None]], slots: int | None = None) -> None:
        slots = slots or len(argon2_pool.cores())
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

    async def matches(self, digest: str, password: str) -> bool:
        """Whether the password is the digest's."""
        with self._waiting():
            return await self._pool.verify(digest, password)

    async def pretend(self, password: str) -> None:
        """Take what a verification takes, for somebody who has no digest."""
        with self._waiting():
            if self._decoy is None:
                typical = await self._typical_digest()
                if typical is None:  # nobody has a digest, so there is nobody to look like
                    return
                self._decoy = await self._pool.hash(parameters_like(typical), secrets.token_urlsafe(16))
            await self._pool.verify(self._decoy, password)

    async def digest(self, password: str, salt: bytes | None = None) -> str:
        """A digest as the policy wants it; with a salt of its own, unless one is given."""
        with self._waiting():
            return await self._pool.hash(digests.POLICY, password, salt)

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        """A place in the queue."""
        if self._pending >= self._most:
            raise AuthenticationUnavailable
        self._pending += 1
        try:
            yield
        except TimeoutError:
            raise AuthenticationUnavailable from None
        finally:
            self._pending -= 1
