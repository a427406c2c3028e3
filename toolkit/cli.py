"""The operator's commands: each parses its options, calls one function, and shows what that returns.

Exit codes: 0 done; 1 failed, or something needs a person; 2 the call or the configuration is wrong;
130 interrupted.
"""

import asyncio
import dataclasses
import json
import math
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar

import click
import structlog
import uvloop
from rich.console import Console

from toolkit import schema, switches
from toolkit.database import address
from toolkit.environment import Environment, load_environment
from toolkit.errors import ToolkitError, UsageError
from toolkit.migration import runs
from toolkit.migration.importer import Stop
from toolkit.migration.ledger import Outcome
from toolkit.migration.plan import State
from toolkit.migration.runs import Begun, Selection
from toolkit.sandbox.cli import sandbox
from toolkit.sweep import signups
from toolkit.terminal import summaries
from toolkit.terminal.progress import Meter, View, view

T = TypeVar("T")
Command = Callable[..., None]

INTERRUPTED = 130


class EnvironmentName(click.ParamType[Environment]):
    """`--env`: a playbook's name, or a path to one."""

    name = "environment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Environment:
        """Load the playbook."""
        return value if isinstance(value, Environment) else load_environment(str(value))


environment_option = click.option(
    "--env",
    "environment",
    type=EnvironmentName(),
    required=True,
    metavar="NAME",
    help="The environment: a playbook in playbooks/ (sandbox, demo, prod), or a path to one.",
)
yes_option = click.option("--yes", is_flag=True, help="Do not ask before beginning.")
json_option = click.option("--json", "as_json", is_flag=True, help="Write JSON to standard output.")


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


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="postgres-to-clerk", message="%(version)s")
@click.option("-v", "--verbose", is_flag=True, help="Log every request to Clerk on standard error.")
def cli(verbose: bool) -> None:
    """Move users from home-made authentication in Postgres to Clerk.

    Environment variables: DATABASE_URL, CLERK_SECRET_KEY, CLERK_PUBLISHABLE_KEY, AX_TOTP_KEY (key of the encrypted
    TOTP secrets, base64); optional CLERK_API_URL, CLERK_FRONTEND_API_URL, CLERK_PROXY_URL.

    Usual order: migrate, preflight, import, status.
    """
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger("debug" if verbose else "warning"),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


cli.add_command(sandbox)


@cli.command()
@environment_option
@click.option("--status", "as_status", is_flag=True, help="List the migrations and which are applied.")
@click.option("--rollback", is_flag=True, help="Take the last migration back.")
@yes_option
@json_option
def migrate(environment: Environment, as_status: bool, rollback: bool, yes: bool, as_json: bool) -> None:
    """Prepare the database: AX's baseline is adopted, what both systems need side by side is added.

    Safe on a live database: each step waits for a lock two seconds at most, and may be run again.
    """
    url, source = environment.database_url, environment.playbook.source
    if as_status and rollback:
        raise UsageError("--status and --rollback exclude each other. Give one of them.")
    if as_status:
        migrations = schema.status(url, source.migrations)
        if as_json:
            _print_json(
                [{"id": m.id, "applied_at": m.applied_at and m.applied_at.isoformat()} for m in migrations]
            )
        else:
            for migration in migrations:
                mark = (
                    f"{migration.applied_at:%Y-%m-%d %H:%M:%S}"
                    if migration.applied_at
                    else "not applied        "
                )
                click.echo(f"{mark}  {migration.id}")
        return
    if rollback:
        if not yes:
            _confirm(
                environment,
                f"Take back the last migration of the database {address(url)}, with what it holds?",
            )
        taken_back = schema.rollback_last(url, source.migrations, source.view)
        done = [taken_back] if taken_back else []
    else:
        done = schema.apply(url, source.migrations, source.view)
        run(runs.check_source(environment))
    if as_json:
        _print_json(done)
        return
    for name in done:
        click.echo(f"{'rolled back' if rollback else 'applied'}  {name}")
    if rollback and not done:
        click.echo("Nothing to take back.")
    if not rollback:
        click.echo(f"{'' if done else 'Nothing to apply. '}The source view is as {source.view} says.")


@cli.command()
@environment_option
@selection_options
@rate_option
@json_option
def preflight(environment: Environment, rate: float | None, as_json: bool, **selected: Any) -> None:
    """Say what the import would do; changes nothing.

    Exits 1 when something needs a person: a setting of the Clerk instance, or a user who could not go over.
    """
    with Console(stderr=True).status("Reading the source") as shown:
        report = run(
            runs.run_preflight(
                environment,
                _selection(**selected),
                rate,
                lambda users: shown.update(f"Reading the source: {users:,} users"),
            )
        )
    if as_json:
        _print_json(summaries.preflight_json(report))
    else:
        summaries.show_preflight(Console(), report, environment.name)
    sys.exit(1 if report.blocked else 0)


@cli.command("import")
@environment_option
@selection_options
@rate_option
@click.option("--dry-run", is_flag=True, help="Decide about everybody and say so, but send nothing.")
@yes_option
@json_option
def import_(
    environment: Environment, rate: float | None, dry_run: bool, yes: bool, as_json: bool, **selected: Any
) -> None:
    """Import everybody who is due: create in Clerk with the digest as it is, write clerk_id back.

    Streams from the live database, and may be stopped (Ctrl-C) or killed at any time: running it again goes on
    where it stopped and touches nothing that is done.

    Exits 0 when everybody went over, 1 when it failed or some users need a person, 130 when interrupted.
    """
    selection = _selection(**selected)
    if dry_run:
        _dry_run(environment, selection, as_json)
    if not yes:
        where, clerk = address(environment.database_url), environment.clerk
        _confirm(
            environment,
            f"Import users of the database {where} into the Clerk {clerk.instance_type} instance at {clerk.api_url}?",
        )
    progress = view(Console(stderr=True), as_json=as_json)
    with progress:
        try:
            ended = run(_import(environment, selection, rate, progress))
        except ToolkitError as error:
            progress.event("ended", {"outcome": "failed", "error": str(error)})
            raise
    counts = {**ended.tally.as_json(), "users": ended.tally.users, "needs_person": ended.tally.needs_person}
    progress.event("ended", {"run": ended.run_id, "outcome": ended.outcome, **counts})
    if not as_json:
        summaries.show_import(Console(), ended, environment.name)
    if ended.outcome == "interrupted":
        sys.exit(INTERRUPTED)
    sys.exit(1 if ended.tally.needs_person or ended.leftovers else 0)


async def _import(
    environment: Environment, selection: Selection, rate: float | None, progress: View
) -> runs.Ended:
    """Run the import with its progress shown, stopping softly at the first signal."""
    stop, meter = Stop(), Meter()
    started: list[Begun] = []

    def begun(run: Begun) -> None:
        started.append(run)
        meter.count_requests = run.count_requests
        pace = f", {run.limit:g} requests a second at most" if run.limit else ""
        progress.say(f"Run {run.run_id}: {run.count.due:,} users are due{pace}.")
        progress.event("begun", {"run": run.run_id, "due": run.count.due, "limit": run.limit})

    def seen(outcome: Outcome) -> None:
        meter.add(failed=outcome.state is not State.LINKED)
        if outcome.reason is not None:
            user = {"user_id": outcome.user_id, "state": outcome.state.value, "code": outcome.reason.code}
            progress.event("user", user)

    def show() -> None:
        for run in started:
            progress.show(meter, min(run.count.due, selection.limit or run.count.due), run.limit)

    async def keep_showing() -> None:
        while True:
            show()
            await asyncio.sleep(0.2)

    with _soft_stop(stop, progress):
        shown = asyncio.create_task(keep_showing())
        try:
            return await runs.run_import(environment, selection, rate=rate, stop=stop, begun=begun, seen=seen)
        finally:
            shown.cancel()
            show()


@contextmanager
def _soft_stop(stop: Stop, progress: View) -> Iterator[None]:
    """The first Ctrl-C (or SIGTERM) stops softly, the second at once: the import may be killed anywhere."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None

    def on_signal() -> None:
        if stop:
            task.cancel()
            return
        stop()
        progress.say("Stopping: what is in flight is finished first. Ctrl-C again stops at once.")

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def _dry_run(environment: Environment, selection: Selection, as_json: bool) -> NoReturn:
    found = run(runs.run_dry(environment, selection))
    if as_json:
        _print_json(summaries.survey_json(found))
    else:
        summaries.show_dry_run(Console(), found)
    sys.exit(1 if found.blocked else 0)


def _confirm(environment: Environment, question: str) -> None:
    """Ask, where the playbook wants it (invariant 11). Raises UsageError without a terminal, Abort on a no."""
    if not environment.playbook.confirm:
        return
    if not sys.stdin.isatty():
        raise UsageError(
            f"The playbook of {environment.name!r} wants to be asked first, and there is no terminal. "
            "Say --yes if you mean it."
        )
    click.confirm(question, abort=True, err=True)


@cli.command()
@environment_option
@click.option("--users", is_flag=True, help="List every user that the import could not carry over, by id.")
@json_option
def status(environment: Environment, users: bool, as_json: bool) -> None:
    """Say where the environment stands: who is in Clerk, who is not and why, and how the last import ended."""
    if users:
        for user in run(runs.run_not_carried(environment)):
            if as_json:
                _print_json({"user_id": user.user_id, "state": user.state.value, "code": user.code})
            else:
                click.echo(f"{user.user_id}\t{user.state}\t{user.code}")
        return
    found = run(runs.run_status(environment))
    if as_json:
        _print_json(summaries.status_json(found, environment.name))
    else:
        summaries.show_status(Console(), found, environment.name)


@cli.command()
@environment_option
@click.argument("name", required=False)
@click.argument("value", required=False)
@yes_option
@json_option
def switch(environment: Environment, name: str | None, value: str | None, yes: bool, as_json: bool) -> None:
    """Show the switches, or set one: NAME VALUE. Every running BFF goes by it at once.

    \b
    signup          legacy | clerk   who keeps the password of somebody new
    legacy_login    on | off         let users log in who are not in Clerk
    """
    if name is None:
        found = run(switches.read(environment))
        if as_json:
            _print_json({switch.name: switch.value for switch in found})
        else:
            for switch in found:
                click.echo(f"{switch.name:<15} {switch.value:<7} since {switch.since:%Y-%m-%d %H:%M:%S}")
        return
    switches.check(name, value)
    assert value is not None
    if not yes:
        _confirm(environment, f"Set {name} to {value} in {environment.name}?")
    before = run(switches.write(environment, name, value))
    if as_json:
        _print_json({"name": name, "value": value, "before": before})
    elif before == value:
        click.echo(f"{name} is {value} already.")
    else:
        click.echo(f"{name} is {value}; it was {before}.")


@cli.command()
@environment_option
@click.option(
    "--unverified-hours",
    type=Hours(),
    help="Undo signups that have not been verified for so long. Default: the playbook's bff.signup.unverified_hours, 24.",
)
@json_option
def sweep(environment: Environment, unverified_hours: float | None, as_json: bool) -> None:
    """Finish or undo what broke half way: signups whose process died, and those that were never verified.

    A running BFF does it by itself, every half minute. Exits 1 when something is left: Clerk does not answer, or may
    still be at work on it.
    """
    swept = run(signups.run_sweep(environment, unverified_hours))
    if as_json:
        _print_json(dataclasses.asdict(swept))
    else:
        click.echo(
            f"Signups: {swept.finished} finished, {swept.undone} undone, {swept.left} left for the next sweep."
        )
        for error in swept.errors:
            click.echo(error, err=True)
        if swept.left and not swept.errors:
            minutes = signups.SETTLE.total_seconds() / 60
            click.echo(
                f"Clerk may still be at work on what broke off less than {minutes:.0f} minutes ago. Sweep again then.",
                err=True,
            )
    sys.exit(1 if swept.left else 0)


def _selection(
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


def _print_json(content: object) -> None:
    click.echo(json.dumps(content))


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's work on the fast event loop."""
    return uvloop.run(work)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line. Failures are told in a sentence; TOOLKIT_DEBUG=1 adds the traceback."""
    try:
        sys.exit(cli.main(arguments, prog_name="python -m toolkit", standalone_mode=False))
    except click.exceptions.Abort:
        _fail("Aborted.", INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except ToolkitError as error:
        _fail(f"Error: {error}", error.exit_code)
    except (KeyboardInterrupt, asyncio.CancelledError):
        _fail("Interrupted. Running the same command again goes on from here.", INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that closing it does not complain
        sys.exit(1)
    except Exception as error:
        if os.environ.get("TOOLKIT_DEBUG"):
            raise
        _fail(
            f"Error: this should not have happened: {type(error).__name__}. Nothing is lost; the command may be run "
            "again. Set TOOLKIT_DEBUG=1 to see where it happened, and report it.",
            1,
        )


def _fail(message: str, code: int) -> NoReturn:
    click.echo(message, err=True)
    sys.exit(code)
