"""A real Postgres for the tests: one server for the session, a fresh database for each test.

The data is in memory where there is enough, and no commit waits for a log. A conftest takes the fixtures from here:
`from tests.postgres import postgres as postgres, server as server`.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory

import psycopg
import pytest
from psycopg.sql import SQL, Composed, Identifier

from toolkit import schema
from toolkit.sandbox.postgres import Postgres
from toolkit.sandbox.seed import MIGRATIONS, SOURCE_VIEW
from toolkit.sandbox.state import free_ports

MEMORY = Path("/dev/shm")  # noqa: S108 - folders below it are made by tempfile
ROOM = 4 << 30
"""Free bytes there from which on it is used: a container may have as little as 64 MiB."""

SETTINGS = {"synchronous_commit": "off", "autovacuum": "off", "min_wal_size": "32MB", "max_wal_size": "128MB"}


@dataclass
class Server:
    """A server, and databases in it."""

    postgres: Postgres
    _template: str | None = field(default=None, init=False)
    _databases: list[str] = field(default_factory=list, init=False)

    def create_database(self, *, migrated: bool = True) -> str:
        """URL of a fresh database: with AX's tables and all that expand adds, or with nothing."""
        if not migrated:
            return self._copy("template1")
        if self._template is None:
            url = self._copy("template1")
            schema.apply(url, MIGRATIONS, SOURCE_VIEW)
            self._template = self._databases.pop()
        url = self._copy(self._template)
        with psycopg.connect(url, autocommit=True) as connection:  # a database of its own, and no copy
            connection.execute(
                "UPDATE clerk_migration.origin SET id = gen_random_uuid(), database = clerk_migration.this_database()"
            )
        return url

    @contextmanager
    def dropping(self) -> Iterator[None]:
        """Drop, at the end, the databases that were created meanwhile, whoever is connected to them."""
        kept = len(self._databases)
        yield
        while len(self._databases) > kept:
            self._execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(self._databases.pop())))

    def _copy(self, template: str) -> str:
        name = f"test_{token_hex(6)}"
        self._execute(SQL("CREATE DATABASE {} TEMPLATE {}").format(Identifier(name), Identifier(template)))
        self._databases.append(name)
        return self.postgres.url_of(name)

    def _execute(self, statement: Composed) -> None:
        with psycopg.connect(self.postgres.url_of("postgres"), autocommit=True) as connection:
            connection.execute(statement)


def quick_folder() -> str | None:
    """Where to make folders for data of Postgres's; None is wherever temporary files are."""
    return str(MEMORY) if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM else None


@contextmanager
def serving() -> Iterator[Server]:
    """A server with a folder of its own, which is deleted at the end."""
    with TemporaryDirectory(prefix="postgres-", dir=quick_folder()) as folder:
        started = Postgres(Path(folder).resolve(), next(free_ports()), token_hex(8))
        started.start()
        try:
            with psycopg.connect(started.url_of("postgres"), autocommit=True) as connection:
                for name, value in SETTINGS.items():
                    connection.execute(SQL("ALTER SYSTEM SET {} = {}").format(Identifier(name), value))
                connection.execute("SELECT pg_reload_conf()")
            yield Server(started)
        finally:
            started.stop()


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The session's server."""
    with serving() as started:
        yield started


@pytest.fixture
def postgres(server: Server) -> Iterator[Server]:
    """The session's server. The databases of a test are gone after it."""
    with server.dropping():
        yield server
