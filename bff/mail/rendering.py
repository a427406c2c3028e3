"""Mails as they are read: subject, text and HTML, from templates.

Nothing in them is a stranger's own words: a User-Agent is told by names that are known here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

FOLDER = Path(__file__).parent / "templates"

# In this order, since a browser's User-Agent names those that it is compatible with as well (bff/gui/static/devices.js).
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("Firefox", "Firefox"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
_PLATFORMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)


@dataclass(frozen=True, slots=True)
class Content:
    """What a mail is made of."""

    kind: str
    at: datetime
    until: datetime
    address: str | None
    user_agent: str | None
    code: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Rendered:
    """A mail as it is read."""

    subject: str
    text: str = field(repr=False)
    html: str = field(repr=False)


class Templates:
    """Renders mails. `public_url` is where people find the BFF, if that is known."""

    def __init__(self, public_url: str | None) -> None:
        self._templates = Environment(
            loader=FileSystemLoader(FOLDER),
            autoescape=select_autoescape(("html",), default=False),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        self._templates.globals["public_url"] = public_url

    def render(self, content: Content) -> Rendered:
        """A mail as it is read. Raises jinja2.TemplateError when a template wants what is not there."""
        words: dict[str, object] = {
            "at": _moment(content.at),
            "address": content.address,
            "device": device_name(content.user_agent),
            "code": content.code,
            "minutes": round((content.until - content.at).total_seconds() / 60),
        }
        subject = " ".join(self._of(f"{content.kind}.subject.txt", words).split())  # a header is one line
        words["subject"] = subject
        return Rendered(
            subject, self._of(f"{content.kind}.txt", words), self._of(f"{content.kind}.html", words)
        )

    def _of(self, template: str, words: dict[str, object]) -> str:
        return self._templates.get_template(template).render(words)


def device_name(user_agent: str | None) -> str | None:
    """What somebody would call their device; None for one that is not known here."""
    named = [name for names in (_BROWSERS, _PLATFORMS) if (name := _first(names, user_agent or ""))]
    return " on ".join(named) or None


def _first(names: Sequence[tuple[str, str]], user_agent: str) -> str | None:
    return next((name for sign, name in names if sign in user_agent), None)


def _moment(at: datetime) -> str:
    """A moment for people anywhere, in English whatever the locale is."""
    utc = at.astimezone(UTC)
    month = (
        *("January", "February", "March", "April", "May", "June", "July"),
        *("August", "September", "October", "November", "December"),
    )[utc.month - 1]
    return f"{utc.day} {month} {utc.year}, {utc:%H:%M} UTC"
