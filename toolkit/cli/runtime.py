"""`switch` and `sweep`: what an operator does to a BFF that runs."""

import dataclasses
import sys

import click
import uvloop

from toolkit import switches
from toolkit.cli.environment import environment_option
from toolkit.cli.options import Hours, confirm, json_option, print_json, yes_option
from toolkit.database import address
from toolkit.environment import Environment
from toolkit.errors import FAILED, NEEDS_PERSON, UsageError
from toolkit.sweep.runner import count_open, run_sweep
from toolkit.sweep.signups import SETTLE
from toolkit.terminal.text import say


@click.command()
@environment_option
@click.argument("name", required=False)
@click.argument("value", required=False)
@click.option("--history", is_flag=True, help="List every change: when, what, and by whom.")
@yes_option
@json_option
def switch(
    environment: Environment, name: str | None, value: str | None, history: bool, yes: bool, as_json: bool
) -> None:
    """Show the switches, or set one: NAME VALUE. Every BFF goes by it at once, an import within a second.

    \b
    signup          legacy | clerk    who keeps the password of somebody new
    legacy_login    on | off          let users log in who are not in Clerk
    import          running | paused  a pause holds imports, and those that are started in it
    import_rate     N | default       requests a second to Clerk, whatever --rate says
    """
    if history and name is not None:
        raise UsageError("--history tells of all switches, and sets none. Leave NAME out.")
    if history:
        _show_history(environment, as_json)
    elif name is None:
        _show_switches(environment, as_json)
    else:
        _set_switch(environment, name, value, yes, as_json)


def _show_switches(environment: Environment, as_json: bool) -> None:
    found = uvloop.run(switches.read(environment))
    if as_json:
        print_json({switch.name: switch.value for switch in found})
        return
    for switch in found:
        by = f" by {switch.by}" if switch.by else ""
        say(f"{switch.name:<15} {switch.value:<7} since {switch.since:%Y-%m-%d %H:%M:%S %Z}{by}")


def _show_history(environment: Environment, as_json: bool) -> None:
    for change in uvloop.run(switches.read_history(environment)):
        if as_json:
            print_json({**dataclasses.asdict(change), "at": change.at.isoformat()})
        else:
            say(
                f"{change.at:%Y-%m-%d %H:%M:%S %Z}  {change.name:<15} {change.before} -> {change.value}  "
                f"by {change.by}, as {change.role}"
            )


def _set_switch(environment: Environment, name: str, value: str | None, yes: bool, as_json: bool) -> None:
    value = switches.check(name, value)
    if not yes:
        confirm(environment, f"{_what_it_means(environment, name, value)} Set {name} to {value}?")
    before = uvloop.run(switches.write(environment, name, value))
    if as_json:
        print_json({"name": name, "value": value, "before": before})
    elif before == value:
        say(f"{name} is {value} already.")
    else:
        say(f"{name} is {value}; it was {before}.")


def _what_it_means(environment: Environment, name: str, value: str) -> str:
    where = f"In the database {address(environment.database_url)} ({environment.name})"
    match name, value:
        case "legacy_login", "off":
            left = uvloop.run(switches.not_in_clerk(environment))
            return f"{where}, {left:,} users are not in Clerk: they can't log in any more."
        case "legacy_login", _:
            return f"{where}, users who are not in Clerk may log in."
        case "signup", "clerk":
            return f"{where}, whoever signs up becomes a user of Clerk."
        case "signup", _:
            return f"{where}, AX keeps the password of whoever signs up."
        case "import", "paused":
            return f"{where}, imports begin nobody any more, within a second, and wait."
        case "import", _:
            return f"{where}, imports go on."
        case _, switches.DEFAULT:
            return f"{where}, imports make as many requests to Clerk as --rate, the playbook or Clerk's limit says."
    return f"{where}, imports make {value} requests a second to Clerk at most, whatever --rate says."


@click.command()
@environment_option
@click.option(
    "--unverified-hours",
    type=Hours(),
    help="Undo signups that have not been verified for so long. Default: the playbook's bff.signup.unverified_hours, 24.",
)
@yes_option
@json_option
def sweep(environment: Environment, unverified_hours: float | None, yes: bool, as_json: bool) -> None:
    """Finish or undo what broke half way: signups whose process died, and those that were never verified.

    A running BFF does it by itself, every half minute. Exits 1 when Clerk does not answer, 3 when something is left for
    the next sweep because Clerk may still be at work on it.
    """
    if not yes:
        clerk, signups = environment.clerk, uvloop.run(count_open(environment))
        confirm(
            environment,
            f"{signups:,} signups are open in the database {address(environment.database_url)}. Finish or undo those that broke "
            f"half way, there and in the Clerk {clerk.instance_type} instance at {clerk.api_url}, and remove what canaries left there?",
        )
    swept = uvloop.run(run_sweep(environment, unverified_hours))
    if as_json:
        print_json(dataclasses.asdict(swept))
    else:
        say(
            f"Signups: {swept.finished} finished, {swept.undone} undone, {swept.left} left for the next sweep."
        )
        if swept.stand_ins:
            say(f"Stand-ins that canaries left in Clerk: {swept.stand_ins} removed.")
        for error in swept.errors:
            say(error, err=True)
        if swept.left and not swept.errors:
            minutes = SETTLE.total_seconds() / 60
            say(
                f"Clerk may still be at work on what broke off less than {minutes:.0f} minutes ago. Sweep again then.",
                err=True,
            )
    if swept.errors:
        sys.exit(FAILED)
    sys.exit(NEEDS_PERSON if swept.left else 0)
