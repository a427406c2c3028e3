"""Limits on attempts, counted in Postgres so that all replicas share them."""

import hashlib
from collections.abc import Mapping

from bff.addresses import Address, limited_network
from bff.database import Database
from bff.problems import Problem
from toolkit.database import queries
from toolkit.playbook.limits import Limit


def by_address(what: str, address: Address | None, limit: Limit) -> dict[str, Limit]:
    """The limit of a client's network; none for a client that has no address."""
    return {} if address is None else {f"{what} address {limited_network(address)}": limit}


class Limits:
    """Counts attempts in windows of time that slide."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def spend(self, limits: Mapping[str, Limit]) -> None:
        """Count an attempt under each key. Raises Problem (too_many_attempts) when it is one too many for any of them."""
        if not limits:
            return
        hashed = {hashlib.sha256(key.encode()).digest(): limit for key, limit in limits.items()}
        async with self._database.connection() as connection:
            found = [
                record
                async for record in queries.spend_attempts(
                    connection,
                    keys=list(hashed),
                    attempts=[limit.attempts for limit in hashed.values()],
                    seconds=[limit.seconds for limit in hashed.values()],
                )
            ]
        waits = [
            record["oldest"] + hashed[record["key_hash"]].seconds for record in found if record["refused"]
        ]
        if waits:
            raise Problem("too_many_attempts", retry_after=max(waits))
