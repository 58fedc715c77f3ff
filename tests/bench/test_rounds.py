"""Comparing slices, and what a run adds up to."""

from collections.abc import Callable

import pytest

from bench import loads, wrk
from bench.proof import Proof
from bench.rounds import Compared, Measured, Rounds, Row, compare
from bench.served import Server
from bench.wrk import Load, Slice


def seen(requests: int = 1000, p99: int = 1000, issued: int = 0, next: int = 0) -> Slice:
    return Slice(requests, issued or requests, next, 1_000_000, 500, p99, 1, 0, 0, 0, 0, 0)


def measured(rate: int, p99: int, cpu: float) -> Measured:
    return Measured(seen(rate, p99), cpu, 1, 0.0)


def test_a_slice_is_compared_with_the_mean_of_its_neighbours() -> None:
    found = compare(measured(1000, 3000, 3e-5), measured(1000, 1000, 1e-5), measured(3000, 2000, 2e-5))
    assert (found.rate, found.p99) == (0.5, 2.0)
    assert found.cpu == pytest.approx(2.0)


class FakeServer(Server):
    """Uses a second of CPU between two looks."""

    def __init__(self, url: str) -> None:
        super().__init__(url, (), 0.0)
        self.used = 0.0

    def cpu_seconds(self) -> float:
        self.used += 1.0
        return self.used

    def rss(self) -> int:
        return 7


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Load, int]]:
    """What wrk was asked to do; each load answers 1000 requests."""
    asked: list[tuple[str, Load, int]] = []

    def run(url: str, load: Load, seconds: float, first: int = 0) -> Slice:
        asked.append((url, load, first))
        return seen(1000, issued=1064, next=first + 1064)

    monkeypatch.setattr(wrk, "run", run)
    return asked


def silent() -> Callable[[str], object]:
    return lambda line: None


def test_every_slice_stands_between_two_bare_ones(runs: list[tuple[str, Load, int]]) -> None:
    run = Rounds(FakeServer("bare"), FakeServer("butai"), loads.plan, silent())
    rows = run.run(["spread", "get"], rounds=2, seconds=1, warm_up=1)
    warm_up, slices = runs[:3], [url for url, _, _ in runs[3:]]
    assert [url for url, _, _ in warm_up] == ["bare", "butai", "butai"]
    assert slices == ["bare", "butai", "bare", "butai", "bare", "butai", "bare", "butai", "bare"]
    assert [(row.name, len(row.measured), len(row.compared)) for row in rows] == [
        ("bare", 5, 0),
        ("spread", 2, 2),
        ("get", 2, 2),
    ]
    first = rows[1].measured[0]
    assert first.slice == seen(1000, issued=1064, next=2128)
    assert (first.cpu, first.rss) == (1e-3, 7)


def test_no_request_of_a_load_is_ever_made_twice(runs: list[tuple[str, Load, int]]) -> None:
    run = Rounds(FakeServer("bare"), FakeServer("butai"), loads.plan, silent())
    run.run(["spread", "hot"], rounds=3, seconds=1, warm_up=1)
    firsts = [(load, first) for url, load, first in runs if url == "butai"]
    assert len(set(firsts)) == len(firsts)
    assert [first for load, first in firsts if load.spaces == loads.SPREAD] == [0, 1064, 2128, 3192]
    assert {first for load, first in firsts if load.spaces == 1} == {0}


def row(name: str, rates: list[float]) -> Row:
    of = [Compared(measured(1000, 1000, 1.0), rate, 3.0, 2.0) for rate in rates]
    return Row(name, [one.measured for one in of], of)


def test_figures_are_made_of_ratios_within_a_round() -> None:
    bare = Row("bare", [measured(1000, 1000, 1.0)], [])
    found = {
        one.name: one.value
        for one in loads.figures([bare, row("spread", [0.5, 0.8]), row("hot", [0.4, 0.8])])
    }
    assert found == {
        "spread/bare": pytest.approx(0.65),
        "hot/bare": pytest.approx(0.6),
        "p99/bare": 3.0,
        "cpu/bare": 2.0,
        "hot/spread": pytest.approx(0.9),
    }


def test_a_single_load_gives_no_figure_of_another() -> None:
    assert [one.name for one in loads.figures([row("get", [0.5])])] == ["get/bare"]


@pytest.mark.parametrize(("stored", "holds"), [(99, False), (100, True), (164, True), (165, False)])
def test_the_journal_holds_what_was_answered_and_at_most_what_was_sent(stored: int, holds: bool) -> None:
    proof = Proof(answered=100, issued=164, stored=stored)
    assert proof.holds is holds
    assert ("exactly what was acknowledged" in str(proof)) is holds
