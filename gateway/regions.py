"""What the gateway needs of the actors: a region per context."""

from datetime import datetime
from typing import Protocol

from actors.manifest import ContextManifest
from actors.messages import Absent, Ask, Refused, Shown


class HistoryPage(Protocol):
    """Some events of an entity, in order."""

    @property
    def events(self) -> bytes:
        """A JSON array, of ``actors.replies.Told``."""

    @property
    def last(self) -> int:
        """The version of the last event in this page."""

    @property
    def more(self) -> bool:
        """Whether there are events after ``last``."""


class Past(Protocol):
    """Where what was is read: a past state, a page of history."""

    async def state_at(self, aggregate: str, id: str, version: int) -> Shown | Absent | Refused:
        """The state at a version."""

    async def state_when(self, aggregate: str, id: str, instant: datetime) -> Shown | Absent | Refused:
        """The state at an instant."""

    async def history(
        self, aggregate: str, id: str, after: int, limit: int
    ) -> HistoryPage | Absent | Refused:
        """A page of events after a version."""


class Region(Protocol):
    """Where a context's entities are reached, on this loop."""

    @property
    def name(self) -> str: ...

    @property
    def manifest(self) -> ContextManifest: ...

    @property
    def shard_count(self) -> int:
        """Shards of the context, wherever they are served."""

    @property
    def past(self) -> Past: ...

    def tell(self, ask: Ask) -> None:
        """``ask.reply`` is called exactly once, on the loop, possibly before ``tell`` returns."""
