"""The Clerk emulator as a process of its own, for tests: one for the session, emptied before each test.

A conftest takes the fixtures from here: `from tests.emulator import emulator as emulator`.
"""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.processes import Running
from toolkit.paths import ROOT
from toolkit.sandbox.state import free_ports

CONFORM = ROOT.parent / "shared" / "clerk" / "conform.py"
"""Holds recorded traffic against Clerk's own description of its APIs, where that is at hand."""


def option(name: str, arguments: Sequence[str]) -> str | None:
    """The value of an option that may be among the arguments."""
    return arguments[arguments.index(name) + 1] if name in arguments else None


class Emulator:
    """A running emulator."""

    def __init__(self, traffic: Path, *arguments: str) -> None:
        self._traffic = traffic
        self._process = Running("toolkit.sandbox.emulator", *arguments)
        given = option("--secret-key", arguments)
        lines = self._process.first_lines(4 if given is None else 3)
        exported = dict(line.removeprefix("export ").split("=", 1) for line in lines)
        self.url = exported["CLERK_API_URL"]
        self.secret_key = given or exported["CLERK_SECRET_KEY"]
        self.publishable_key = exported["CLERK_PUBLISHABLE_KEY"]
        self.smtp_port = option("--smtp-port", arguments)
        self.settings()

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def pid(self) -> int:
        return self._process.pid

    def settings(self, **changes: Any) -> dict[str, Any]:
        """The settings, after these changes."""
        return dict(self.control("POST", "settings", changes))

    def stats(self) -> dict[str, Any]:
        return dict(self.control("GET", "stats"))

    def is_idle(self) -> bool:
        """Whether every request that came is answered."""
        return bool(self.stats()["in_flight"] == 0)

    def advance(self, seconds: float) -> None:
        """Put its clock forward."""
        self.control("POST", "clock", {"advance_seconds": seconds})

    def now(self) -> float:
        """Its clock, in seconds."""
        return int(self.control("GET", "clock")["now"]) / 1000

    def faults(self) -> list[dict[str, Any]]:
        return list(self.control("GET", "faults"))

    def add_fault(self, fault: dict[str, Any]) -> None:
        self.control("POST", "faults", fault)

    def clear_faults(self) -> None:
        self.control("DELETE", "faults")

    def reset(self) -> None:
        """Forget everything but the traffic, which is kept for the check at the end."""
        self._keep_traffic()
        self.control("POST", "reset", {})

    def traffic(self) -> str:
        """The exchanges that it knows, a line of JSON each."""
        with urllib.request.urlopen(f"{self.url}/_sandbox/traffic", timeout=60) as answer:
            return bytes(answer.read()).decode()

    def get(self, path: str) -> Any:
        """Ask one of Clerk's APIs, with the secret key."""
        request = urllib.request.Request(
            self.url + path, headers={"Authorization": f"Bearer {self.secret_key}"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def stop(self) -> None:
        """End it as an operator would."""
        self._keep_traffic()
        self._process.stop()

    def kill(self) -> None:
        """End it without a chance to write anything."""
        self._keep_traffic()
        self._process.kill()

    def _keep_traffic(self) -> None:
        with self._traffic.open("a") as file:
            file.write(self.traffic())

    def control(self, method: str, path: str, content: object = None) -> Any:
        """Ask the control API."""
        request = urllib.request.Request(
            f"{self.url}/_sandbox/{path}",
            method=method,
            data=None if content is None else json.dumps(content).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)


@pytest.fixture(scope="session")
def shared_emulator(traffic_file: Path) -> Iterator[Emulator]:
    """The session's emulator."""
    started = Emulator(traffic_file, "--rate-limit", "off", "--smtp-port", str(next(free_ports())))
    yield started
    started.stop()


@pytest.fixture
def emulator(shared_emulator: Emulator) -> Emulator:
    """The session's emulator, emptied."""
    shared_emulator.reset()
    return shared_emulator


def check_conformance(traffic: Path) -> str | None:
    """What Clerk's description says against the traffic; None when nothing."""
    checked = subprocess.run(
        [sys.executable, str(CONFORM), str(traffic)], capture_output=True, text=True, check=False
    )
    return None if checked.returncode == 0 else checked.stdout[-4000:] + checked.stderr[-2000:]


def answer_faults(traffic: Path) -> list[str]:
    """What Clerk's description says against the answers alone: for traffic whose requests are wrong on purpose."""
    checked = subprocess.run(
        [sys.executable, str(CONFORM), str(traffic), "--json"], capture_output=True, text=True, check=False
    )
    operations = json.loads(checked.stdout)["operations"]
    return [
        f"{operation}: {fault}"
        for operation, found in operations.items()
        for fault in found["faults"]
        if fault != "no such operation" and not fault.startswith("request:")
    ]
