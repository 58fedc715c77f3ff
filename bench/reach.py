"""What was promised, and whether a figure keeps it."""

from enum import StrEnum

import msgspec


class Verdict(StrEnum):
    """How a figure stands to its promise."""

    AIM = "aim"
    MET = "met"
    MISSED = "missed"


class Target(msgspec.Struct, frozen=True):
    """``at_least`` must be reached, ``aim`` should be. Where less is better, ``at_least`` is a most."""

    at_least: float
    aim: float

    @property
    def less_is_better(self) -> bool:
        """Told by the order of the two."""
        return self.aim < self.at_least

    def judge(self, value: float) -> Verdict:
        """Equal is enough."""
        sign = -1 if self.less_is_better else 1
        if sign * value >= sign * self.aim:
            return Verdict.AIM
        return Verdict.MET if sign * value >= sign * self.at_least else Verdict.MISSED


class Figure(msgspec.Struct, frozen=True):
    """One measured value. ``low`` and ``high``: the extremes of what was repeated in the same run."""

    name: str
    text: str
    unit: str
    value: float
    low: float
    high: float
    target: Target | None = None

    @property
    def verdict(self) -> Verdict | None:
        """None where nothing was promised."""
        return None if self.target is None else self.target.judge(self.value)


FIGURES: dict[str, tuple[str, str, Target | None]] = {
    "spread/bare": ("durable commands over 10,000 entities / bare", "", Target(0.50, 0.70)),
    "hot/spread": ("one hot entity / over 10,000 entities", "", Target(0.80, 1.0)),
    "hot/bare": ("durable commands on one hot entity / bare", "", None),
    "get/bare": ("GET of state / bare", "", Target(0.60, 0.85)),
    "retry/bare": ("retried idempotent command / bare", "", None),
    "p99/bare": ("p99 of durable commands / of bare", "", Target(4.0, 2.0)),
    "cpu/bare": ("CPU per durable command / per bare request", "", Target(2.4, 1.6)),
    "round_trip": ("tell + reply through two thespian actors", "us", Target(2.0, 1.0)),
    "creation": ("creation of an actor", "us", None),
    "idle": ("idle active entity beyond its state", "B", Target(2048, 1024)),
    "state": ("its state: a space with four reservations", "B", None),
    "replay": ("replay from the journal", "events/s", Target(100_000, 300_000)),
    "fold": ("replay of rows in memory", "events/s", None),
    "activation": ("activation with 1,000 events, no snapshot", "ms", None),
    "activation_snapshot": ("activation with 1,000 events, snapshot", "ms", None),
    "cold": ("cold activations", "/s", Target(5_000, 15_000)),
    "ready": ("butai up to ready", "s", Target(2.0, 1.0)),
    "flat": ("commands with 5 million events / with few", "", Target(0.90, 1.0)),
    "cold_large": ("cold activations, 5 million events", "/s", Target(5_000, 15_000)),
    "rss_cap": ("RSS when four times the cap was touched / at the cap", "", Target(1.25, 1.1)),
    "turn": ("yardstick: a turn of an empty Python loop", "ns", None),
}
"""Text, unit and promise of every figure, in the order of the table."""


def figure(name: str, values: list[float]) -> Figure:
    """The median of ``values``, measured in one run, with their extremes."""
    text, unit, target = FIGURES[name]
    ordered = sorted(values)
    middle = len(ordered) // 2
    median = ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
    return Figure(name, text, unit, median, ordered[0], ordered[-1], target)
