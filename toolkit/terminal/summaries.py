"""Summaries at the end of a command: what happened to whom, why, and what to do next."""

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from toolkit.migration.canary import Proof
from toolkit.migration.digests import Kind
from toolkit.migration.forecast import Forecast
from toolkit.migration.importer import Ended
from toolkit.migration.plan import Reason, State, reason
from toolkit.migration.preflight import Report
from toolkit.migration.status import PastRun, Status
from toolkit.migration.survey import Survey
from toolkit.terminal.progress import duration


@dataclass(frozen=True, slots=True)
class Typed:
    """The options of a command, for those that follow it."""

    environment: tuple[str, ...]
    """What names the environment."""
    selection: tuple[str, ...] = ()
    """What names the users, and the pace."""

    def command(self, name: str, *more: str) -> str:
        """Another command for the same environment, exactly as one would type it."""
        return shlex.join(["python", "-m", "toolkit", name, *self.environment, *more])


def show_preflight(console: Console, report: Report, typed: Typed, proof: Proof | None = None) -> None:
    """What the import would do, and what came of the canary if there was one; then, what to type next."""
    found = report.survey
    console.print(
        _pairs(
            "The users",
            {
                "in the source": report.count.total,
                "in Clerk already": report.count.linked,
                "would go over now": found.importable,
                "would stay": found.staying,
                "users in the Clerk instance": report.clerk_users,
            },
        )
    )
    _show_survey(console, found)
    _show_reasons(console, {why: (count, found.examples[why]) for why, count in found.reasons.items()})
    for fault in report.misfits:
        console.print(f"[red]In the way:[/] {escape(fault)}")
    for caution in report.cautions:
        console.print(f"[yellow]Note:[/] {escape(caution)}")
    if report.seconds is not None:
        console.print(
            f"At {report.rate:g} requests a second the import takes about {duration(report.seconds)}.",
            highlight=False,
        )
    _show_forecast(console, report.forecast)
    if proof is not None:
        show_canary(console, proof)
    if report.blocked:
        console.print("[yellow]Not everybody can go over yet.[/] The others are not held up by them.")
    elif proof is None:
        console.print("[green]Nothing is in the way[/] that can be seen from here.")
    elif proof.finding.holds:
        console.print("[green]Nothing is in the way.[/]")
    for step in _next(report, typed, proof):
        console.print(escape(step), highlight=False, soft_wrap=True)


def _show_forecast(console: Console, forecast: Forecast) -> None:
    """What people will notice."""
    rows: dict[str, object] = {
        "nothing: they log in as before": forecast.nothing,
        "a code by mail at the first login, if the instance has Device Trust": forecast.mailed_code,
        "they have no password, and set one by a code": forecast.new_password,
        "they are disabled, and banned in Clerk": forecast.banned,
        "nothing yet: they stay on legacy": forecast.staying,
    }
    console.print(_pairs("\nWhat people will notice", rows))
    if forecast.leaked_reset:
        console.print(
            f"Of {forecast.leaked_reset:,} passwords, those that are known to have leaked must be reset before their users get "
            "in. How many that are only Clerk can tell, at each one's login.",
            highlight=False,
        )
    if forecast.lockout_attempts is not None:
        console.print(
            f"Whoever fails {forecast.lockout_attempts} times in all (passwords, codes, resets) is locked out by Clerk for "
            f"{forecast.lockout_minutes} minutes.",
            highlight=False,
        )
    console.print(
        f"New passwords need {forecast.password_length} characters and what else the instance's rules say; those that go along "
        "need not.",
        highlight=False,
    )


def _next(report: Report, typed: Typed, proof: Proof | None) -> Iterator[str]:
    """What to do, in this order. What is in the way comes before all of it."""
    if not report.is_migrated:
        yield f"Then, to prepare the database: {typed.command('migrate')}"
    if proof is None:
        yield f"Whether passwords work in Clerk, a canary tells: {typed.command('canary', '--email', 'EMAIL')}"
    if (proof is None or proof.finding.holds) and report.survey.importable:
        yield f"Next: {typed.command('import', *typed.selection)}"


def preflight_json(report: Report, proof: Proof | None = None) -> dict[str, object]:
    """Preflight for programs. `--users` has every user who would stay."""
    return {
        "users": report.count.total,
        "linked": report.count.linked,
        "clerk_users": report.clerk_users,
        **_survey_json(report.survey),
        "misfits": report.misfits,
        "cautions": report.cautions,
        "forecast": asdict(report.forecast),
        "rate": report.rate,
        "seconds": report.seconds,
        "blocked": report.blocked,
        **({"canary": canary_json(proof)} if proof is not None else {}),
    }


def _survey_json(found: Survey) -> dict[str, object]:
    return {
        "examined": found.examined,
        "importable": found.importable,
        "digests": [
            {
                "hasher": kind.hasher,
                "parameters": kind.parameters,
                "users": users,
                "weak": kind.is_weak,
                "costly": kind.is_costly,
                "seconds": round(kind.seconds, 3),
                "mebibytes": round(kind.mebibytes, 1),
            }
            for kind, users in found.digests.most_common()
        ],
        "without_password": found.without_password,
        "verified": found.verified,
        "unverified": found.unverified,
        "second_factor": found.second_factor,
        "older_key": found.older_key,
        "backup_codes": found.backup_codes,
        "disabled": found.disabled,
        "staying": [
            {"state": why.state.value, "code": why.code, "users": users, "examples": found.examples[why]}
            for why, users in found.reasons.most_common()
        ],
    }


def show_canary(console: Console, proof: Proof) -> None:
    """What came of a canary."""
    finding = proof.finding
    what = f"{proof.kind}{', and a second factor' if proof.second_factor else ''}"
    if finding.holds:
        console.print(f"[green]The canary holds[/] ({what}): {finding.meaning}.", highlight=False)
    else:
        console.print(
            f"[red]The canary does not hold[/] ({what}): {finding.code}. {escape(finding.meaning[0].upper() + finding.meaning[1:])}. "
            f"To do: {escape(finding.remedy)}.",
            highlight=False,
            soft_wrap=True,
        )
    if proof.left is not None:
        console.print(
            f"[yellow]The stand-in could not be removed from Clerk:[/] {escape(proof.left)} A sweep does it in ten minutes.",
            soft_wrap=True,
        )


def canary_json(proof: Proof) -> dict[str, object]:
    """A canary for programs."""
    finding = proof.finding
    return {
        "holds": finding.holds,
        "code": finding.code,
        "meaning": finding.meaning,
        "remedy": finding.remedy,
        "hasher": proof.kind.hasher,
        "parameters": proof.kind.parameters,
        "second_factor": proof.second_factor,
        "left": proof.left,
    }


def show_import(console: Console, ended: Ended, typed: Typed) -> None:
    """What the import did."""
    tally = ended.tally
    console.print(
        _pairs(
            f"Run {ended.run_id}: {ended.outcome}",
            {_STATES[state]: tally.states[state] for state in State if tally.states[state]},
        )
    )
    _show_reasons(console, {why: (count, tally.examples[why]) for why, count in tally.reasons.items()})
    if ended.leftovers is not None:
        console.print(
            f"[yellow]Clerk users that no row is linked to could not be removed:[/] {escape(ended.leftovers)} "
            "The next import removes them first.",
            soft_wrap=True,
        )
    if ended.outcome == "interrupted":
        console.print(
            "[yellow]Interrupted.[/] Everything in flight was finished; the same command goes on from here."
        )
    elif tally.needs_person:
        console.print(
            f"[yellow]Some users need a person.[/] All of them, by id: {escape(typed.command('status', '--users'))}",
            soft_wrap=True,
        )
    elif not tally.users:
        console.print("[green]Nobody was left to import.[/]")
    elif tally.states[State.LINKED] < ended.count.due:
        console.print(
            f"[green]All that were sent went over.[/] {ended.count.due - tally.states[State.LINKED]:,} are still due."
        )
    else:
        console.print("[green]Everybody went over.[/]")


def show_status(console: Console, status: Status, environment: str) -> None:
    """Where an environment stands."""
    rows: dict[str, object] = {
        "users": status.count.total,
        "in Clerk (clerk_id set)": status.count.linked,
        "on legacy": status.count.due,
        "users in the Clerk instance": "unknown" if status.clerk_users is None else status.clerk_users,
    }
    if status.graces:
        rows["still spared Device Trust"] = status.graces
    if status.last_run is not None:
        last = status.last_run
        rows["last import"] = describe_run(last)
    console.print(_pairs(f"Environment {environment}", rows))
    if status.clerk_problem is not None:
        console.print(f"[yellow]Clerk could not be asked:[/] {escape(status.clerk_problem)}")
    _show_reasons(
        console,
        {reason(code): (users, examples) for _, code, users, examples in status.ledger if code is not None},
    )
    if status.last_run is not None and status.last_run.error is not None:
        console.print(f"[yellow]Of the last import:[/] {escape(status.last_run.error)}")
    if status.last_run is not None and status.last_run.outcome is None:
        console.print(
            "[yellow]The last import did not end:[/] it still runs, or was killed. Running it again goes on from there."
        )


def status_json(status: Status, environment: str) -> dict[str, object]:
    """The status for programs."""
    last = status.last_run
    return {
        "environment": environment,
        "users": status.count.total,
        "linked": status.count.linked,
        "legacy": status.count.due,
        "clerk_users": status.clerk_users,
        "clerk_problem": status.clerk_problem,
        "device_graces": status.graces,
        "ledger": [
            {"state": state, "code": code, "users": users, "examples": examples}
            for state, code, users, examples in status.ledger
        ],
        "last_run": last and run_json(last),
    }


def describe_run(run: PastRun) -> str:
    """A run in a line: which, when, how it ended, and who ran it."""
    return f"run {run.id}, {run.started_at:%Y-%m-%d %H:%M:%S %Z}, {run.outcome or 'not ended'}, by {run.operator}"


def run_json(run: PastRun) -> dict[str, object]:
    """A run for programs."""
    return {
        **asdict(run),
        "started_at": run.started_at.isoformat(),
        "finished_at": run.finished_at and run.finished_at.isoformat(),
    }


_STATES = {
    State.LINKED: "linked to Clerk",
    State.REFUSED: "refused: the row is broken",
    State.HELD: "held on legacy",
    State.CONFLICT: "in conflict with another Clerk user",
    State.FAILED: "failed, to be tried again",
}


def _pairs(title: str, rows: Mapping[str, object]) -> Table:
    table = Table(title=title, title_justify="left", show_header=False, box=None, pad_edge=False)
    table.add_column()
    table.add_column(justify="right")
    for name, value in rows.items():
        table.add_row(name, f"{value:,}" if isinstance(value, int) else str(value))
    return table


def _show_survey(console: Console, found: Survey) -> None:
    console.print(
        _pairs(
            "\nOf those that would go over",
            {
                "with a verified address": found.verified,
                "with an unverified address": found.unverified,
                "with a second factor (TOTP)": found.second_factor,
                "of these, opened by AX_TOTP_KEY_OLD alone": found.older_key,
                "of these, with backup codes": found.backup_codes,
                "disabled, to be banned": found.disabled,
            },
        )
    )
    _show_digests(console, found)


def _show_digests(console: Console, found: Survey) -> None:
    """What passwords are checked against, and what Clerk will make of it."""
    table = Table(
        title="\nTheir passwords", title_justify="left", show_header=False, box=None, pad_edge=False
    )
    table.add_column()
    table.add_column(justify="right")
    table.add_column()
    for kind, users in found.digests.most_common():
        table.add_row(str(kind), f"{users:,}", ", ".join(_remarks(kind)))
    table.add_row("no password", f"{found.without_password:,}", "")
    console.print(table)
    if any(kind.is_weak for kind in found.digests):
        console.print(
            "[yellow]Weak[/] is less than OWASP asks of new digests. They go over as they are; Clerk hashes plain and salted "
            "MD5 and SHA-256 and Symfony's SHA-512 anew at the first sign-in, and may others."
        )
    if any(kind.is_costly for kind in found.digests):
        console.print(
            "[yellow]Costly[/] is what somebody who logs in has to wait for. Try one before all go over."
        )


def _remarks(kind: Kind) -> Iterator[str]:
    if kind.is_weak:
        yield "weak"
    if kind.is_costly:
        memory = f" and {kind.mebibytes:,.0f} MiB" if kind.mebibytes else ""
        yield f"costly: about {kind.seconds:.1f} s{memory} a login"


def _show_reasons(console: Console, reasons: Mapping[Reason, tuple[int, list[str]]]) -> None:
    """For each reason how many users, what it means, what to do, and whose ids."""
    if not reasons:
        return
    console.print("\n[bold]Not carried over, and why[/]")
    for why, (count, ids) in sorted(reasons.items(), key=lambda item: (item[0].state, item[0].code)):
        console.print(f"\n[bold]{count:,}  {escape(why.code)}[/]  ({why.state})", highlight=False)
        told = f"{why.meaning[0].upper()}{why.meaning[1:]}. To do: {why.remedy}."
        console.print(Padding(escape(told), (0, 0, 0, 3)), highlight=False)
        more = [f"… and {count - len(ids):,} more"] if count > len(ids) else []
        for line in (*ids, *more):
            console.print(f"   {escape(line)}", highlight=False, soft_wrap=True)
    console.print()
