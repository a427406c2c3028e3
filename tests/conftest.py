"""What every test may use."""

from pathlib import Path

import pytest

from tests.emulator import CONFORM, check_conformance
from tests.postgres import postgres as postgres

TRAFFIC = pytest.StashKey[Path]()
"""Everything that was exchanged with emulators in this run."""


def pytest_configure(config: pytest.Config) -> None:
    config.stash[TRAFFIC] = Path(config.rootpath, ".pytest_cache", "traffic.jsonl")
    config.stash[TRAFFIC].parent.mkdir(exist_ok=True)
    config.stash[TRAFFIC].unlink(missing_ok=True)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """The run fails when its traffic is not what Clerk describes."""
    traffic = session.config.stash[TRAFFIC]
    if traffic.is_file() and CONFORM.is_file() and (fault := check_conformance(traffic)):
        print(f"\nThe traffic of this run does not conform to Clerk's description:\n{fault}")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def traffic_file(pytestconfig: pytest.Config) -> Path:
    return pytestconfig.stash[TRAFFIC]
