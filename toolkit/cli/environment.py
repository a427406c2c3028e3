"""`--env` and `--playbooks`, which both command lines have."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from toolkit.environment import Environment, load_environment
from toolkit.playbook import PLAYBOOKS
from toolkit.terminal.text import say

_FOLDER = f"{__name__}.playbooks"
"""Where the context keeps `--playbooks`."""
_NAMED = f"{__name__}.environment"
"""Where it keeps `--env`, as it was typed."""


def named() -> tuple[str, ...]:
    """The options that named this command's environment, to be typed again."""
    meta = click.get_current_context().meta
    folder = ("--playbooks", str(meta[_FOLDER])) if _FOLDER in meta else ()
    return ("--env", meta[_NAMED], *folder)


class EnvironmentName(click.ParamType[Environment]):
    """`--env`: a playbook's name, or a path to one."""

    name = "environment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Environment:
        """Load the playbook, and say which exported variables it does not use."""
        if isinstance(value, Environment):
            return value
        if ctx is not None:
            ctx.meta[_NAMED] = str(value)
        environment = load_environment(
            str(value), playbooks=ctx.meta.get(_FOLDER, PLAYBOOKS) if ctx else PLAYBOOKS
        )
        if environment.unused:
            say(
                f"The sandbox has a database and a Clerk of its own. Exported, and not used: {', '.join(environment.unused)}.",
                err=True,
            )
        return environment


def environment_option(command: Callable[..., None]) -> Callable[..., None]:
    """Which environment a command works on, as the parameter `environment`."""
    for option in (
        click.option(
            "--env",
            "environment",
            type=EnvironmentName(),
            required=True,
            metavar="NAME",
            help="The environment: a playbook in playbooks/ (for example sandbox, demo or prod), or a path that ends in .yaml.",
        ),
        click.option(
            "--playbooks",
            type=click.Path(exists=True, file_okay=False, path_type=Path),
            is_eager=True,  # --env needs it
            expose_value=False,
            callback=_keep,
            metavar="DIR",
            help="The folder with the playbooks. Default: playbooks/ in the current folder.",
        ),
    ):
        command = option(command)
    return command


def _keep(ctx: click.Context, param: click.Parameter, value: Path | None) -> None:
    if value is not None:
        ctx.meta[_FOLDER] = value
