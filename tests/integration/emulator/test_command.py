"""The emulator's command: how it starts, says no, and ends."""

import base64
import json
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.emulator import Emulator
from toolkit.paths import ROOT
from toolkit.sandbox.emulator.cli import Latency, emulator

COMMAND = [sys.executable, "-m", "toolkit.sandbox.emulator"]


def refused(*arguments: str) -> tuple[int, str]:
    """Exit code, and what was said, of a start that fails."""
    result = CliRunner().invoke(emulator, arguments)
    assert isinstance(result.exception, SystemExit)
    assert result.stdout == ""
    return result.exit_code, result.stderr


def test_says_how_to_reach_it(traffic_file: Path) -> None:
    emulator = Emulator(traffic_file)
    key = base64.b64decode(emulator.publishable_key.removeprefix("pk_test_")).decode()
    assert key == f"127.0.0.1:{emulator.port}$"
    assert emulator.secret_key.startswith("sk_test_")
    assert emulator.settings()["rate_limit"] == "production"
    emulator.stop()


def test_takes_its_options(traffic_file: Path) -> None:
    emulator = Emulator(
        traffic_file,
        *("--rate-limit", "development", "--latency", "1.5s"),
        *("--secret-key", "sk_test_mine", "--publishable-key", "pk_test_mine"),
    )
    assert (emulator.secret_key, emulator.publishable_key) == ("sk_test_mine", "pk_test_mine")
    settings = emulator.settings(latency_ms=0)
    assert settings["rate_limit"] == "development"
    request = urllib.request.Request(
        f"{emulator.url}/v1/users/count", headers={"Authorization": "Bearer sk_test_mine"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert json.load(answer)["total_count"] == 0
    emulator.stop()


@pytest.mark.parametrize(
    ("latency", "milliseconds"), [("20", 20), ("20ms", 20), ("0.02s", 20), ("60s", 60000)]
)
def test_latency_has_units(latency: str, milliseconds: float) -> None:
    assert Latency().convert(latency, None, None) == milliseconds


def test_a_port_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [*COMMAND, "--port", str(port)], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
        )
    assert (done.returncode, done.stdout) == (1, "")
    assert f"Cannot listen on 127.0.0.1:{port}: Address already in use" in done.stderr
    assert "--port" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_host_that_is_none() -> None:
    code, said = refused("--host", "no.such.host.invalid")
    assert code == 1
    assert "Cannot listen on no.such.host.invalid:0" in said


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("--latency", value) for value in ("soon", "-1ms", "100 ms", "61s", "1h", "nan")),
        *(("--port", value) for value in ("-1", "65536", "http")),
        *(("--rate-limit", value) for value in ("fast", "")),
        ("--state", "."),
    ],
)
def test_an_option_that_makes_no_sense(option: str, value: str) -> None:
    code, said = refused(option, value)
    assert code == 2
    assert option in said


def no_database(path: Path) -> None:
    path.write_text("This is a letter, and no database.\n" * 100)


def other_settings(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(
            "CREATE TABLE things (kind TEXT, id TEXT, user_id TEXT, record BLOB, PRIMARY KEY (kind, id))"
        )
        connection.execute("INSERT INTO things VALUES ('settings', 'settings', NULL, '{\"speed\": 1}')")
    connection.close()


@pytest.mark.parametrize("spoil", [no_database, other_settings])
def test_a_state_that_is_none(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    state = tmp_path / "state.sqlite"
    spoil(state)
    code, said = refused("--state", str(state))
    assert code == 1
    assert f"Cannot keep the state in {state}: " in said
    assert said.count("\n") == 1


def test_a_state_where_no_file_can_be(tmp_path: Path) -> None:
    code, said = refused("--state", str(tmp_path / "nowhere" / "state.sqlite"))
    assert code == 1
    assert "nowhere" in said


def test_a_state_that_another_emulator_has(traffic_file: Path, tmp_path: Path) -> None:
    state = str(tmp_path / "state.sqlite")
    emulator = Emulator(traffic_file, "--state", state)
    code, said = refused("--state", state)
    emulator.stop()
    assert code == 1
    assert "database is locked" in said
    Emulator(traffic_file, "--state", state).stop()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_peace(number: signal.Signals) -> None:
    process = subprocess.Popen(
        [*COMMAND, "--latency", "60s"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    url = [process.stdout.readline() for _ in range(4)][2].strip().removeprefix("export CLERK_API_URL=")
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as waiting:  # for an answer that would take a minute
        waiting.sendall(b"GET /v1/environment HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.3)
        process.send_signal(number)
        _, said = process.communicate(timeout=50)
    assert process.returncode == 0
    assert said == ""
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{url}/_sandbox/stats", timeout=30)
