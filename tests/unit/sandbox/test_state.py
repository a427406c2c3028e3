"""Where a sandbox is."""

from pathlib import Path

import pytest

from toolkit.sandbox import state


def test_a_sandbox_is_in_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SANDBOX_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    assert state.folder() == tmp_path / ".sandbox"


def test_a_sandbox_is_where_the_variable_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDBOX_DIR", str(tmp_path / "other"))
    assert state.folder() == tmp_path / "other"
