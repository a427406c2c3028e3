"""What others wrote is shown, and steers no terminal."""

import re
from io import StringIO

import pytest

from toolkit.paths import ROOT
from toolkit.terminal.text import HarmlessConsole, harmless

CONTROLS = [*map(chr, range(32)), *map(chr, range(127, 160))]


@pytest.mark.parametrize("control", [c for c in CONTROLS if c not in "\t\n"], ids=repr)
def test_a_control_is_written_out(control: str) -> None:
    assert harmless(f"a{control}b") == f"a\\x{ord(control):02x}b"


def test_all_else_stays_as_it_is() -> None:
    text = "Zoë [red] 😀\n\t日本"
    assert harmless(text) == text


def test_a_console_shows_colours_of_markup_alone() -> None:
    console = HarmlessConsole(file=StringIO(), force_terminal=True, color_system="standard")
    console.print("[red]a\x1b[32mb[/]", highlight=False)
    assert isinstance(console.file, StringIO)
    assert console.file.getvalue() == "\x1b[31ma\\x1b[32mb\x1b[0m\n"


def test_commands_show_nothing_past_it() -> None:
    """JSON writes controls out by itself."""
    shown = {
        (path.name, found)
        for room in ("cli", "terminal")
        for path in (ROOT / "toolkit" / room).glob("*.py")
        for found in re.findall(r"click\.echo\(|\bConsole\(", path.read_text(encoding="utf-8"))
    }
    assert shown == {("options.py", "click.echo("), ("text.py", "click.echo(")}
