"""Links: `clerk_id` written back to the users, by the query that belongs to the source view (`sql/sources/NAME_link.sql`)."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiosql
import asyncpg
from aiosql.types import SQLOperationType

from toolkit.database import Connection
from toolkit.migration.source import SourceInvalid, SourceUser
from toolkit.paths import SQL

_EXAMPLE = SQL / "sources" / "ax_link.sql"


@dataclass(frozen=True, slots=True)
class Sent:
    """What Clerk was given of a user: the link holds only if the row still says the same (invariants 2, 4)."""

    user: SourceUser
    clerk_id: str
    grace: bool = False
    """Clerk's Device Trust lets the user in on the first device."""


class Links:
    """The write-back of `clerk_id`, by the query that belongs to the source view."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            loaded = aiosql.from_path(path, "asyncpg", mandatory_parameters=False)
            self._link: Any = loaded.link
            if self._link.operation is not SQLOperationType.SELECT:
                raise AttributeError("link")
        except (AttributeError, aiosql.SQLLoadException, aiosql.SQLParseException) as error:
            raise SourceInvalid(
                f"{path} must hold one query that begins with `-- name: link` and returns the ids that it linked; see "
                f"{_EXAMPLE}."
            ) from error

    async def check(self, connection: Connection) -> None:
        """Run the query for nobody, so that one that can't work is found before anybody is sent. Raises SourceInvalid."""
        try:
            transaction = connection.transaction()
            await transaction.start()
            try:
                await self.write(connection, [])
                columns = (await connection.prepare(self._link.sql)).get_attributes()
            finally:
                await transaction.rollback()
        except (asyncpg.SyntaxOrAccessError, asyncpg.DataError, TypeError, KeyError, ValueError) as error:
            raise SourceInvalid(
                f"The write-back query in {self._path} does not work: {error}. {_EXAMPLE} has the contract."
            ) from error
        returned = {column.name: column.type.name for column in columns}
        if returned.get("id") != "text":
            raise SourceInvalid(
                f"The write-back query in {self._path} must return the column id as text, as the view's ids are sent; it "
                f"returns {', '.join(f'{name} ({kind})' for name, kind in returned.items()) or 'nothing'}. {_EXAMPLE} has the "
                "contract."
            )

    async def write(self, connection: Connection, sent: Iterable[Sent]) -> set[str]:
        """Link the users whose row is as it was when it was sent; their external ids come back."""
        items = list(sent)
        records = self._link(
            connection,
            ids=[item.user.external_id for item in items],
            clerk_ids=[item.clerk_id for item in items],
            emails=[item.user.email for item in items],
            email_verified=[item.user.email_verified for item in items],
            digests=[item.user.password_digest for item in items],
            second_factors=[item.user.second_factor for item in items],
            totp_ciphers=[item.user.totp_cipher for item in items],
            totp_secrets=[item.user.totp_secret for item in items],
            backup_codes=[_json(item.user.backup_codes) for item in items],
            disabled=[item.user.disabled for item in items],
        )
        return {record["id"] async for record in records}


def _json(codes: tuple[str | None, ...] | None) -> str | None:
    """An array of arrays would have to be a rectangle: so each user's is one value."""
    return None if codes is None else json.dumps(codes)
