"""What `import --json` writes: one event a line, each of a model that is here."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter


class _Event(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        json_schema_serialization_defaults_required=True,
    )

    at: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))
    """When it happened."""


class WaitingEvent(_Event):
    """Another import runs, and this one stands by."""

    event: Literal["waiting"] = "waiting"
    run: int | None
    """The other one's; null for one that has no row yet, and so the rest."""
    by: str | None
    """Who runs the other one."""
    since: AwareDatetime | None


class BegunEvent(_Event):
    """The run has begun. Nothing was sent yet."""

    event: Literal["begun"] = "begun"
    run: int
    due: int
    """Users of the selection that are not in Clerk yet."""
    limit: float | None
    """Requests a second at most; null for no limit."""


class PausedEvent(_Event):
    """The switch `import` is `paused`: nobody is begun any more."""

    event: Literal["paused"] = "paused"
    by: str
    """Who set the switch."""
    since: AwareDatetime


class ResumedEvent(_Event):
    """The import goes on after a pause."""

    event: Literal["resumed"] = "resumed"


class PacedEvent(_Event):
    """The switch `import_rate` has changed the pace."""

    event: Literal["paced"] = "paced"
    limit: float | None
    """Requests a second at most from now on; null for no limit."""


class ProgressEvent(_Event):
    """How far it is: once a second."""

    event: Literal["progress"] = "progress"
    done: int
    total: int
    failures: int
    """Users that did not go over."""
    users_per_second: float
    share_of_limit: float | None
    seconds_left: int | None
    """null while nobody can say."""
    paused_by: str | None
    """Who has paused the import; null while it goes on."""
    paused_since: AwareDatetime | None


class UserEvent(_Event):
    """What became of one user."""

    event: Literal["user"] = "user"
    user_id: str
    state: Literal["linked", "refused", "held", "conflict", "failed"]
    code: str | None
    """Why the user did not go over; null for one that is linked."""
    clerk_id: str | None


class EndedEvent(_Event):
    """The last event."""

    event: Literal["ended"] = "ended"
    run: int | None = None
    """null when no run was begun, or when it failed."""
    outcome: Literal["finished", "interrupted", "failed", "nobody"]
    """`nobody`: the selection has nobody in it."""
    error: str | None = None
    users: int | None = None
    """Users that were looked at; null as run is, and so the rest."""
    states: dict[str, int] | None = None
    reasons: dict[str, int] | None = None
    """Users by the code of the reason why they did not go over."""
    needs_person: bool | None = None
    """Some user did not go over for a reason that a person must look at."""


Event = Annotated[
    WaitingEvent
    | BegunEvent
    | PausedEvent
    | ResumedEvent
    | PacedEvent
    | ProgressEvent
    | UserEvent
    | EndedEvent,
    Field(discriminator="event"),
]


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of one line."""
    made = TypeAdapter(Event).json_schema(mode="serialization")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A line of `import --json`",
        **made,
    }
