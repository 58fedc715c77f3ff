"""What the gateway needs of the actors: a region per context."""

from typing import Protocol

from actors.manifest import ContextManifest
from actors.messages import Absent, Ask, Refused, Shown


class HistoryPage(Protocol):
    """Some events of an entity, in order."""

    @property
    def events(self) -> bytes:
        """A JSON array of ``{"version","type","at","data"}``."""

    @property
    def last(self) -> int:
        """The version of the last event in this page."""

    @property
    def more(self) -> bool:
        """Whether there are events after ``last``."""


class Region(Protocol):
    """Where a context's entities are reached, on this loop."""

    @property
    def name(self) -> str: ...

    @property
    def manifest(self) -> ContextManifest: ...

    @property
    def shard_count(self) -> int:
        """Shards of the context, wherever they are served."""

    def tell(self, ask: Ask) -> None:
        """``ask.reply`` is called exactly once, on the loop, possibly before ``tell`` returns."""

    async def state_at(self, aggregate: str, id: str, version: int) -> Shown | Absent | Refused:
        """A past state."""

    async def history(
        self, aggregate: str, id: str, after: int, limit: int
    ) -> HistoryPage | Absent | Refused:
        """A page of events after a version."""
