"""`sandbox`: a group whose commands are loaded when one is asked for, so that no other command needs the extra."""

import click

from toolkit.database import forget_libpq_variables
from toolkit.extras import sandbox_extra


class SandboxGroup(click.Group):
    """The commands of toolkit.sandbox.cli."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return _load().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return _load().get_command(ctx, cmd_name)


@click.group(cls=SandboxGroup)
def sandbox() -> None:
    """A real Postgres, an emulated Clerk, and people to move: all of it local.

    It lives in the folder .sandbox of the current folder, or in $SANDBOX_DIR; several live side by side. `--env sandbox`
    finds it by itself, and uses nothing else, whatever is exported.
    """


def _load() -> click.Group:
    forget_libpq_variables()
    with sandbox_extra():
        from toolkit.sandbox.cli import commands
    return commands
