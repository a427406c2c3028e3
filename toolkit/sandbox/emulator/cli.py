"""The command that runs the emulator alone."""

import asyncio
import base64
import re
import signal
import socket
import sqlite3
from pathlib import Path
from typing import Any

import click
import uvloop
from aiohttp import web
from pydantic import ValidationError

from toolkit.sandbox.emulator.instance import Instance
from toolkit.sandbox.emulator.mailbox import mailbox
from toolkit.sandbox.emulator.server import application
from toolkit.sandbox.emulator.settings import MOST_LATENCY_MS, REQUESTS, Settings
from toolkit.sandbox.emulator.store import Store

SECRET_KEY = "sk_test_" + "sandbox" * 6
_LATENCY = re.compile(r"(\d+(?:\.\d+)?)(ms|s)?")


class Latency(click.ParamType[float]):
    """`--latency`: `100ms`, `1.5s`, or a number of milliseconds."""

    name = "latency"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Milliseconds."""
        match = _LATENCY.fullmatch(str(value))
        if match is None:
            self.fail(f"{value!r} is not a time such as 100ms or 1.5s.", param, ctx)
        milliseconds = float(match[1]) * (1000 if match[2] == "s" else 1)
        if milliseconds > MOST_LATENCY_MS:
            self.fail(f"{value} is more than a minute.", param, ctx)
        return milliseconds


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="0 picks a free one."
)
@click.option(
    "--rate-limit",
    type=click.Choice(list(REQUESTS)),
    default="production",
    show_default=True,
    help="The limit that Clerk documents for an instance of this kind.",
)
@click.option("--latency", type=Latency(), default="0ms", show_default=True, help="Time each answer takes.")
@click.option(
    "--state",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File that keeps the state; without it, it is gone at the end.",
)
@click.option("--secret-key", default=SECRET_KEY, help="The key it accepts.  [default: one of its own]")
@click.option("--publishable-key", help="[default: made from host and port]")
@click.option(
    "--smtp-port", type=click.IntRange(1, 65535), help="Take mail there, too, and put it into the outbox."
)
def emulator(
    host: str,
    port: int,
    rate_limit: str,
    latency: float,
    state: Path | None,
    secret_key: str,
    publishable_key: str | None,
    smtp_port: int | None,
) -> None:
    """Run the Clerk emulator alone, in the foreground; Ctrl-C ends it.

    Prints the variables that point a program at it, the secret key only when it is its own. Settings, faults, statistics and the outbox are under /_sandbox,
    see docs/emulator.md. A state file keeps its settings, too: they win over --rate-limit and --latency.
    """
    listening = _listen(host, port)
    port = listening.getsockname()[1]
    kind = "live" if secret_key.startswith("sk_live_") else "test"
    publishable_key = publishable_key or f"pk_{kind}_" + base64.b64encode(f"{host}:{port}$".encode()).decode()
    url = f"http://{host}:{port}"
    settings = Settings.model_validate({"rate_limit": rate_limit, "latency_ms": latency})
    try:
        instance = Instance(Store(state), settings, secret_key, publishable_key, url)
    except (sqlite3.Error, OSError, ValidationError) as error:
        why = str(error).splitlines()[0]
        raise click.ClickException(
            f"Cannot keep the state in {state}: {why}. Choose another --state file, or end the emulator that has it."
        ) from error
    if secret_key == SECRET_KEY:  # known to everybody; one that was given is a secret
        click.echo(f"export CLERK_SECRET_KEY={secret_key}")
    for name, value in (
        ("CLERK_PUBLISHABLE_KEY", publishable_key),
        ("CLERK_API_URL", url),
        ("CLERK_FRONTEND_API_URL", url),
    ):
        click.echo(f"export {name}={value}")
    uvloop.run(_serve(instance, listening, _listen(host, smtp_port) if smtp_port else None))


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), backlog=1024)
    except OSError as error:
        raise click.ClickException(
            f"Cannot listen on {host}:{port}: {error.strerror}. Choose another --port (0 picks a free one)."
        ) from error


async def _serve(instance: Instance, listening: socket.socket, mail: socket.socket | None) -> None:
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    runner = web.AppRunner(application(instance), access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.SockSite(runner, listening).start()
    if mail is not None:
        await loop.create_server(lambda: mailbox(instance), sock=mail)
    await ended.wait()
    await runner.cleanup()
    instance.store.close()
