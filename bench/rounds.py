"""Loads in slices, each between two slices of the bare handler, round after round."""

import os
import resource
import time
from collections.abc import Callable, Sequence

import msgspec

from bench import process, wrk
from bench.served import Server


class Measured(msgspec.Struct, frozen=True):
    """A slice and what it cost the server."""

    slice: wrk.Slice
    cpu: float
    """CPU seconds per answer."""
    rss: int
    """Resident bytes at the end."""
    others: float
    """Part of the machine's processors that neither the server nor wrk used: 0 is a quiet machine."""


class Compared(msgspec.Struct, frozen=True):
    """A slice as ratios to the mean of the bare slices before and after it."""

    measured: Measured
    rate: float
    p99: float
    cpu: float


class Row(msgspec.Struct, frozen=True):
    """All slices of one load. Without ratios for the bare handler itself."""

    name: str
    measured: list[Measured]
    compared: list[Compared]


Plan = Callable[[str, int], wrk.Load]
"""The load of a name for its n-th slice; the warm-up is number 0."""

BARE = "bare"


class Rounds:
    """One run against both servers. Numbers of requests go on from slice to slice of the same load."""

    def __init__(self, bare: Server, butai: Server, plan: Plan, tell: Callable[[str], object]) -> None:
        self._bare = bare
        self._butai = butai
        self._plan = plan
        self._tell = tell
        self._next: dict[wrk.Load, int] = {}
        self.slices: list[tuple[wrk.Load, wrk.Slice]] = []
        """Everything that ever reached Butai, warm-ups included."""

    def run(self, names: Sequence[str], rounds: int, seconds: float, warm_up: float) -> list[Row]:
        """A row for the bare handler and one per name; raises wrk.LoadFailed, ProcessGone."""
        self._slice(BARE, 0, warm_up)
        for name in names:
            self._slice(name, 0, warm_up)
        bare = [self._slice(BARE, 1, seconds)]
        rows = {name: Row(name, [], []) for name in names}
        for number in range(1, rounds + 1):
            for name in names:
                measured = self._slice(name, number, seconds)
                bare.append(self._slice(BARE, number, seconds))
                rows[name].measured.append(measured)
                rows[name].compared.append(compare(measured, bare[-2], bare[-1]))
                self._tell(
                    f"round {number}: {name} {measured.slice.rate:,.0f}/s, bare {bare[-1].slice.rate:,.0f}/s"
                )
        return [Row(BARE, bare, []), *rows.values()]

    def _slice(self, name: str, number: int, seconds: float) -> Measured:
        server = self._bare if name == BARE else self._butai
        load = wrk.Load(BARE) if name == BARE else self._plan(name, number)
        usage = _Usage(server)
        seen = wrk.run(server.url, load, seconds, self._next.get(load, 0))
        cpu, others = usage.since()
        self._next[load] = seen.next
        if name != BARE:
            self.slices.append((load, seen))
        return Measured(seen, cpu / seen.requests, server.rss(), others)


class _Usage:
    """Processor time from a moment on: whose it was."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._began = self._now()

    def _now(self) -> tuple[float, float, float, float]:
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        own = children.ru_utime + children.ru_stime
        return time.monotonic(), process.machine_cpu_seconds(), self._server.cpu_seconds(), own

    def since(self) -> tuple[float, float]:
        """CPU seconds of the server, and the part of the machine that others used."""
        wall, machine, server, wrk = (now - then for now, then in zip(self._now(), self._began, strict=True))
        return server, max(0.0, machine - server - wrk) / (wall * (os.cpu_count() or 1))


def compare(measured: Measured, before: Measured, after: Measured) -> Compared:
    """Ratios of a slice to the bare ones beside it."""
    return Compared(
        measured,
        measured.slice.rate * 2 / (before.slice.rate + after.slice.rate),
        measured.slice.p99 * 2 / (before.slice.p99 + after.slice.p99),
        measured.cpu * 2 / (before.cpu + after.cpu),
    )
