"""`migrate`: the database's schema."""

import click
import uvloop

from toolkit import schema
from toolkit.cli.environment import environment_option
from toolkit.cli.options import confirm, json_option, print_json, yes_option
from toolkit.database import address
from toolkit.environment import Environment
from toolkit.errors import UsageError
from toolkit.migration.preflight import check_source
from toolkit.terminal.text import say


@click.command()
@environment_option
@click.option("--status", "as_status", is_flag=True, help="List the migrations and which are applied.")
@click.option("--rollback", is_flag=True, help="Take the last migration back.")
@yes_option
@json_option
def migrate(environment: Environment, as_status: bool, rollback: bool, yes: bool, as_json: bool) -> None:
    """Prepare the database: AX's baseline is adopted, what both systems need side by side is added.

    Safe on a live database: each step waits for a lock two seconds at most, and may be run again. An index is built
    while the table is in use: its build waits up to ten minutes for transactions that began before it, and nobody waits
    for the build.

    The environment's name is written into the database, and from then on no command of another environment works there.

    A rollback that was killed or gave up is run again before anything else.
    """
    if as_status and rollback:
        raise UsageError("--status and --rollback exclude each other. Give one of them.")
    if as_status:
        _show(environment, as_json)
    elif rollback:
        _take_back(environment, yes, as_json)
    else:
        _apply(environment, yes, as_json)


def _status(environment: Environment) -> schema.Status:
    return schema.status(
        environment.database_url, environment.playbook.source.migrations, environment.expected
    )


def _show(environment: Environment, as_json: bool) -> None:
    migrations = _status(environment).migrations
    if as_json:
        print_json(
            [{"id": m.id, "applied_at": m.applied_at and m.applied_at.isoformat()} for m in migrations]
        )
        return
    for migration in migrations:
        when = f"{migration.applied_at:%Y-%m-%d %H:%M:%S}" if migration.applied_at else "not applied"
        say(f"{when:<19}  {migration.id}")


def _where(environment: Environment, role: str) -> str:
    return f"the database {address(environment.database_url)}, as {role}, for the environment {environment.name!r}"


def _take_back(environment: Environment, yes: bool, as_json: bool) -> None:
    source = environment.playbook.source
    if not yes:
        status = _status(environment)
        last = next((m.id for m in reversed(status.migrations) if m.applied_at), None)
        if last is not None:
            where = _where(environment, status.role)
            confirm(environment, f"Take back the migration {last}, with what it holds, in {where}?")
    name = schema.rollback_last(
        environment.database_url, source.migrations, source.view, environment.expected
    )
    if as_json:
        print_json([name] if name else [])
    else:
        say(f"rolled back  {name}" if name else "Nothing to take back.")


def _apply(environment: Environment, yes: bool, as_json: bool) -> None:
    source = environment.playbook.source
    if not yes:
        status = _status(environment)
        due = sum(migration.applied_at is None for migration in status.migrations)
        what = f"Apply {due} migrations to" if due else "Install the source view in"
        confirm(environment, f"{what} {_where(environment, status.role)}?")
    done = schema.apply(environment.database_url, source.migrations, source.view, environment.expected)
    uvloop.run(check_source(environment))
    if as_json:
        print_json(done)
        return
    for name in done:
        say(f"applied  {name}")
    say(f"{'' if done else 'Nothing to apply. '}The source view is as {source.view} says.")
