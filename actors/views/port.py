"""The store's port: where the documents of one context's views are, and what every adapter promises.

Promises (``tests/actors/views/conformance.py`` holds every adapter to them):

- ``project`` is one transaction: changed documents and the positions they are folded up to.
- A shard is folded into a generation in sequence, each event once: work that does not begin at the stored
  position does nothing. So it does not matter how many workers believe that a shard is theirs.
- ``read`` answers from one moment: all its documents and positions belong together.
- ``switch`` makes a generation live in one step, and only if nothing that could be read before is missing.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

import msgspec

from actors.journal.port import Row
from actors.views.conditions import ALWAYS, Condition, Stored

if TYPE_CHECKING:
    from actors.views.folding import Folding

Kind = Literal["text", "integer", "real", "boolean", "moment", "date"]


class Column(msgspec.Struct, frozen=True):
    """A field that is indexed, beside the document itself; see ``conditions.Stored``."""

    name: str
    kind: Kind
    optional: bool = False


class Shape(msgspec.Struct, frozen=True):
    """What a store needs to know of a view. Stored with every generation: rename with care."""

    view: str
    fingerprint: str
    """16 hexadecimal digits that change with the fold and with everything else here."""
    columns: tuple[Column, ...] = ()
    indexes: tuple[tuple[str, ...], ...] = ()
    """Columns that are found and sorted by together."""
    search: tuple[str, ...] = ()
    """Fields that are searched by words."""


class Generation(msgspec.Struct, frozen=True):
    """One build of a view."""

    number: int
    """Unique in the context; later ones are higher."""
    shape: Shape
    live: bool
    """It answers; else it is being built."""
    paused: bool
    """An operator has halted the view: nothing is folded into any of its generations."""

    @property
    def view(self) -> str:
        return self.shape.view


class Place(NamedTuple):
    """How far a generation has folded a shard."""

    seq: int
    complete: bool = False
    """It has once been at the end of the shard."""


class Change(NamedTuple):
    """What is to be kept under a key from now on."""

    key: str
    document: bytes | None
    """None: a tombstone."""
    columns: tuple[Stored, ...]
    """In the order of ``Shape.columns``; a tombstone's are those of the last document."""
    texts: tuple[str, ...]
    """In the order of ``Shape.search``; a tombstone's are empty."""


class Failure(msgspec.Struct, frozen=True):
    """An event that could not be folded."""

    seq: int
    event: str
    """Its stored type."""
    entity: str
    """``<aggregate>/<id>``."""
    version: int
    error: str
    """One line."""


class Work(NamedTuple):
    """Rows of one shard, in sequence, to be folded into one generation."""

    generation: int
    shard: int
    after: int
    """The sequence before the first row's."""
    rows: Sequence[Row]
    folding: "Folding"
    complete: bool = False
    """The rows reach to the end of the shard, as its owner knows it."""


class Done(msgspec.Struct, frozen=True):
    """What became of a work. The position is stored up to ``seq`` and no further."""

    seq: int
    failure: Failure | None = None
    """What comes after ``seq`` could not be folded."""
    moved: bool = False
    """The stored position was not ``after``; nothing was folded."""
    gone: bool = False
    """There is no such generation any more; nothing was folded."""


class Wanted(msgspec.Struct, frozen=True):
    """A page of a view's documents."""

    view: str
    keys: tuple[str, ...] | None = None
    """Only documents of these keys."""
    where: Condition = ALWAYS
    search: str = ""
    """Text whose every word must be within the text of one of ``fields``: words are what white space
    separates; they and the texts are compared as ``words.folded`` makes them, without case and width."""
    fields: tuple[str, ...] = ()
    """Of ``Shape.search``."""
    sort: str | None = None
    """A column; None: by key. Missing values come first in ascending order; equal ones are in the same
    direction by key. Text is compared by code points."""
    descending: bool = False
    after: tuple[Stored, str] | None = None
    """The sort value (None without ``sort``) and the key of the last document of the page before."""
    limit: int = 100
    total: bool = False
    """Count all that would be found without ``after`` and ``limit``."""
    tombstones: bool = False
    """Show them too."""


class Found(NamedTuple):
    """A document, or a tombstone."""

    key: str
    document: bytes | None
    value: Stored
    """Of the column that was sorted by; None without one."""


class Page(msgspec.Struct, frozen=True):
    """What was found, in order."""

    found: list[Found]
    more: bool = False
    total: int | None = None


class Standing(msgspec.Struct, frozen=True):
    """What answered: a view's live generation, and how far it has folded each shard of which it has folded
    anything."""

    generation: int
    positions: Mapping[int, int]


class Reading(msgspec.Struct, frozen=True):
    """Pages as they were wanted, and by view what answered."""

    pages: list[Page]
    standings: Mapping[str, Standing]


class ViewsError(Exception):
    """A store failed."""


class ViewsUnavailable(ViewsError):
    """The store cannot be reached, is locked, full or read-only: nothing was done."""


class ViewsDamaged(ViewsError):
    """What is stored makes no sense, or is of a later version."""


class NoSuchView(ViewsError):
    """No generation of the view answers, or its shape lacks what was asked for."""


class ViewStore(Protocol):
    """One context's documents. All methods are called from one asyncio loop, and may raise
    ``ViewsUnavailable``. Several workers may use the same store."""

    @property
    def dead(self) -> str:
        """Why the store serves no more; empty while it does. Its owner watches it."""

    async def prepare(self, shapes: Sequence[Shape]) -> None:
        """See that each shape has a generation: a view's first is live at once; another is built beside the
        live one, instead of any other that was being built."""

    async def rebuild(self, shape: Shape) -> Generation:
        """Begin another generation of this shape, instead of any other that was being built."""

    async def generations(self) -> list[Generation]:
        """All there are, by number."""

    async def places(self) -> dict[int, dict[int, Place]]:
        """By generation and shard; what is not there is ``Place(0)``."""

    async def project(self, works: Sequence[Work]) -> list[Done]:
        """Fold all of it, in one transaction; what each came to. Folding runs off the loop. Several works
        may touch the same document: they do so one after the other, in their order."""

    async def switch(self, number: int, shards: int) -> bool:
        """Make a generation live and drop the view's others, if it is complete in every shard and nowhere
        behind the live one; whether it is live now."""

    async def pause(self, view: str, paused: bool) -> None:
        """Halt a view, or let it go on. Raises NoSuchView."""

    async def skip(self, number: int, shard: int, seq: int) -> bool:
        """Pass over an event; False unless it is the next of this generation and shard."""

    async def read(self, wanted: Sequence[Wanted]) -> Reading:
        """Pages of live generations, all from one moment. Raises NoSuchView, also when a view's shape lacks
        what is asked for."""

    async def standings(self, views: Sequence[str]) -> dict[str, Standing]:
        """What would answer now; views of which nothing answers are left out."""

    async def close(self) -> None:
        """Finish what is in flight and let go of files, threads and connections."""
