"""`canary`, and what `preflight --canary` shares with it: one password is proven before anybody moves."""

import asyncio
import signal
import sys
from getpass import getpass

import click
import uvloop

from toolkit.cli.environment import environment_option
from toolkit.cli.options import Command, confirm, json_option, print_json, yes_option
from toolkit.database import address
from toolkit.environment import Environment
from toolkit.errors import NEEDS_PERSON, UsageError
from toolkit.migration.canary import Account, Proof, Typed, look_up, prove
from toolkit.terminal import summaries
from toolkit.terminal.text import HarmlessConsole


def typed_options(command: Command) -> Command:
    """How a canary gets what it must not get as an argument."""
    for option in (
        click.option(
            "--password-stdin",
            is_flag=True,
            help="Read the password from the first line of standard input, and the code of --code from the second.",
        ),
        click.option(
            "--code", "with_code", is_flag=True, help="Ask for a code of the account's authenticator, too."
        ),
    ):
        command = option(command)
    return command


@click.command()
@environment_option
@click.option("--email", required=True, help="The address of an account whose password you know.")
@typed_options
@yes_option
@json_option
def canary(
    environment: Environment, email: str, with_code: bool, password_stdin: bool, yes: bool, as_json: bool
) -> None:
    """Prove that one password works in Clerk, before anybody moves.

    A stand-in with the account's digest and second factor, and with an address of nobody's, goes into Clerk, signs in with
    the password that you type, and is deleted again. The account itself stays as it is. Until a canary has held again after
    one that did not, `import` sends nobody.

    Exits 0 when the password holds, 3 when it does not and somebody has to find out why, 1 when it could not be tried.
    """
    proof = fly(environment, email, with_code=with_code, password_stdin=password_stdin, yes=yes)
    if as_json:
        print_json(summaries.canary_json(proof))
    else:
        summaries.show_canary(HarmlessConsole(), proof)
    sys.exit(0 if proof.finding.holds else NEEDS_PERSON)


def fly(environment: Environment, email: str, *, with_code: bool, password_stdin: bool, yes: bool) -> Proof:
    """Ask for what must be asked for, and try it."""
    if not password_stdin and not sys.stdin.isatty():
        raise UsageError(
            "There is no terminal to ask for the password at. Say --password-stdin, and pipe it in."
        )
    account = uvloop.run(look_up(environment, email, with_code=with_code))
    if not yes:
        _ask(environment, account)
    typed = _read(with_code) if password_stdin else _prompt(email, with_code)
    if not typed.password:
        raise UsageError("No password was typed.")
    return uvloop.run(_prove(environment, account, typed))


def _ask(environment: Environment, account: Account) -> None:
    clerk = environment.clerk
    confirm(
        environment,
        f"Put a stand-in for one account of the database {address(environment.database_url)} into the Clerk {clerk.instance_type} "
        f"instance {account.instance} at {clerk.api_url}, sign it in, and delete it again? Webhooks will tell of one user created and deleted.",
    )


def _read(with_code: bool) -> Typed:
    password, code = (sys.stdin.readline().rstrip("\r\n") if wanted else None for wanted in (True, with_code))
    return Typed(password or "", code)


def _prompt(email: str, with_code: bool) -> Typed:
    password = getpass(f"Password of {email}: ")
    return Typed(password, getpass("Code of the authenticator: ") if with_code else None)


async def _prove(environment: Environment, account: Account, typed: Typed) -> Proof:
    """Told to end by SIGTERM as by Ctrl-C, it still removes the stand-in."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await prove(environment, account, typed)
