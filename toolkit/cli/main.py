"""The command line: its commands, and how a failure is told."""

import asyncio
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click
import structlog

from toolkit.cli import imports, runtime, schema
from toolkit.cli.canary import canary
from toolkit.cli.sandbox import sandbox
from toolkit.cli.user import user
from toolkit.errors import FAILED, INTERRUPTED, Interrupted, NeedsPerson, ToolkitError
from toolkit.terminal.text import say


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="postgres-to-clerk", message="%(version)s")
@click.option("-v", "--verbose", is_flag=True, help="Log every request to Clerk on standard error.")
def cli(verbose: bool) -> None:
    """Move users from home-made authentication in Postgres to Clerk.

    Environment variables: DATABASE_URL, CLERK_SECRET_KEY, CLERK_PUBLISHABLE_KEY, AX_TOTP_KEY (key of the encrypted
    TOTP secrets, base64); optional AX_TOTP_KEY_OLD (the key before it), CLERK_API_URL, CLERK_FRONTEND_API_URL, CLERK_PROXY_URL.

    Usual order: migrate, preflight, canary, import, status.
    """
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger("debug" if verbose else "warning"),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


for command in (
    schema.migrate,
    imports.preflight,
    canary,
    imports.import_,
    imports.status,
    imports.events,
    user,
    runtime.switch,
    runtime.sweep,
    sandbox,
):
    cli.add_command(command)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line. Failures are told in a sentence; TOOLKIT_DEBUG=1 adds the traceback."""
    try:
        sys.exit(cli.main(arguments, standalone_mode=False))
    except click.exceptions.Abort:
        _fail("Aborted.", INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (NeedsPerson, Interrupted) as error:
        _fail(str(error), error.exit_code)
    except ToolkitError as error:
        _fail(f"Error: {error}", error.exit_code)
    except (KeyboardInterrupt, asyncio.CancelledError):
        _fail("Interrupted. Running the same command again goes on from here.", INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that closing it does not complain
        sys.exit(FAILED)
    except Exception as error:
        if os.environ.get("TOOLKIT_DEBUG"):
            raise
        _fail(
            f"Error: this should not have happened: {type(error).__name__}. Nothing is lost; the command may be run "
            "again. Set TOOLKIT_DEBUG=1 to see where it happened, and report it.",
            FAILED,
        )


def _fail(message: str, code: int) -> NoReturn:
    say(message, err=True)
    sys.exit(code)
