"""Figures of several workers and nodes: what another journal, another worker and a hop cost, and how long a
shard is away when its owner dies or hands it over.

Each section starts what it needs (nodes, a NATS server, a PostgreSQL server) and ends it. Costs are compared
within the run, in turns; times are taken by clients that ask without pause.
"""

from collections.abc import Callable
from pathlib import Path

import msgspec

Tell = Callable[[str], object]


class Extent(msgspec.Struct, frozen=True):
    """How much of everything is done."""

    rounds: int
    seconds: float
    """Per slice."""
    quick: bool
    large: bool

    def count(self, quick: int, usual: int, large: int) -> int:
        """The one that holds here."""
        return quick if self.quick else large if self.large else usual


Measure = Callable[[Path, Extent, Tell], dict[str, list[float]]]
"""The repeated values of a section's figures; the folder is the section's own."""
