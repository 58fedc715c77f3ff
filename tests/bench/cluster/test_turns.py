"""Two servers in turns."""

from itertools import count

import pytest

from bench import wrk
from bench.cluster.turns import Side, Turns, ratios
from bench.wrk import Load, Slice

LOAD = Load("reserve", 10, "spread")


def test_a_slice_is_compared_with_the_mean_of_its_neighbours() -> None:
    assert ratios([10.0, 30.0, 10.0], [10.0, 40.0]) == [0.5, 2.0]


def test_every_slice_of_the_other_stands_between_two_of_the_base(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int]] = []

    def run(url: str, load: Load, seconds: float, first: int = 0) -> Slice:
        asked.append((url, first))
        return Slice(1000 if url == "b" else 500, 564, first + 564, 1_000_000, 1, 1, 1, 0, 0, 0, 0, 0)

    monkeypatch.setattr(wrk, "run", run)
    ticks = count()
    base, other = (
        Side("base", "b", lambda: float(next(ticks))),
        Side("other", "o", lambda: float(next(ticks))),
    )
    turns = Turns(LOAD, base, other, lambda line: None)
    turns.run(rounds=2, seconds=1)
    assert [url for url, _ in asked] == ["b", "o", "b", "o", "b", "o", "b"]
    assert [first for url, first in asked if url == "o"] == [0, 564, 1128]
    assert turns.rates() == [0.5, 0.5]
    assert turns.cpus() == [2.0, 2.0]
    assert [len(turns.slices[name]) for name in ("base", "other")] == [4, 3]
