"""Promises and how they are judged."""

import pytest

from bench.reach import Target, Verdict, figure, p99


@pytest.mark.parametrize(
    ("value", "verdict"),
    [(0.49, "missed"), (0.5, "met"), (0.69, "met"), (0.7, "aim"), (2.0, "aim")],
)
def test_more_is_better_when_the_aim_is_higher(value: float, verdict: str) -> None:
    assert Target(0.5, 0.7).judge(value) == Verdict(verdict)


@pytest.mark.parametrize(
    ("value", "verdict"), [(4.01, "missed"), (4.0, "met"), (2.01, "met"), (2.0, "aim"), (0.5, "aim")]
)
def test_less_is_better_when_the_aim_is_lower(value: float, verdict: str) -> None:
    assert Target(4.0, 2.0).judge(value) == Verdict(verdict)


def test_a_figure_is_the_median_with_its_extremes() -> None:
    found = figure("spread/bare", [0.9, 0.1, 0.6])
    assert (found.value, found.low, found.high, found.verdict) == (0.6, 0.1, 0.9, Verdict.MET)
    assert figure("spread/bare", [0.6, 0.4, 0.8, 0.2]).value == 0.5


def test_what_was_not_promised_is_not_judged() -> None:
    assert figure("creation", [1.0]).verdict is None


@pytest.mark.parametrize(("count", "nth"), [(1, 1), (99, 99), (100, 99), (200, 198), (1_000, 990)])
def test_one_value_in_a_hundred_may_exceed_p99(count: int, nth: int) -> None:
    assert p99([float(value) for value in range(count, 0, -1)]) == nth
