"""What the parts of a playbook have in common."""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """A part of a playbook: a name that it does not know is refused, so that a typo is not a default."""

    model_config = ConfigDict(extra="forbid", frozen=True)
