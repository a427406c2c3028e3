"""What the commands have in common: their options, the question before something is written, and JSON."""

import json
import math
import sys
from collections.abc import Callable
from typing import Any

import click

from toolkit.environment import Environment
from toolkit.errors import UsageError
from toolkit.migration.selection import Selection
from toolkit.terminal.text import harmless

Command = Callable[..., None]

yes_option = click.option("--yes", is_flag=True, help="Do not ask before beginning.")
json_option = click.option("--json", "as_json", is_flag=True, help="Write JSON to standard output.")


def confirm(environment: Environment, question: str) -> None:
    """Ask, before anything is written elsewhere than in the embedded sandbox (invariant 11). `question` names what counts.

    Raises UsageError without a terminal, Abort on a no.
    """
    if environment.playbook.embedded_sandbox:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"{question} There is no terminal to ask at. Say --yes if you mean it.")
    click.confirm(harmless(question), abort=True, err=True)


def print_json(content: object) -> None:
    click.echo(json.dumps(content))


class Percent(click.FloatRange):
    """`--percent`: above 0, at most 100, and a number."""

    name = "percent"

    def __init__(self) -> None:
        super().__init__(min=0, max=100, min_open=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Parse the share; click lets `nan` through."""
        share = super().convert(value, param, ctx)
        if math.isnan(share):
            self.fail(f"{value!r} is not a share in percent.", param, ctx)
        return share


class Hours(click.FloatRange):
    """A number of hours, ten years at most."""

    def __init__(self) -> None:
        super().__init__(min=0, max=87_600)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Parse the hours; click lets `nan` through."""
        hours = super().convert(value, param, ctx)
        if math.isnan(hours):
            self.fail(f"{value!r} is not a number of hours.", param, ctx)
        return hours


class Rate(click.ParamType[float]):
    """`--rate`: requests a second, or `off`."""

    name = "rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Parse the rate; `off` is infinity."""
        if value == "off":
            return float("inf")
        try:
            rate = float(value)
        except ValueError:
            rate = 0
        if not rate > 0:
            self.fail(f"{value!r} is not a number of requests a second above 0, nor `off`.", param, ctx)
        return rate


rate_option = click.option(
    "--rate",
    type=Rate(),
    metavar="R",
    help="Requests a second to Clerk; `off` for no limit. "
    "Default: the playbook's import.rate, or what Clerk documents for the key.",
)


def selection_options(command: Command) -> Command:
    """Whom a run is about."""
    for option in (
        click.option(
            "--limit",
            type=click.IntRange(min=1),
            metavar="N",
            help="Send N users at most; rows that cannot go over do not count.",
        ),
        click.argument("more_emails", nargs=-1, metavar="[EMAIL]..."),
        click.option(
            "--only",
            "emails",
            multiple=True,
            metavar="EMAIL...",
            help="Only the users with these addresses (case does not matter).",
        ),
        click.option(
            "--percent",
            type=Percent(),
            metavar="P",
            help="A stable share of all users: whoever is in 1 % is in 10 % too.",
        ),
        click.option("--cohort", metavar="NAME", help="A cohort that the playbook names."),
    ):
        command = option(command)
    return command


def parse_selection(
    cohort: str | None,
    percent: float | None,
    emails: tuple[str, ...],
    more_emails: tuple[str, ...],
    limit: int | None,
) -> Selection:
    if more_emails and not emails:
        raise UsageError(f"Unexpected {more_emails[0]!r}. Addresses follow --only.")
    given = [
        name for name, value in (("--cohort", cohort), ("--percent", percent), ("--only", emails)) if value
    ]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} exclude each other. Give one of them.")
    return Selection(cohort=cohort, percent=percent, emails=(*emails, *more_emails), limit=limit)
