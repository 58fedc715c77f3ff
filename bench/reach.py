"""What was promised, and whether a figure keeps it."""

import statistics
from collections.abc import Callable, Sequence
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
    """One measured value. ``low`` and ``high``: the extremes of what was repeated in the same run, ``count``
    times."""

    name: str
    text: str
    unit: str
    value: float
    low: float
    high: float
    count: int
    target: Target | None = None

    @property
    def verdict(self) -> Verdict | None:
        """None where nothing was promised."""
        return None if self.target is None else self.target.judge(self.value)


def p99(values: Sequence[float]) -> float:
    """The smallest value that at least 99 of 100 do not exceed."""
    return sorted(values)[-(-99 * len(values) // 100) - 1]


class Promise(msgspec.Struct, frozen=True):
    """What a figure is called and, where something was promised, how far it must reach."""

    text: str
    unit: str = ""
    target: Target | None = None
    of: Callable[[Sequence[float]], float] = statistics.median
    """What is made of repeated values."""


FIGURES: dict[str, Promise] = {
    "spread/bare": Promise("durable commands over 10,000 entities / bare", "", Target(0.50, 0.70)),
    "hot/spread": Promise("one hot entity / over 10,000 entities", "", Target(0.80, 1.0)),
    "hot/bare": Promise("durable commands on one hot entity / bare", "", None),
    "get/bare": Promise("GET of state / bare", "", Target(0.60, 0.85)),
    "retry/bare": Promise("retried idempotent command / bare", "", None),
    "p99/bare": Promise("p99 of durable commands / of bare", "", Target(4.0, 2.0)),
    "cpu/bare": Promise("CPU per durable command / per bare request", "", Target(2.4, 1.6)),
    "round_trip": Promise("tell + reply through two thespian actors", "us", Target(2.0, 1.0)),
    "creation": Promise("creation of an actor", "us", None),
    "idle": Promise("idle active entity beyond its state", "B", Target(2048, 1024)),
    "state": Promise("its state: a space with four reservations", "B", None),
    "replay": Promise("replay from the journal", "events/s", Target(100_000, 300_000)),
    "fold": Promise("replay of rows in memory", "events/s", None),
    "activation": Promise("activation with 1,000 events, no snapshot", "ms", None),
    "activation_snapshot": Promise("activation with 1,000 events, snapshot", "ms", None),
    "cold": Promise("cold activations", "/s", Target(5_000, 15_000)),
    "ready": Promise("butai up to ready", "s", Target(2.0, 1.0)),
    "placement": Promise("placement of 1,024 shards on 200 workers", "ms", Target(50.0, 5.0)),
    "postgres/bare": Promise("durable commands on PostgreSQL / bare", "", Target(0.35, 0.55)),
    "two/one": Promise("durable commands, two workers / one", "", Target(0.85, 1.15)),
    "two/one cpu": Promise("CPU per durable command, two workers / one"),
    "hop": Promise("CPU per command to another worker's shard / own", "", Target(1.8, 1.3)),
    "hop rate": Promise("durable commands to another worker's shards / own"),
    "killed": Promise("worker killed: its shards answer again, worst", "s", Target(1.5, 0.5), max),
    "lost": Promise("node lost: its shards answer again, worst", "s", Target(6.0, 4.0), max),
    "handover": Promise("handover of a shard: pause of its clients, p99", "ms", Target(200.0, 50.0), p99),
    "handover still": Promise("the same while nothing moves, p99", "ms", None, p99),
    "catch_up": Promise("one view catches up, SQLite", "events/s", Target(30_000, 100_000)),
    "catch_up_postgres": Promise("one view catches up, PostgreSQL", "events/s", Target(20_000, 100_000)),
    "visible": Promise("command to visible in its view at half load, p99", "ms", Target(50.0, 10.0), p99),
    "document/bare": Promise("GET of a document / bare", "", Target(0.45, 0.75)),
    "find": Promise("find by index in a view, p99", "ms", Target(10.0, 3.0), p99),
    "views cost": Promise("what three views cost durable commands/s", "%", Target(30.0, 15.0)),
    "views cpu": Promise("CPU per durable command with three views / without"),
    "followers": Promise("event to all of 1,000 followers, p99", "ms", Target(500.0, 100.0), p99),
    "flat": Promise("commands with 5 million events / with few", "", Target(0.90, 1.0)),
    "cold_large": Promise("cold activations, 5 million events", "/s", Target(5_000, 15_000)),
    "rss_cap": Promise("RSS when four times the cap was touched / at the cap", "", Target(1.25, 1.1)),
    "turn": Promise("yardstick: a turn of an empty Python loop", "ns", None),
}
"""Every figure, in the order of the table."""


def figure(name: str, values: Sequence[float]) -> Figure:
    """``values``, measured in one run, as one figure with their extremes."""
    promise = FIGURES[name]
    value = promise.of(values)
    return Figure(
        name, promise.text, promise.unit, value, min(values), max(values), len(values), promise.target
    )
