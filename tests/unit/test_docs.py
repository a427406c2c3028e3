"""The handbooks name tests and codes that there are."""

import re

from bff.problems import KINDS
from toolkit.paths import ROOT


def test_the_lifecycle_table_names_tests_that_there_are() -> None:
    page = (ROOT / "docs" / "login.md").read_text(encoding="utf-8")
    folder = ROOT / "tests" / "integration" / "bff"
    written = "".join(path.read_text(encoding="utf-8") for path in folder.glob("test_*.py"))
    named = set(re.findall(r"`(test_\w+)`", page))
    assert named
    assert [name for name in named if f"def {name}(" not in written] == []


def test_the_codes_of_the_handbook_are_there() -> None:
    page = (ROOT / "docs" / "login.md").read_text(encoding="utf-8")
    section = page.partition("## What it answers")[2].partition("## What may happen")[0]
    codes = set(re.findall(r"`([a-z]+_[a-z_]+)`", section)) - {"login_counts"}
    assert codes <= set(KINDS)
