"""The sandbox's Postgres as a process: it outlives kills, and takes no stranger for itself."""

import os
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import psycopg
import pytest

from tests.integration.sandbox.conftest import closed_folder
from tests.waiting import until_now
from toolkit.sandbox.postgres import Postgres, PostgresFailed
from toolkit.sandbox.processes import PortInUse
from toolkit.sandbox.state import free_ports


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """A server that the tests share; each starts it, whether it runs or not."""
    with closed_folder() as folder:
        server = new_server(folder)
        yield server
        server.stop()


def new_server(folder: Path) -> Postgres:
    return Postgres(folder / "postgres", next(free_ports()), "s3cret")


def run(server: Postgres, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(server.url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def postmaster(server: Postgres) -> int:
    return int((server.data / "postmaster.pid").read_text().splitlines()[0])


def kill(server: Postgres) -> None:
    process = psutil.Process(postmaster(server))
    process.kill()
    process.wait(60)


def test_data_survive_a_stop(server: Postgres) -> None:
    server.start()
    run(server, "CREATE TABLE stopped AS SELECT 1")
    server.stop()
    assert not server.is_running
    server.start()
    assert run(server, "TABLE stopped") == [(1,)]


def test_committed_data_survive_a_kill(server: Postgres) -> None:
    """Invariant 7."""
    server.start()
    with closing(psycopg.connect(server.url)) as connection:
        connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000)")
        connection.commit()
        connection.execute("INSERT INTO kept SELECT 0")
        kill(server)
        server.start()
    assert server.is_running
    assert run(server, "SELECT count(*) FROM kept") == [(1000,)]


def test_starting_and_stopping_twice_is_no_fault(server: Postgres) -> None:
    server.stop()
    server.start()
    first = postmaster(server)
    server.start()
    assert postmaster(server) == first
    server.stop()
    server.stop()


def test_a_stranger_with_the_same_process_id_is_left_alone(server: Postgres) -> None:
    server.start()
    kill(server)
    stale = server.data / "postmaster.pid"
    stale.write_text(stale.read_text().replace(str(postmaster(server)), str(os.getpid()), 1))
    assert not server.is_running
    server.stop()
    server.start()
    assert server.is_running


def test_a_port_that_is_taken_is_named(server: Postgres) -> None:
    server.stop()
    with (
        socket.create_server(("127.0.0.1", server.port)),
        pytest.raises(PortInUse, match=f"Port {server.port} "),
    ):
        server.start()
    server.start()


def test_a_start_that_was_killed_in_the_middle_is_begun_again() -> None:
    """Invariant 7."""
    with closed_folder() as folder:
        server = new_server(folder)
        (server.folder / "data.unfinished" / "base").mkdir(parents=True)
        server.start()
        assert run(server, "SELECT 1") == [(1,)]
        server.stop()


def test_a_first_start_that_broke_off_is_ended_by_the_next(server: Postgres) -> None:
    """Invariant 7."""
    server.start()
    with psycopg.connect(server.url_of("postgres"), autocommit=True) as connection:
        connection.execute("DROP DATABASE ax")
    server.start()
    assert run(server, "SHOW clerk_migration.sandbox") == [("on",)]


def test_a_server_that_is_still_starting_is_waited_for(server: Postgres) -> None:
    """Invariant 7: a start was killed, and the server that it started was not."""
    server.start()
    kill(server)
    until_now(lambda: not server._processes())
    (server.data / "postmaster.pid").unlink()
    server._run("pg_ctl", "start", "-W", "-l", str(server.log), "-o", f"-p {server.port}")
    until_now(lambda: server.is_running)
    server.start()
    assert run(server, "SELECT 1") == [(1,)]


def test_a_folder_that_was_closed_again_does_not_keep_it_from_stopping(server: Postgres) -> None:
    server.start()
    server.folder.parent.chmod(0o700)
    server.stop()
    assert not server.is_running
    server.start()
    assert server.is_running


def test_a_server_that_does_not_start_shows_its_log(server: Postgres) -> None:
    server.start()
    server.stop()
    wrong = server.data / "postgresql.auto.conf"
    wrong.write_text("shared_buffers = 'plenty'\n")
    with pytest.raises(PostgresFailed, match='invalid value for parameter "shared_buffers": "plenty"'):
        server.start()
    wrong.write_text("")
    server.start()


def test_it_wants_the_password_and_answers_on_this_machine_alone(server: Postgres) -> None:
    server.start()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(server.url.replace("s3cret", "guess"))
    assert run(server, "SHOW listen_addresses") == [("127.0.0.1",)]
    assert "s3cret" not in server.address
    assert "s3cret" not in repr(server)
    assert not list(server.folder.glob("password.*"))


def test_it_knows_the_letters_of_all_scripts(server: Postgres) -> None:
    server.start()
    assert run(server, "SELECT lower('ÅСΩ'), 'Ada@x' = 'ada@x', current_setting('server_encoding')") == [
        ("åсω", False, "UTF8")
    ]
