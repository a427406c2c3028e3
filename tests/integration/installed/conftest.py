"""A database, an emulator, and a playbook in a folder that is nobody's checkout."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.migration.conftest import AX_SOURCE
from tests.integration.migration.conftest import world as world

PLAYBOOK: dict[str, Any] = {"clerk_instance": "development", "source": AX_SOURCE}


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder with playbooks/ours.yaml in it, and nothing else."""
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "playbooks" / "ours.yaml").write_text(yaml.safe_dump(PLAYBOOK))
    return tmp_path
