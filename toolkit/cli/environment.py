"""`--env`, which both command lines have."""

from typing import Any

import click

from toolkit.environment import Environment, load_environment


class EnvironmentName(click.ParamType[Environment]):
    """`--env`: a playbook's name, or a path to one."""

    name = "environment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Environment:
        """Load the playbook."""
        return value if isinstance(value, Environment) else load_environment(str(value))


environment_option = click.option(
    "--env",
    "environment",
    type=EnvironmentName(),
    required=True,
    metavar="NAME",
    help="The environment: a playbook in playbooks/ (sandbox, demo, prod), or a path to one.",
)
