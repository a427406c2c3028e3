"""Weak digests are hashed anew when their password was just right, behind the back of whoever typed it.

Nobody waits for it, and if it fails the old digest stands, until the next time.
"""

import asyncio
import base64
import os
from uuid import UUID

import structlog

from bff.database import Database
from bff.legacy import digests
from bff.legacy.digests import is_weak
from bff.legacy.passwords import Passwords
from toolkit.database import queries

_log = structlog.get_logger("bff")


class Rehashing:
    """Makes strong digests of weak ones, one at a time: so that nobody waits for more than one, whoever logs in."""

    def __init__(self, database: Database, passwords: Passwords) -> None:
        self._database = database
        self._passwords = passwords
        self._task: asyncio.Task[None] | None = None

    def begin(self, user_id: UUID, digest: str, password: str) -> str | None:
        """Hash a digest anew if it is weak and its turn comes; the salt that the new one then has, as digests write it.

        By its salt, which nothing else has, a login knows that a digest is the one that it checked, hashed anew.
        """
        if not is_weak(digest) or (self._task is not None and not self._task.done()):
            return None
        salt = os.urandom(digests.POLICY.salt_len)
        self._task = asyncio.create_task(self._try(user_id, digest, password, salt))
        return base64.b64encode(salt).decode().rstrip("=")

    async def close(self) -> None:
        """Give up what is under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _try(self, user_id: UUID, digest: str, password: str, salt: bytes) -> None:
        try:
            await self.hash_anew(user_id, digest, password, salt)
        except Exception as error:  # the login goes on
            _log.warning("a digest was not hashed anew", user_id=str(user_id), error=type(error).__name__)

    async def hash_anew(self, user_id: UUID, digest: str, password: str, salt: bytes) -> None:
        """Put a new digest in the weak one's place, if that is still there and AX's."""
        new = await self._passwords.digest(password, None, salt)
        async with self._database.connection() as connection:
            await queries.replace_digest(connection, user_id=user_id, before=digest, after=new)
