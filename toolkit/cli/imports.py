"""`preflight`, `import` and `status`: how users go over."""

import asyncio
import json
import math
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal, NoReturn

import click
import uvloop

from toolkit.cli.canary import fly, typed_options
from toolkit.cli.environment import environment_option, named
from toolkit.cli.options import (
    confirm,
    json_option,
    parse_selection,
    print_json,
    rate_option,
    selection_options,
    yes_option,
)
from toolkit.database import address
from toolkit.environment import Environment
from toolkit.errors import INTERRUPTED, NEEDS_PERSON, Interrupted, NeedsPerson, ToolkitError, UsageError
from toolkit.migration.canary import Proof
from toolkit.migration.controls import Stop
from toolkit.migration.importer import Ended, import_users, look_ahead
from toolkit.migration.ledger import Outcome
from toolkit.migration.observer import Begun, Observer, Other, Pause
from toolkit.migration.plan import State
from toolkit.migration.preflight import make_report
from toolkit.migration.selection import Selection
from toolkit.migration.status import read_runs, read_status, tell_not_carried
from toolkit.migration.survey import Finding
from toolkit.terminal import summaries
from toolkit.terminal.events import (
    BegunEvent,
    EndedEvent,
    PacedEvent,
    PausedEvent,
    ResumedEvent,
    UserEvent,
    WaitingEvent,
)
from toolkit.terminal.events import schema as event_schema
from toolkit.terminal.progress import Meter, View, describe_moment, describe_pause, view
from toolkit.terminal.text import HarmlessConsole, say

RUNS = 1000
"""Imports that are listed at most."""


@click.command()
@environment_option
@selection_options
@rate_option
@click.option("--users", is_flag=True, help="List every user that would stay, by id, instead.")
@click.option(
    "--canary",
    "canary_email",
    metavar="EMAIL",
    help="Prove the password of the account with this address, too, as the command `canary` does.",
)
@typed_options
@yes_option
@json_option
def preflight(
    environment: Environment,
    rate: float | None,
    users: bool,
    canary_email: str | None,
    with_code: bool,
    password_stdin: bool,
    yes: bool,
    as_json: bool,
    **selected: Any,
) -> None:
    """Say what the import would do; changes nothing.

    SELECT on the users table is all that it needs: it may be run before `migrate`, on a standby, and with a role that may
    not write. A canary needs `migrate` and a role that may write.

    Exits 3 when something needs a person: a setting of the Clerk instance, a user who could not go over, or a canary that
    does not hold.
    """
    proof = None
    if canary_email is not None and users:
        raise UsageError("--users lists users and nothing else. Run --canary by itself.")
    if canary_email is not None:
        proof = fly(environment, canary_email, with_code=with_code, password_stdin=password_stdin, yes=yes)
    elif with_code or password_stdin:
        raise UsageError(
            "--code and --password-stdin are for --canary EMAIL. Name an account, or leave them out."
        )
    _look(environment, parse_selection(**selected), rate, users=users, proof=proof, as_json=as_json)


def _look(
    environment: Environment,
    selection: Selection,
    rate: float | None,
    *,
    as_json: bool,
    users: bool = False,
    proof: Proof | None = None,
) -> NoReturn:
    """The account of `preflight` and of `import --dry-run`."""
    with HarmlessConsole(stderr=True).status("Reading the source") as shown:
        report = uvloop.run(
            make_report(
                environment,
                selection,
                rate,
                seen=lambda seen: shown.update(f"Reading the source: {seen:,} users"),
                tell=partial(_tell, as_json=as_json) if users else lambda _: None,
            )
        )
    if users:
        pass
    elif as_json:
        print_json(summaries.preflight_json(report, proof))
    else:
        pace = () if rate is None else ("--rate", "off" if math.isinf(rate) else f"{rate:g}")
        typed = summaries.Typed(named(), (*selection.as_options(), *pace))
        summaries.show_preflight(HarmlessConsole(), report, typed, proof)
    holds = proof is None or proof.finding.holds
    sys.exit(NEEDS_PERSON if report.blocked or not holds else 0)


def _tell(user: Finding, *, as_json: bool) -> None:
    """One user who is not in Clerk, and why."""
    if as_json:
        print_json({"user_id": user.user_id, "state": user.reason.state.value, "code": user.reason.code})
    else:
        say(f"{user.user_id}\t{user.reason.state}\t{user.reason.code}")


@click.command("import")
@environment_option
@selection_options
@rate_option
@click.option("--dry-run", is_flag=True, help="Send nothing: say what `preflight` says.")
@click.option(
    "--wait", is_flag=True, help="While another import runs, stand by, and take over when it ends or dies."
)
@click.option(
    "--each", is_flag=True, help="With --json, an event for everybody, and not only for those who stay."
)
@yes_option
@json_option
def import_(
    environment: Environment,
    rate: float | None,
    dry_run: bool,
    wait: bool,
    each: bool,
    yes: bool,
    as_json: bool,
    **selected: Any,
) -> None:
    """Import everybody who is due: create in Clerk with the digest as it is, write clerk_id back.

    Streams from the live database, and may be stopped (Ctrl-C) or killed at any time: running it again goes on
    where it stopped and touches nothing that is done.

    Exits 0 when everybody went over, 1 when it failed, 3 when some users need a person, 130 when interrupted.
    """
    selection = parse_selection(**selected)
    if each and not as_json:
        raise UsageError("--each is about the events of --json. Give both, or leave it out.")
    if dry_run:
        _look(environment, selection, rate, as_json=as_json)
    if not yes:
        _ask(environment, selection)
    progress = view(HarmlessConsole(stderr=True), as_json=as_json)
    with progress:
        try:
            ended = uvloop.run(
                _import(environment, selection, rate, _Shown(progress, selection, each=each), wait=wait)
            )
        except ToolkitError as error:
            progress.event(EndedEvent(outcome=_outcome_of(error), error=str(error)))
            raise
    progress.event(_ended_event(ended))
    if not as_json:
        summaries.show_import(HarmlessConsole(), ended, summaries.Typed(named()))
    if ended.outcome == "interrupted":
        sys.exit(INTERRUPTED)
    sys.exit(NEEDS_PERSON if ended.tally.needs_person or ended.leftovers else 0)


def _outcome_of(error: ToolkitError) -> Literal["nobody", "interrupted", "failed"]:
    match error:
        case NeedsPerson():
            return "nobody"
        case Interrupted():
            return "interrupted"
    return "failed"


def _ended_event(ended: Ended) -> EndedEvent:
    tally = ended.tally
    return EndedEvent(
        run=ended.run_id,
        outcome=ended.outcome,
        users=tally.users,
        states={state.value: count for state, count in tally.states.items()},
        reasons={why.code: count for why, count in tally.reasons.items()},
        needs_person=tally.needs_person,
    )


def _ask(environment: Environment, selection: Selection) -> None:
    if environment.playbook.embedded_sandbox:
        return
    ahead = uvloop.run(look_ahead(environment, selection))
    clerk = environment.clerk
    unproven = "" if ahead.is_proven else "No password was proven there yet (python -m toolkit canary). "
    confirm(
        environment,
        f"{unproven}Import {ahead.due:,} users ({selection}) of the database {address(environment.database_url)} into the Clerk "
        f"{clerk.instance_type} instance {ahead.instance} at {clerk.api_url}?",
    )


async def _import(
    environment: Environment, selection: Selection, rate: float | None, shown: "_Shown", *, wait: bool
) -> Ended:
    """Run the import with its progress shown, stopping softly at the first signal."""
    stop = Stop()

    async def keep_showing() -> None:
        while True:
            shown.show()
            await asyncio.sleep(0.2)

    with _soft_stop(stop, shown.progress):
        showing = asyncio.create_task(keep_showing())
        try:
            return await import_users(environment, selection, rate=rate, wait=wait, stop=stop, observer=shown)
        finally:
            showing.cancel()
            shown.show()


class _Shown(Observer):
    """Shows what an import tells, as a view has it."""

    def __init__(self, progress: View, selection: Selection, *, each: bool) -> None:
        self.progress = progress
        self._selection = selection
        self._each = each
        self._meter = Meter()
        self._run: Begun | None = None
        self._limit: float | None = None

    def show(self) -> None:
        if self._run is not None:
            due = self._run.count.due
            self.progress.show(self._meter, min(due, self._selection.limit or due), self._limit)

    def waiting(self, other: Other | None) -> None:
        whose = f" (run {other.run_id} of {other.by}, since {describe_moment(other.since)})" if other else ""
        self.progress.say(
            f"Another import runs{whose}. This one stands by, and takes over when that one ends."
        )
        self.progress.event(
            WaitingEvent(run=other and other.run_id, by=other and other.by, since=other and other.since)
        )

    def begun(self, run: Begun) -> None:
        self._run, self._limit = run, run.limit
        self._meter.count_requests = run.count_requests
        self.progress.say(f"Run {run.run_id}: {run.count.due:,} users are due{_pace(run.limit)}.")
        self.progress.event(BegunEvent(run=run.run_id, due=run.count.due, limit=run.limit))

    def paused(self, pause: Pause) -> None:
        self._meter.pause = pause
        self.progress.say(
            f"Imports are {describe_pause(pause)}. This one waits, and goes on once somebody says "
            "`python -m toolkit switch --env … import running`."
        )
        self.progress.event(PausedEvent(by=pause.by, since=pause.since))

    def resumed(self) -> None:
        self._meter.pause = None
        self.progress.say("The import goes on.")
        self.progress.event(ResumedEvent())

    def paced(self, limit: float | None) -> None:
        self._limit = limit
        self.progress.say(f"The pace was changed{_pace(limit)}.")
        self.progress.event(PacedEvent(limit=limit))

    def settled(self, outcome: Outcome) -> None:
        self._meter.add(failed=outcome.state is not State.LINKED)
        if self._each or outcome.reason is not None:
            self.progress.event(
                UserEvent(
                    user_id=outcome.user_id,
                    state=outcome.state.value,
                    code=outcome.reason and outcome.reason.code,
                    clerk_id=outcome.clerk_id,
                )
            )


def _pace(limit: float | None) -> str:
    return f", {limit:g} requests a second at most" if limit else ""


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


@click.command()
@environment_option
@click.option("--users", is_flag=True, help="List every user that the import could not carry over, by id.")
@click.option(
    "--runs", is_flag=True, help="List the imports, the latest first: when, by whom, and how each ended."
)
@json_option
def status(environment: Environment, users: bool, runs: bool, as_json: bool) -> None:
    """Say where the environment stands: who is in Clerk, who is not and why, and how the last import ended."""
    if users and runs:
        raise UsageError("--users and --runs exclude each other. Give one of them.")
    if runs:
        _show_runs(environment, as_json)
        return
    if users:
        uvloop.run(tell_not_carried(environment, partial(_tell, as_json=as_json)))
        return
    found = uvloop.run(read_status(environment))
    if as_json:
        print_json(summaries.status_json(found, environment.name))
    else:
        summaries.show_status(HarmlessConsole(), found, environment.name)


def _show_runs(environment: Environment, as_json: bool) -> None:
    for run in uvloop.run(read_runs(environment, RUNS)):
        if as_json:
            print_json(summaries.run_json(run))
        else:
            why = f"\n    {run.error}" if run.error else ""
            say(
                f"{summaries.describe_run(run)} as {run.role}, version {run.version}, {json.dumps(run.options)}{why}"
            )


@click.command()
@click.option("--schema", "as_schema", is_flag=True, help="Print the JSON Schema of a line.")
def events(as_schema: bool) -> None:
    """List the events that `import --json` writes, one a line."""
    described = event_schema()
    if as_schema:
        print_json(described)
        return
    for model in described["$defs"].values():
        say(f"{model['properties']['event']['const']:<10} {model['description']}")
