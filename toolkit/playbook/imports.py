"""`import:` — how users go over."""

from typing import Literal

from pydantic import Field

from toolkit.playbook.settings import Settings


class ImportSettings(Settings):
    """How users go over."""

    disabled_users: Literal["ban", "hold"] = "hold"
    """Disabled users are created banned in Clerk, or held back on legacy."""
    device_trust: Literal["grace", "enforce"] = "grace"
    """Whether users without a second factor are spared Clerk's code by mail at their first login after the move."""
    rate: float | None = Field(default=None, gt=0)
    """Requests a second; by default what Clerk documents for the kind of the key."""
    cohorts: dict[str, str] = Field(default_factory=dict)
    """A name for a group of users: an SQL condition over the columns of the source view."""
