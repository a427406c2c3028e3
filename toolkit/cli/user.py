"""`user`: one user's whole story."""

import click
import uvloop

from toolkit.cli.environment import environment_option
from toolkit.cli.options import json_option, print_json
from toolkit.environment import Environment
from toolkit.migration.story import read_story
from toolkit.terminal.story import show_story, story_json
from toolkit.terminal.text import HarmlessConsole


@click.command()
@environment_option
@click.argument("key", metavar="ID|ADDRESS")
@json_option
def user(environment: Environment, key: str, as_json: bool) -> None:
    """Tell one user's whole story: the row, what imports did, Clerk's side, sessions and security events. No secrets.

    Changes nothing, and does without Clerk when it can't be asked.
    """
    story = uvloop.run(read_story(environment, key))
    if as_json:
        print_json(story_json(story))
    else:
        show_story(HarmlessConsole(), story)
