"""What the gateway needs of a context's views: where documents are read, and how fresh they are."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from actors.views.port import Reading, Standing, Wanted


class Store(Protocol):
    """The part of a ``ViewStore`` that answers."""

    async def read(self, wanted: Sequence[Wanted]) -> Reading:
        """Pages, all from one moment. Raises ViewsError."""


class Views(Protocol):
    """One context's views, on this loop."""

    @property
    def store(self) -> Store: ...

    async def fresh(
        self, views: Sequence[str], positions: Mapping[int, int], deadline: float
    ) -> Mapping[int, int] | None:
        """Wait until each view has folded every shard as far as ``positions`` say; None then. At the
        deadline, on the loop's clock: what has been reached of what is still missing. Raises ViewsError."""

    def age(self, standing: Standing) -> float:
        """Seconds for which something is known to be missing from what answered; 0.0 if nothing is."""
