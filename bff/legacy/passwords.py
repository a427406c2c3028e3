"""Checking and making Argon2 digests, a few at a time."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog

from bff.legacy import argon2_pool, digests
from bff.legacy.argon2_pool import Argon2Pool
from bff.legacy.digests import parameters_like
from bff.legacy.turns import Turns
from bff.refusals import AuthenticationUnavailable

WAITING_PER_SLOT = 50
"""Verifications that may wait for each slot; more are refused, as they would not be answered in time."""
USUAL_SECONDS = 300.0
"""How long what a password usually costs is believed to be so."""

_log = structlog.get_logger("bff")


class Passwords:
    """Verifies legacy passwords, and makes digests of new ones; turns are fair by `network`, where a request came from.

    `usual_digest` finds a digest that costs what most users' passwords cost here, so that somebody who is not there costs what
    most of those do who are; None when most cost nothing. Every call raises Crowded when too many wait, and
    AuthenticationUnavailable when the queue does not move.
    """

    def __init__(
        self,
        usual_digest: Callable[[], Awaitable[str | None]],
        slots: int | None = None,
    ) -> None:
        slots = slots or len(argon2_pool.cores())
        self._pool = Argon2Pool(slots)
        self._turns = Turns(slots, slots * WAITING_PER_SLOT)
        self._usual_digest = usual_digest
        self._decoy: str | None = None
        self._decoy_until = 0.0
        self._looking: asyncio.Task[None] | None = None
        self._looked = False

    @property
    def pending(self) -> int:
        """Verifications under way or waiting."""
        return self._turns.pending

    def crowded(self, network: str | None) -> bool:
        """Whether somebody of this network would be refused now, since too many wait."""
        return self._turns.crowded(network)

    def close(self) -> None:
        """Let the processes go."""
        if self._looking is not None:
            self._looking.cancel()
        self._pool.close()

    async def matches(self, digest: str, password: str, network: str | None) -> bool:
        """Whether the password is the digest's."""
        async with self._turn(network):
            return await self._pool.verify(digest, password)

    async def pretend(self, password: str, network: str | None) -> None:
        """Take what most users' passwords take, for somebody who has no digest."""
        decoy = await self._usual_decoy()
        if decoy is not None:
            async with self._turn(network):
                await self._pool.verify(decoy, password)

    async def digest(self, password: str, network: str | None, salt: bytes | None = None) -> str:
        """A digest as the policy wants it; with a salt of its own, unless one is given."""
        async with self._turn(network):
            return await self._pool.hash(digests.POLICY, password, salt)

    async def _usual_decoy(self) -> str | None:
        """A digest for somebody who has none. One look is for all who come meanwhile, and only the first is waited for."""
        if time.monotonic() >= self._decoy_until and (self._looking is None or self._looking.done()):
            self._looking = asyncio.create_task(self._look())
        if self._looking is not None and not self._looked:
            await asyncio.shield(self._looking)
        return self._decoy

    async def _look(self) -> None:
        """Find out what a password usually costs. If that fails, what was found before stands."""
        try:
            self._decoy = await self._make_decoy()
        except Exception as error:
            if not self._looked:
                raise
            _log.warning("what a password usually costs was not looked up", error=str(error))
        self._looked = True
        self._decoy_until = time.monotonic() + USUAL_SECONDS

    async def _make_decoy(self) -> str | None:
        usual = await self._usual_digest()
        if usual is None:
            return None
        async with self._turn(None):
            return await self._pool.hash(parameters_like(usual), secrets.token_urlsafe(16))

    @asynccontextmanager
    async def _turn(self, network: str | None) -> AsyncIterator[None]:
        async with self._turns.turn(network):
            try:
                yield
            except TimeoutError:
                raise AuthenticationUnavailable from None
