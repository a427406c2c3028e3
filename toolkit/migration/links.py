"""Links: `clerk_id` written back to the users, by the query that belongs to the source view (`sql/sources/NAME_link.sql`)."""

import asyncio
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiosql
import asyncpg
from aiosql.types import SQLOperationType

from toolkit.database import Connection, queries
from toolkit.migration.reading import SourceInvalid
from toolkit.migration.source import SourceUser
from toolkit.paths import SQL

_EXAMPLE = SQL / "sources" / "ax_link.sql"


@dataclass(frozen=True, slots=True)
class Sent:
    """What Clerk was given of a user: the link holds only if the row still says the same (invariants 2, 4)."""

    user: SourceUser
    clerk_id: str
    grace: bool = False
    """Clerk's Device Trust lets the user in on the first device."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What became of users whose link was tried, and taken back."""

    tried: int
    linked: int
    refusal: str | None = None
    """What a constraint or a trigger of the table had against it."""


class Links:
    """The write-back of `clerk_id`, by the query that belongs to the source view."""

    PAUSES = (0.5, 0.0)
    """A rehearsal tries so often, with so many seconds between, as a row may be locked."""

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
        with self._faults():
            await self._write_and_undo(connection, [])
        await self._check_columns(connection)

    async def rehearse(self, connection: Connection, users: Sequence[SourceUser]) -> Rehearsal | None:
        """Link users who would go over, and take it back at once; None where this role or this server may not write.

        Raises SourceInvalid.
        """
        await self._check_columns(connection)
        left = {user.external_id: Sent(user, f"user_rehearsal{uuid4().hex}") for user in users}
        try:
            with self._faults():
                for pause in self.PAUSES:
                    for user_id in await self._write_and_undo(connection, left.values()):
                        left.pop(user_id, None)
                    if not left:
                        break
                    await asyncio.sleep(pause)  # somebody may hold a lock on the rows
        except (asyncpg.ReadOnlySQLTransactionError, asyncpg.InsufficientPrivilegeError):
            return None
        except (asyncpg.IntegrityConstraintViolationError, asyncpg.PLPGSQLError) as error:
            return Rehearsal(len(users), 0, str(error.args[0]))
        return Rehearsal(len(users), len(users) - len(left))

    async def _write_and_undo(self, connection: Connection, sent: Iterable[Sent]) -> set[str]:
        transaction = connection.transaction()
        await transaction.start()
        try:
            await connection.execute(queries.impatient.sql)
            return await self.write(connection, sent)
        except asyncpg.LockNotAvailableError:
            return set()
        finally:
            await transaction.rollback()

    async def _check_columns(self, connection: Connection) -> None:
        with self._faults():
            columns = (await connection.prepare(self._link.sql)).get_attributes()
        returned = {column.name: column.type.name for column in columns}
        if returned.get("id") != "text":
            raise SourceInvalid(
                f"The write-back query in {self._path} must return the column id as text, as the view's ids are sent; it "
                f"returns {', '.join(f'{name} ({kind})' for name, kind in returned.items()) or 'nothing'}. {_EXAMPLE} has the "
                "contract."
            )

    @contextmanager
    def _faults(self) -> Iterator[None]:
        """Tell what Postgres has against the query itself."""
        try:
            yield
        except asyncpg.InsufficientPrivilegeError:
            raise
        except (asyncpg.SyntaxOrAccessError, asyncpg.DataError, TypeError, KeyError, ValueError) as error:
            raise SourceInvalid(
                f"The write-back query in {self._path} does not work: {error}. {_EXAMPLE} has the contract."
            ) from error

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
