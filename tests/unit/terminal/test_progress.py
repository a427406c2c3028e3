"""What progress shows."""

import json
from datetime import UTC, datetime

import pytest

from toolkit.migration.observer import Pause
from toolkit.terminal.progress import Events, Meter, describe, duration


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (42.4, "42 s"), (185, "3 min 5 s"), (7200, "2 h"), (100_000, "1 d 3 h")],
)
def test_durations_are_told_in_two_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_the_rate_is_that_of_the_last_ten_seconds() -> None:
    clock = Clock()
    meter = Meter(clock)
    for second in range(1, 61):
        clock.now = second
        for _ in range(10 if second <= 40 else 50):
            meter.add(failed=False)
    assert meter.rate == pytest.approx(50, rel=0.1)
    assert meter.remaining(2400) == pytest.approx(1000 / 50, rel=0.1)


def test_failures_and_the_share_of_the_limit_are_told() -> None:
    clock = Clock()
    meter = Meter(clock)
    meter.count_requests = lambda: 87
    clock.now = 1.0
    for n in range(90):
        meter.add(failed=n < 3)
    assert describe(meter, 180, 100) == "90/s, 87% of the limit, 1 s left, 3 not imported"


def test_a_pause_is_told_with_whose_it_is_and_since_when(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    meter = Meter(clock)
    clock.now = 2.0
    meter.add(failed=False)
    since = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    meter.pause = Pause("ada@ops", since)
    assert describe(meter, 10, 100) == "paused by ada@ops since 2026-01-02 03:04:05 UTC"
    Events().show(meter, 10, 100)
    told = json.loads(capsys.readouterr().out)
    assert (told["paused_by"], datetime.fromisoformat(told["paused_since"])) == ("ada@ops", since)
    assert told["seconds_left"] is None


def test_events_are_one_json_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    meter = Meter(clock)
    clock.now = 2.0
    meter.add(failed=True)
    events = Events()
    events.show(meter, 10, 100)
    events.show(meter, 10, 100)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    assert json.loads(lines[0]) | {"event": "progress", "done": 1, "failures": 1} == json.loads(lines[0])
