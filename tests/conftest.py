"""What every test may use."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.emulator import CONFORM, check_conformance
from tests.emulator import emulator as emulator
from tests.emulator import shared_emulator as shared_emulator
from tests.postgres import postgres as postgres
from tests.postgres import server as server

# Hypothesis has a clock of its own, and would blame an example for a machine that is busy with others.
settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")

WORKER = os.environ.get("PYTEST_XDIST_WORKER")
"""Which of several processes that run tests side by side this is; None in the one that started them."""


@pytest.fixture(scope="session")
def traffic_file(pytestconfig: pytest.Config) -> Path:
    """What this process exchanges with emulators."""
    return _folder(pytestconfig) / f"{WORKER or 'main'}.jsonl"


def pytest_configure(config: pytest.Config) -> None:
    if WORKER is None:
        _folder(config).mkdir(parents=True, exist_ok=True)
        for traffic in _folder(config).iterdir():
            traffic.unlink()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """The run fails when its traffic is not what Clerk describes."""
    if WORKER is not None or not CONFORM.is_file():
        return
    for traffic in _folder(session.config).iterdir():
        if fault := check_conformance(traffic):
            print(f"\nThe traffic of this run does not conform to Clerk's description:\n{fault}")
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _folder(config: pytest.Config) -> Path:
    return Path(config.rootpath, ".pytest_cache", "traffic")
