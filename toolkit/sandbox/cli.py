"""`python -m toolkit sandbox …`: everything local, to try the move on."""

import dataclasses
import json
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from toolkit.sandbox import lifecycle, state
from toolkit.sandbox import seed as seeding
from toolkit.sandbox.demo import demo
from toolkit.sandbox.emulator.cli import emulator
from toolkit.sandbox.people import FEWEST_WITH_BROKEN

PORT = click.IntRange(min=1, max=65535)
PROGRESS_FROM = 5000
"""Fewer users than this are written before anybody wonders."""


commands = click.Group()
"""What toolkit.cli.sandbox offers as `sandbox …`."""
commands.add_command(emulator)
commands.add_command(demo)


@commands.command()
@click.option("--postgres-port", type=PORT, metavar="PORT", help="Port of Postgres on 127.0.0.1.")
@click.option("--clerk-port", type=PORT, metavar="PORT", help="Port of the Clerk emulator on 127.0.0.1.")
def start(postgres_port: int | None, clerk_port: int | None) -> None:
    """Start Postgres and the Clerk emulator in the background; what runs already is left alone.

    Ports are free ones unless given, and stay the same from then on, so that exported variables stay true.
    """
    started = lifecycle.start(postgres_port, clerk_port)
    click.echo(f"Postgres  {started.postgres.address}")
    click.echo(f"Clerk     {started.emulator.url}")


@commands.command()
def stop() -> None:
    """Stop both servers; their data stay."""
    lifecycle.stop()
    click.echo("Stopped.")


@commands.command()
@click.option("--json", "as_json", is_flag=True, help="Write JSON to standard output.")
def status(as_json: bool) -> None:
    """Say what runs, where, and how many users each side has. Exits 0 only when both servers run, else 1."""
    found = lifecycle.status()
    if as_json:
        click.echo(json.dumps({"running": found.running, **dataclasses.asdict(found)}))
    elif found.postgres is None or found.emulator is None:
        click.echo(f"No sandbox in {found.folder}. Make one: `python -m toolkit sandbox start`.")
    else:
        for name, server in (("Postgres", found.postgres), ("Clerk", found.emulator)):
            how = f"running, {server.users:,} users" if server.running else "stopped"
            click.echo(f"{name:<9} {server.url}  {how}")
        click.echo(f"State in  {found.folder}")
    sys.exit(0 if found.running else 1)


@commands.command()
@click.option("--yes", is_flag=True, help="Do not ask first. (Without a terminal it never asks.)")
def reset(yes: bool) -> None:
    """Empty both servers. Ports and keys stay, and so does whether it runs."""
    if not yes and sys.stdin.isatty():
        click.confirm(f"Delete all users of the sandbox in {state.folder()}?", abort=True, err=True)
    lifecycle.reset()
    click.echo("Empty.")


@commands.command()
def env() -> None:
    """Print the sandbox's variables for other programs: `eval "$(python -m toolkit sandbox env)"`.

    They are DATABASE_URL, CLERK_SECRET_KEY, CLERK_PUBLISHABLE_KEY, CLERK_API_URL, CLERK_FRONTEND_API_URL,
    CLERK_PROXY_URL, AX_TOTP_KEY (the key of AX's TOTP secrets), AX_CLIENT_TOKEN_KEY and SMTP_URL.
    """
    for name, value in state.variables().items():
        click.echo(f"export {name}={shlex.quote(value)}")


@commands.command()
@click.option(
    "--users",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    help="How many, broken ones included.",
)
@click.option(
    "--seed", "number", type=int, default=1, show_default=True, help="The same number, the same people."
)
def seed(users: int, number: int) -> None:
    """Fill AX's tables with believable people, invites and API keys.

    Who they are, with passwords and TOTP secrets, is written to users.jsonl in the sandbox's folder; invites and
    API keys to secrets.jsonl. A handful are broken on purpose (their `kind` says how), unless there are very few.
    """
    with _progress(users) as progress:
        seeded = seeding.seed(users, number, progress)
    click.echo(f"{users:,} users. Their passwords are in {seeded.users_file}")
    if users < FEWEST_WITH_BROKEN:
        click.echo(f"None is broken: that takes {FEWEST_WITH_BROKEN} users or more.")


@contextmanager
def _progress(total: int) -> Iterator[seeding.Progress]:
    """A bar on standard error; without a terminal, a line every tenth of the way."""
    if total < PROGRESS_FROM:
        yield lambda _: None
    elif sys.stderr.isatty():
        with click.progressbar(length=total, label="Seeding", file=sys.stderr, update_min_steps=500) as bar:
            yield lambda _: bar.update(1)
    else:
        step = -(-total // 10)
        yield lambda done: click.echo(f"{done:,} of {total:,} users", err=True) if done % step == 0 else None
