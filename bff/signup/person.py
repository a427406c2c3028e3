"""Who signs up."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Person:
    """What somebody typed in to sign up."""

    email: str
    password: str = field(repr=False)
    first_name: str | None = None
    last_name: str | None = None
