"""Where a playbook is found, and where what it names is."""

import re
from pathlib import Path

import pytest
import yaml

from toolkit.environment import load_environment
from toolkit.paths import ROOT
from toolkit.playbook import SANDBOX, PlaybookInvalid

AX = {
    "view": "sql/sources/ax.sql",
    "link": "sql/sources/ax_link.sql",
    "migrations": ["sql/baseline", "sql/expand/toolkit"],
}


def write(path: Path, **source: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump({"clerk_instance": "development", "source": {**AX, **source}}))
    return path


def test_a_playbook_of_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "playbooks" / "staging.yaml")
    monkeypatch.chdir(tmp_path)
    assert load_environment("staging", {}).name == "staging"


def test_a_playbook_of_another_folder(tmp_path: Path) -> None:
    write(tmp_path / "staging.yaml")
    assert load_environment("staging", {}, tmp_path).name == "staging"


def test_a_path_to_a_playbook(tmp_path: Path) -> None:
    assert load_environment(str(write(tmp_path / "ours.yaml")), {}).name == "ours"


def test_a_name_that_has_no_playbook(tmp_path: Path) -> None:
    write(tmp_path / "staging.yaml")
    with pytest.raises(PlaybookInvalid) as refused:
        load_environment("prod", {}, tmp_path)
    assert "There are: sandbox, staging." in str(refused.value)
    assert str(tmp_path) in str(refused.value)


def test_a_playbook_that_says_nothing_is_shown_one_that_is_there(tmp_path: Path) -> None:
    """The package doesn't hold the checkout's playbooks."""
    path = tmp_path / "ours.yaml"
    path.write_text("nothing")
    with pytest.raises(PlaybookInvalid, match=re.escape(f"must be a mapping of settings, as {SANDBOX} is.")):
        load_environment(str(path), {})


def test_what_a_playbook_names_is_beside_it_or_above_or_shipped(tmp_path: Path) -> None:
    """In this order: what an operator wrote goes before what the package has under the same name."""
    path = write(tmp_path / "playbooks" / "ours.yaml")

    def view() -> Path:
        return load_environment(str(path), {}).playbook.source.view

    assert view() == ROOT / "sql" / "sources" / "ax.sql"
    for folder in (tmp_path, tmp_path / "playbooks"):
        own = folder / "sql" / "sources" / "ax.sql"
        own.parent.mkdir(parents=True)
        own.write_text("SELECT 1")
        assert view() == own


@pytest.mark.parametrize(
    ("setting", "what"), [({"view": "nowhere.sql"}, "file"), ({"migrations": ["nowhere"]}, "folder")]
)
def test_a_path_that_leads_nowhere_says_where_was_looked(
    tmp_path: Path, setting: dict[str, object], what: str
) -> None:
    path = write(tmp_path / "playbooks" / "ours.yaml", **setting)
    with pytest.raises(PlaybookInvalid) as refused:
        load_environment(str(path), {})
    told = str(refused.value)
    assert f"there is no such {what}" in told
    assert [str(folder / "nowhere") in told for folder in (tmp_path / "playbooks", tmp_path, ROOT)] == [
        True
    ] * 3


def test_a_key_that_is_there_twice_is_told_with_its_line(tmp_path: Path) -> None:
    path = write(tmp_path / "ours.yaml")
    path.write_text(path.read_text() + "clerk_instance: production\n")
    with pytest.raises(PlaybookInvalid, match="(?s)the key 'clerk_instance' is there twice.*line "):
        load_environment(str(path), {})
