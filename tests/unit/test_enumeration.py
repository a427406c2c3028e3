"""The two tests that times are held against each other by find what differs, and nothing else."""

import random

import pytest

from tests.enumeration import rank_test, shape_test

TIMES = 200


def times(seed: int, mean: float = 0.5, spread: float = 0.01) -> list[float]:
    source = random.Random(seed)  # noqa: S311 - the same each time
    return [source.gauss(mean, spread) for _ in range(TIMES)]


@pytest.mark.parametrize("seed", range(5))
def test_what_does_not_differ_is_not_told_apart(seed: int) -> None:
    one, other = times(seed), times(seed + 100)
    assert rank_test(one, other) > 0.001
    assert shape_test(one, other) > 0.001


def test_what_is_later_is_told_apart() -> None:
    assert rank_test(times(1), times(2, mean=0.506)) < 0.001
    assert shape_test(times(1), times(2, mean=0.506)) < 0.001


def test_what_is_spread_in_another_way_is_told_apart() -> None:
    assert shape_test(times(1), times(2, spread=0.03)) < 0.001


def test_a_handful_that_has_nothing_in_common_is_told_apart() -> None:
    assert rank_test([0.1] * 20, [0.2] * 20) < 1e-6
    assert shape_test([0.1] * 20, [0.2] * 20) < 1e-6
