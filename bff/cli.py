"""The command: `python -m bff --env NAME`."""

import asyncio
import gc
import sys
from contextlib import suppress

import click
import structlog
import uvloop
from aiohttp import web

from bff.app import build
from bff.http.observability import configure_logging
from bff.http.server import run
from bff.parts import clerk_config
from toolkit.cli.environment import environment_option
from toolkit.database import OtherEnvironment, SandboxRefused
from toolkit.environment import Environment
from toolkit.errors import ToolkitError

GARBAGE = 20_000
"""New objects after which Python looks for cycles again."""
FIRST_LOOK_SECONDS = 2


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="postgres-to-clerk", message="%(version)s")
@environment_option
@click.option("--host", help="Address to listen on. Default: the playbook's bff.host, 127.0.0.1.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port. Default: the playbook's bff.port, 8400.")
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="What is logged, as JSON lines on standard output.",
)
def serve(environment: Environment, host: str | None, port: int | None, log_level: str) -> None:
    """Serve login, signup, sessions and API keys, and their pages.

    Environment variables: DATABASE_URL, AX_CLIENT_TOKEN_KEY (32 bytes in base64), AX_TOTP_KEY, and AX_TOTP_KEY_OLD, the
    one before it, as long as it opens any secret; and, for users who are in Clerk, CLERK_SECRET_KEY,
    CLERK_PUBLISHABLE_KEY and CLERK_PROXY_URL; SMTP_URL for the BFF's own mails. Without Clerk's keys those users are
    refused (503), and nobody else is touched.
    """
    configure_logging(log_level)
    log = structlog.get_logger("bff")
    app = build(environment)
    uvloop.run(_refuse_others(environment))
    config = clerk_config(environment)
    if config is None:
        log.warning("clerk is not configured: users who are in Clerk cannot log in")
    elif config.proxy_url is None:
        log.warning(
            "CLERK_PROXY_URL is not set: Clerk counts all logins as one address's, and refuses the sixth in 10 s"
        )
    if not environment.totp_keys:
        log.warning(
            "AX_TOTP_KEY is not set: users with an authenticator who are not in Clerk yet cannot log in"
        )
    if environment.smtp_url is None:
        log.warning(
            "SMTP_URL is not set: users who are not in Clerk yet get no code to reset a password with; mails about changes of an "
            "account, and to owners of taken addresses, wait in the database"
        )
    settings = environment.playbook.bff
    gc.freeze()  # what lives as long as the process need not be looked at again,
    gc.set_threshold(GARBAGE)  # and requests leave few cycles
    with suppress(web.GracefulExit):
        uvloop.run(
            run(
                app,
                host or settings.host,
                settings.port if port is None else port,
                settings,
                https=environment.https,
            )
        )


async def _refuse_others(environment: Environment) -> None:
    """Raises SandboxRefused or OtherEnvironment at once; a database that does not answer yet is looked at when it is first used."""
    try:
        async with asyncio.timeout(FIRST_LOOK_SECONDS), environment.connect():
            pass
    except (SandboxRefused, OtherEnvironment):
        raise
    except (ToolkitError, TimeoutError):
        pass


def main() -> None:
    """Run the command. A configuration that is missing or wrong is told in a sentence, and exits 2."""
    try:
        serve.main(prog_name="python -m bff", standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except ToolkitError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(error.exit_code)
    except OSError as error:
        click.echo(f"Error: cannot listen: {error.strerror}. Choose another --port or --host.", err=True)
        sys.exit(1)
