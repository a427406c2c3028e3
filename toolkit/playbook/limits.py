"""Limits: how many attempts in how long."""

from pydantic import Field

from toolkit.playbook.settings import Settings


class Limit(Settings):
    """So many attempts in a window of time."""

    attempts: int = Field(ge=1)
    seconds: float = Field(gt=0)
