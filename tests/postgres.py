"""A real Postgres for the tests: one server for the session, a fresh database for each test.

A conftest takes the fixtures from here: `from tests.postgres import postgres as postgres`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from toolkit import schema
from toolkit.sandbox.postgres import Postgres
from toolkit.sandbox.seed import MIGRATIONS, SOURCE_VIEW
from toolkit.sandbox.state import free_ports


@dataclass
class Server:
    """A server, and databases in it."""

    postgres: Postgres
    _template: str | None = field(default=None, init=False)

    def create_database(self, *, migrated: bool = True) -> str:
        """URL of a fresh database: with AX's tables and all that expand adds, or with nothing."""
        if not migrated:
            return self._copy("template1")
        if self._template is None:
            url = self._copy("template1")
            schema.apply(url, MIGRATIONS, SOURCE_VIEW)
            self._template = url.rsplit("/", 1)[1]
        url = self._copy(self._template)
        with psycopg.connect(url, autocommit=True) as connection:  # a database of its own, and no copy
            connection.execute(
                "UPDATE clerk_migration.origin SET id = gen_random_uuid(), database = clerk_migration.this_database()"
            )
        return url

    def _copy(self, template: str) -> str:
        name = f"test_{token_hex(6)}"
        with psycopg.connect(self.postgres.url_of("postgres"), autocommit=True) as connection:
            connection.execute(
                SQL("CREATE DATABASE {} TEMPLATE {}").format(Identifier(name), Identifier(template))
            )
        return self.postgres.url_of(name)


@contextmanager
def running_server() -> Iterator[Server]:
    """A server with a folder of its own, stopped and deleted at the end."""
    with TemporaryDirectory(prefix="postgres-") as folder:
        started = Postgres(Path(folder).resolve(), next(free_ports()), token_hex(8))
        started.start()
        try:
            yield Server(started)
        finally:
            started.stop()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """The session's server."""
    with running_server() as server:
        yield server
