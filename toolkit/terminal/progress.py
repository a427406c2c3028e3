"""Progress of a run: a bar on a terminal, plain lines elsewhere, JSON events for programs.

Progress goes to standard error, and JSON events to standard output, so that either can be piped.
"""

import json
import sys
import time
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.progress import TaskID as Task

from toolkit.migration.observer import Pause
from toolkit.terminal.events import Event, ProgressEvent
from toolkit.terminal.text import harmless

PLAIN_SECONDS = 5.0
"""Seconds between two plain lines."""
EVENT_SECONDS = 1.0
"""Seconds between two progress events."""
WINDOW_SECONDS = 10.0
"""Span of the rate that is shown: the window of Clerk's own limit."""


class Meter:
    """How many users a second, lately, and how many requests to Clerk."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begun = clock()
        self._marks: deque[tuple[float, int, int]] = deque([(self._begun, 0, 0)])
        self.count_requests: Callable[[], int] = lambda: 0
        """Tells the requests that were sent so far."""
        self.done = 0
        self.failures = 0
        self.pause: Pause | None = None
        """Who has paused the import."""

    def add(self, *, failed: bool) -> None:
        """Count a user that is settled."""
        self.done += 1
        self.failures += failed
        now = self._clock()
        if now - self._marks[-1][0] >= 0.25:
            self._marks.append((now, self.done, self.count_requests()))
            while len(self._marks) > 2 and now - self._marks[1][0] > WINDOW_SECONDS:
                self._marks.popleft()

    @property
    def rate(self) -> float:
        """Users a second over the last ten seconds."""
        begun, before, _ = self._marks[0]
        return self._per_second(self.done - before, begun)

    @property
    def request_rate(self) -> float:
        """Requests a second over the last ten seconds."""
        begun, _, before = self._marks[0]
        return self._per_second(self.count_requests() - before, begun)

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return self._clock() - self._begun

    def remaining(self, total: int) -> float | None:
        """Seconds until all of `total` are done at this rate; None while there is no rate."""
        return (total - self.done) / self.rate if self.rate else None

    def _per_second(self, count: int, since: float) -> float:
        elapsed = self._clock() - since
        return count / elapsed if elapsed > 0 else 0.0


class View(Protocol):
    """Shows progress; there is one for each kind of output."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...

    def show(self, meter: Meter, total: int, limit: float | None) -> None:
        """Called several times a second; each view shows it as often as suits it."""

    def say(self, text: str) -> None:
        """A sentence for people."""

    def event(self, event: Event) -> None:
        """An event for programs."""


class Bar:
    """A progress bar with rate, share of the limit, time left and failures."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[detail]}", markup=False),
            console=console,
            refresh_per_second=8,
        )
        self._task: Task | None = None

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, meter: Meter, total: int, limit: float | None) -> None:
        """Move the bar."""
        if self._task is None:
            self._task = self._progress.add_task("Importing", total=total, detail="")
        self._progress.update(self._task, completed=meter.done, detail=describe(meter, total, limit))

    def say(self, text: str) -> None:
        """Write a line above the bar."""
        self._progress.console.print(text, highlight=False, markup=False)

    def event(self, event: Event) -> None:
        """Events are for programs."""


class Lines:
    """A plain line now and then, for logs."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def show(self, meter: Meter, total: int, limit: float | None) -> None:
        """Write a line when the last one is old enough, and at the end."""
        if meter.elapsed - self._shown >= PLAIN_SECONDS or (meter.done == total and total):
            self._shown = meter.elapsed
            self._console.print(
                f"{meter.done:,} of {total:,}  {describe(meter, total, limit)}",
                highlight=False,
                markup=False,
            )

    def say(self, text: str) -> None:
        """Write a line."""
        self._console.print(text, highlight=False, markup=False)

    def event(self, event: Event) -> None:
        """Events are for programs."""


class Events:
    """One JSON object a line on standard output."""

    def __init__(self) -> None:
        self._shown = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def show(self, meter: Meter, total: int, limit: float | None) -> None:
        """A `progress` event when the last one is old enough."""
        if meter.elapsed - self._shown < EVENT_SECONDS:
            return
        self._shown = meter.elapsed
        remaining = meter.remaining(total)
        self.event(
            ProgressEvent(
                done=meter.done,
                total=total,
                failures=meter.failures,
                users_per_second=round(meter.rate, 1),
                share_of_limit=round(meter.request_rate / limit, 3) if limit else None,
                seconds_left=None if remaining is None or meter.pause else round(remaining),
                paused_by=meter.pause and meter.pause.by,
                paused_since=meter.pause and meter.pause.since,
            )
        )

    def say(self, text: str) -> None:
        """Programs get events."""

    def event(self, event: Event) -> None:
        """Write the event."""
        sys.stdout.write(json.dumps(event.model_dump(mode="json")) + "\n")
        sys.stdout.flush()


def view(console: Console, *, as_json: bool) -> View:
    """The view that suits where the output goes."""
    if as_json:
        return Events()
    return Bar(console) if console.is_terminal else Lines(console)


def describe(meter: Meter, total: int, limit: float | None) -> str:
    """Rate, share of the limit, time left and failures, in words; of a pause, whose it is and since when."""
    parts = [f"{meter.rate:,.0f}/s"]
    if limit:
        parts.append(f"{meter.request_rate / limit:.0%} of the limit")
    remaining = meter.remaining(total)
    if meter.pause is not None:
        parts = [describe_pause(meter.pause)]
    elif remaining is not None and meter.done < total:
        parts.append(f"{duration(remaining)} left")
    if meter.failures:
        parts.append(f"{meter.failures:,} not imported")
    return ", ".join(parts)


def describe_pause(pause: Pause) -> str:
    """Whose pause it is, and since when."""
    return f"paused by {harmless(pause.by)} since {describe_moment(pause.since)}"


def describe_moment(moment: datetime) -> str:
    """A moment to the second."""
    return f"{moment:%Y-%m-%d %H:%M:%S %Z}"


def duration(seconds: float) -> str:
    """A span in the two largest units that matter: `42 s`, `3 min 5 s`, `2 h 10 min`, `1 d 4 h`."""
    whole = round(seconds)
    units = [("d", 86400), ("h", 3600), ("min", 60), ("s", 1)]
    parts: list[str] = []
    for name, size in units:
        count, whole = divmod(whole, size)
        if count or (name == "s" and not parts):
            parts.append(f"{count} {name}")
    return " ".join(parts[:2])
