"""What the pages and the API must have in common."""

import re
from typing import get_args

from bff.events import EventKind
from toolkit.paths import ROOT


def test_the_security_page_has_words_for_every_kind_of_event() -> None:
    script = (ROOT / "bff" / "gui" / "static" / "security.js").read_text(encoding="utf-8")
    words = script.partition("const EVENTS = {")[2].partition("};")[0]
    assert set(re.findall(r"^ *(\w+): \"", words, re.MULTILINE)) == set(get_args(EventKind))
