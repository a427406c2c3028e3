"""What the pages and the API must have in common."""

import re
from typing import get_args

from bff.events import EventKind
from bff.gui.pages import FOLDER, PAGES
from toolkit.paths import ROOT

SCRIPTS = {path.name: path.read_text(encoding="utf-8") for path in (FOLDER / "static").glob("*.js")}
TEMPLATES = {path.name: path.read_text(encoding="utf-8") for path in (FOLDER / "templates").glob("*.html")}


def test_the_security_page_has_words_for_every_kind_of_event() -> None:
    script = (ROOT / "bff" / "gui" / "static" / "security.js").read_text(encoding="utf-8")
    words = script.partition("const EVENTS = {")[2].partition("};")[0]
    assert set(re.findall(r"^ *(\w+): \"", words, re.MULTILINE)) == set(get_args(EventKind))


def test_no_script_makes_html_of_text() -> None:
    """What somebody else typed, a User-Agent for one, is shown as text."""
    makers = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|setHTML|text/html|\beval\b|new Function"
    assert len(SCRIPTS) > 10
    assert [name for name, script in SCRIPTS.items() if re.search(makers, script)] == []


def test_scripts_lead_to_pages_of_ours_alone() -> None:
    """Nobody's link or answer says where to go next."""
    text = "\n".join(SCRIPTS.values())
    led = re.findall(r"\blocation\.(?:replace|assign)\(([^)]*)\)", text)
    assert {where.strip('"') for where in led} <= set(PAGES)
    assert len(led) == len(re.findall(r"\blocation\.(?:replace|assign)\b", text)) > 5
    assert re.findall(r"\blocation(?:\.href)?\s*=[^=]|window\.open|http-equiv", text) == []


def test_nothing_keeps_a_password_from_being_pasted() -> None:
    assert [name for name, text in {**SCRIPTS, **TEMPLATES}.items() if "paste" in text] == []
