"""Views: documents folded from events, to be found and read; and questions answered from them."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Generic, Literal, TypeVar

import msgspec

from contexts.vocabulary.values import Moment, Principal, Value

D = TypeVar("D", bound=Value)

Key = str | tuple[str, ...]
"""Names a document: the parameters of the path it is read at, in their order."""


class Origin(Value, frozen=True):
    """Where an event comes from: the entity it happened to, its version there, when, and by whom."""

    aggregate: str
    id: str
    version: int
    at: Moment
    by: str
    key: tuple[str, ...] = ()
    """The parts of the document's key, where ``fold`` is asked; empty where ``key`` is."""


class View(Generic[D]):
    """Documents that are folded from a context's events.

    ``key(event)`` names the documents that an event touches: one key, a list of several, or None. For each
    of them ``fold(document, event)`` returns the next document, or None when there is none any more; the
    first time it is given ``initial``, which may be None. Both may take a last parameter annotated
    ``Origin``. Both are pure, and do not change the document they are given. The annotation of fold's event
    says which events count; others are passed over. A document that events of several entities touch is told
    them in the order of each entity, but in no order between entities, so its fold must not depend on one.

    ``indexes`` names fields by which documents are found and sorted: text, numbers, booleans, dates and
    moments, also optional ones. A tuple of names is one index over several, for those who filter by the
    first and sort by the last. ``search`` names text fields that are searched by words.

    ``visible(principal, document)`` says who may see a document; to all others it does not exist.
    ``masked`` says per field from whom it is kept, by a rule of the same form. Rules become part of the
    queries: they compare indexed fields with ``== != < <= > >=`` and ``in``, joined by any Python.

    A change of the view's module folds it anew, beside the one that answers; raise ``version`` when what the
    fold relies on has changed elsewhere.
    """

    __slots__ = ("fold", "indexes", "initial", "key", "masked", "name", "search", "version", "visible")

    def __init__(
        self,
        name: str,
        initial: D | None,
        key: Callable[..., Key | list[Key] | list[str] | list[tuple[str, ...]] | None],
        fold: Callable[..., D | None],
        *,
        indexes: Sequence[str | tuple[str, ...]] = (),
        search: Sequence[str] = (),
        visible: Callable[[Principal, D], bool] | None = None,
        masked: Mapping[str, Callable[[Principal, D], bool]] | None = None,
        version: int = 1,
    ) -> None:
        self.name = name
        self.initial = initial
        self.key = key
        self.fold = fold
        self.indexes = tuple(indexes)
        self.search = tuple(search)
        self.visible = visible
        self.masked: Mapping[str, Callable[[Principal, D], bool]] = masked or {}
        self.version = version

    def __repr__(self) -> str:
        return f"View({self.name!r})"


Operator = Literal["==", "!=", "<", "<=", ">", ">="]
Scalar = str | int | float | bool | datetime | date | None


class Is(Value, frozen=True):
    """A condition on an indexed field: ``Is("start", "<", query.end)``."""

    field: str
    operator: Operator
    value: Scalar


class One(Generic[D]):
    """Reads the document of a key; the answer is given it, or None."""

    __slots__ = ("key", "view")

    def __init__(self, view: View[D], key: Key) -> None:
        self.view = view
        self.key = key


class Many(Generic[D]):
    """Reads all documents that meet every condition, as a list: sorted by the indexed field ``sort``
    (``"-start"``: descending), else by key. More than ``limit`` are refused as too many to answer from."""

    __slots__ = ("limit", "sort", "view", "where")

    def __init__(self, view: View[D], *where: Is, sort: str | None = None, limit: int = 10_000) -> None:
        self.view = view
        self.where = where
        self.sort = sort
        self.limit = limit


class Query(Value, frozen=True):
    """A question. Its fields come from the route's path and from the query string."""


class Inquiry:
    """How a question is answered from documents, all as they are at one moment.

    ``reads(query)`` returns a tuple of ``One`` and ``Many``; ``answer(query, *found)`` is given what they
    found and returns a value, a list of values, a ``Calendar``, or a rejection. A last parameter annotated
    ``Principal`` tells who asks. Both are pure. Rules of visibility do not apply to what is read: the answer
    gives away only what whoever asks may know."""

    __slots__ = ("answer", "reads")

    def __init__(
        self, reads: Callable[[Any], tuple[One[Any] | Many[Any], ...]], answer: Callable[..., Any]
    ) -> None:
        self.reads = reads
        self.answer = answer


class CalendarEntry(Value, frozen=True):
    """What a calendar shows. ``uid`` tells it from all others, for ever."""

    uid: str
    start: Moment
    end: Moment
    summary: str
    changed: Moment
    """When it last became as it is."""
    tentative: bool = False
    description: str = ""


class Calendar(Value, frozen=True):
    """An answer that goes out as iCalendar (RFC 5545), its times on the wall clock of ``time_zone``."""

    name: str
    time_zone: str
    entries: list[CalendarEntry] = msgspec.field(default_factory=list)
