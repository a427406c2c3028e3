"""A user's story, for people and for programs."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from toolkit.migration.plan import reason
from toolkit.migration.story import Story


def show_story(console: Console, story: Story) -> None:
    """The story, part by part."""
    _show_part(console, f"User {story.user_id}", story.row, "The row is gone.")
    if story.row is not None and story.row.stays_because is not None:
        why = reason(story.row.stays_because)
        console.print(escape(f"The next import leaves the user: {why.meaning}. To do: {why.remedy}."))
    _show_part(console, "In the ledger", story.ledger, "No import has looked at the user.")
    if story.being_sent:
        console.print(
            "An import was about to send the user and has not linked them. The next one looks after that."
        )
    for attempt in story.attempts:
        became = f"{attempt.state} {attempt.code or attempt.clerk_id or ''}"
        console.print(
            escape(f"  {_told(attempt.at)}  run {attempt.run} by {attempt.by}: {became}"), highlight=False
        )
    _show_part(
        console, "In Clerk", story.clerk, story.clerk_problem or "Clerk has nobody with this external ID."
    )
    _show_part(console, "Sessions", story.logins, "Not known: no tables of the BFF that this role may read.")
    for event in story.events or ():
        where = f"from {event.address or 'nowhere'}, {event.user_agent or 'no User-Agent'}"
        console.print(escape(f"  {_told(event.at)}  {event.kind} {where}"), highlight=False)


def story_json(story: Story) -> dict[str, object]:
    """The story for programs."""
    told: dict[str, object] = _for_json(asdict(story))
    return told


def _show_part(console: Console, title: str, part: object, without: str) -> None:
    console.print(f"\n[bold]{escape(title)}[/]", highlight=False)
    if part is None:
        console.print(f"  {escape(without)}", highlight=False)
        return
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column()
    table.add_column(overflow="fold")
    for name, value in asdict(part).items():  # type: ignore[call-overload]  # the parts are dataclasses
        table.add_row(f"  {name.replace('_', ' ')}", escape(_told(value)))
    console.print(table, highlight=False)


def _told(value: object) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case datetime():
            return f"{value:%Y-%m-%d %H:%M:%S %Z}"
        case tuple():
            return ", ".join(value) or "none"
    return str(value)


def _for_json(value: Any) -> Any:
    match value:
        case dict():
            return {name: _for_json(inner) for name, inner in value.items()}
        case list() | tuple():
            return [_for_json(inner) for inner in value]
        case datetime():
            return value.isoformat()
    return value
