"""What an import tells as it goes: a command shows it, a test notes it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from toolkit.migration.ledger import Outcome
from toolkit.migration.source import Count


@dataclass(frozen=True, slots=True)
class Begun:
    """An import that has begun."""

    run_id: int
    count: Count
    limit: float | None
    """Requests a second at most."""
    count_requests: Callable[[], int]
    """Tells the requests that were sent so far."""


@dataclass(frozen=True, slots=True)
class Pause:
    """The switch `import` says that imports are paused."""

    by: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Other:
    """The import that holds the claim on the database."""

    run_id: int
    by: str
    """Who runs it."""
    since: datetime


class Observer:
    """Is told of everything as soon as it happens. Whoever wants to hear of something overrides its method."""

    def waiting(self, other: Other | None) -> None:
        """Another import runs, and this one stands by. None for one that has no row yet."""

    def begun(self, run: Begun) -> None:
        """The run has its row. Nothing was sent yet."""

    def paused(self, pause: Pause) -> None:
        """Nobody is begun any more; who is under way is finished."""

    def resumed(self) -> None:
        """It goes on."""

    def paced(self, limit: float | None) -> None:
        """From now on so many requests a second are made at most."""

    def settled(self, outcome: Outcome) -> None:
        """It is known what became of a user."""
