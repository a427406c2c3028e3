"""Limits on attempts, counted in Postgres so that all replicas share them. toolkit/playbook/limits.py is their table."""

import hashlib
from collections.abc import Mapping

from bff.database import Database
from bff.refusals import TooManyAttempts
from toolkit.database import queries
from toolkit.playbook.limits import LIMITS, Limit, LimitName


class Limits:
    """Counts attempts in windows of time that slide. `overrides` are the playbook's."""

    def __init__(self, database: Database, overrides: Mapping[LimitName, Limit]) -> None:
        self._database = database
        self._limits = {name: overrides.get(name, rule.limit) for name, rule in LIMITS.items()}

    def __getitem__(self, name: LimitName) -> Limit:
        return self._limits[name]

    async def spend(self, *counted: tuple[LimitName, object]) -> None:
        """Count an attempt under each of these limits, for its key; a key that is None is not counted.

        Raises TooManyAttempts when it is one too many for any of them.
        """
        await self._spend({_hash(name, key): self._limits[name] for name, key in counted if key is not None})

    async def spend_within(self, name: LimitName, key: object, attempts: int) -> None:
        """As `spend`, with another number of attempts than the limit's. Raises TooManyAttempts."""
        await self._spend({_hash(name, key): self._limits[name].model_copy(update={"attempts": attempts})})

    async def take_back(self, *counted: tuple[LimitName, object]) -> None:
        """Let the last attempt under each of these limits, for its key, not count."""
        async with self._database.connection() as connection:
            await queries.take_attempt_back(connection, keys=[_hash(name, key) for name, key in counted])

    async def forget(self, *counted: tuple[LimitName, object]) -> None:
        """Let nothing count that was under these limits, for their keys."""
        async with self._database.connection() as connection:
            await queries.forget_attempts(connection, keys=[_hash(name, key) for name, key in counted])

    async def _spend(self, spent: Mapping[bytes, Limit]) -> None:
        if not spent:
            return
        async with self._database.connection() as connection:
            found = [
                record
                async for record in queries.spend_attempts(
                    connection,
                    keys=list(spent),
                    attempts=[limit.attempts for limit in spent.values()],
                    seconds=[limit.seconds for limit in spent.values()],
                )
            ]
        waits = [
            record["oldest"] + spent[record["key_hash"]].seconds for record in found if record["refused"]
        ]
        if waits:
            raise TooManyAttempts(retry_after=max(waits))


def _hash(name: LimitName, key: object) -> bytes:
    """What an attempt is counted under: whose it was is not to be read from it."""
    return hashlib.sha256(f"{name} {key}".encode(errors="surrogatepass")).digest()
