"""Text of others on a terminal: what a database or Clerk says must not steer it."""

import re
from typing import Any

import click
from rich.console import Console
from rich.text import Text

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""The C0 and C1 controls but for line feed and tab."""


def harmless(text: str) -> str:
    """The text with its control characters written out, as in `\\x1b`."""
    return _CONTROLS.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def say(text: str, *, err: bool = False) -> None:
    """Write the harmless text to standard output, or to standard error."""
    click.echo(harmless(text), err=err)


class HarmlessConsole(Console):
    """A console to which every string is harmless; colours come from markup alone."""

    def render_str(self, text: str, **options: Any) -> Text:
        """As rich does, of the harmless text."""
        return super().render_str(harmless(text), **options)
