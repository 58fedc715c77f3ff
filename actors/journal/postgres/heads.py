"""The last sequences of the shards that this journal claimed, so that an append need not look them up.

A look costs the server as much as inserting the row. What is remembered belongs to an epoch: as long as that
holds nobody else writes. Anything unclear is forgotten, and then the server looks."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import NamedTuple

from actors.journal.port import Claim, Corrupted, Row

_shard, _place = itemgetter(0), itemgetter(0, 1)


class Run(NamedTuple):
    """The sequences of one shard in a batch: all from the first to the last."""

    first: int
    last: int


def runs_of(rows: Sequence[Row]) -> dict[int, Run]:
    """By shard. Raises ``Corrupted`` if a shard's sequences do not follow each other."""
    places = list(map(_place, rows))
    firsts, lasts = dict(reversed(places)), dict(places)
    runs = {}
    for shard, count in Counter(map(_shard, rows)).items():
        runs[shard] = run = Run(firsts[shard], lasts[shard])
        if run.last - run.first + 1 != count:
            raise Corrupted(f"the sequences of shard {shard} do not follow each other")
    return runs


class Heads:
    """Shard to (epoch, last sequence)."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[int, int]] = {}

    def claimed(self, claims: Iterable[Claim]) -> None:
        """Begin to count."""
        for claim in claims:
            self._known[claim.shard] = (claim.epoch, claim.last_seq)

    def unsure(self, runs: Mapping[int, Run], epochs: Mapping[int, int]) -> list[int | None]:
        """Per shard of ``epochs`` the first sequence if the server is to check it.

        The runs' shards are forgotten until ``moved``: whatever becomes of the append in between."""
        checks: list[int | None] = []
        for shard, epoch in epochs.items():
            run = runs.get(shard)
            known = self._known.pop(shard, None) if run is not None else None
            sure = run is None or known == (epoch, run.first - 1)
            checks.append(None if sure or run is None else run.first)
        return checks

    def moved(self, runs: Mapping[int, Run], epochs: Mapping[int, int], held: Iterable[int]) -> None:
        """The runs of these shards are committed."""
        for shard in held:
            if shard in runs:
                self._known[shard] = (epochs[shard], runs[shard].last)
