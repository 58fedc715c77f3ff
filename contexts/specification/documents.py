"""Which documents a view keeps after what has happened.

On the way ``key`` and ``fold`` are held to what a cluster relies on: they change nothing that they are given,
documents survive being stored, and where events of several entities meet, their order does not matter."""

import inspect
import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from math import factorial, prod
from typing import Any, Generic, TypeVar

import msgspec

from contexts.specification.decisions import NOW
from contexts.vocabulary import Aggregate, Event, Key, Origin, Value, View

D = TypeVar("D", bound=Value)

ORDERS = 120
"""Orders of events that are tried at most: all there are, or so many drawn by a fixed seed."""


class Happened(msgspec.Struct, frozen=True):
    """An event of an entity."""

    aggregate: str
    id: str
    event: Event
    at: datetime | None = None
    by: str = "anonymous"


def happened(
    aggregate: Aggregate[Any], id: str, event: Event, *, at: datetime | None = None, by: str = "anonymous"
) -> Happened:
    """It happened to the entity ``id``, at ``at``: by default a second after what is told before, the first
    at ``NOW``."""
    return Happened(aggregate.name, id, event, at, by)


def folded(view: View[D], *past: Happened) -> "Folded[D]":
    """The documents of a view to whose context this happened, in this order."""
    events = _numbered(past)
    documents = _fold(view, events)
    for order in _orders(events):
        other = _fold(view, order)
        if other != documents:
            raise AssertionError(
                f"the order of events of several entities matters to {view!r}:\n{_story(events, documents)}\n"
                f"but\n{_story(order, other)}"
            )
    return Folded(view, events, documents)


class Folded(Generic[D]):
    """A view's documents, by the parts of their keys."""

    def __init__(
        self, view: View[D], events: Sequence[tuple[Event, Origin]], documents: dict[tuple[str, ...], D]
    ) -> None:
        self.view = view
        self.documents = documents
        self._events = events

    def then(self, expected: Mapping[Key, D]) -> None:
        """Exactly these documents are there."""
        wanted = {(key,) if isinstance(key, str) else key: one for key, one in expected.items()}
        if wanted != self.documents:
            told = "\n".join(f"    {key}: {one!r}" for key, one in wanted.items()) or "    nothing"
            raise AssertionError(f"{_story(self._events, self.documents)}\nexpected\n{told}")


def _numbered(past: Sequence[Happened]) -> list[tuple[Event, Origin]]:
    versions: dict[tuple[str, str], int] = {}
    events: list[tuple[Event, Origin]] = []
    at = NOW - timedelta(seconds=1)
    for one in past:
        entity = (one.aggregate, one.id)
        versions[entity] = versions.get(entity, 0) + 1
        at = one.at if one.at is not None else at + timedelta(seconds=1)
        events.append((one.event, Origin(one.aggregate, one.id, versions[entity], at, one.by)))
    return events


def _fold(view: View[D], events: Sequence[tuple[Event, Origin]]) -> dict[tuple[str, ...], D]:
    documents: dict[tuple[str, ...], D] = {}
    for event, origin in events:
        if not isinstance(event, _counting(view)):
            continue
        for key in _keys(view, event, origin):
            before = documents.get(key, view.initial)
            image = msgspec.json.encode(before)
            after = _call(view.fold, before, event, msgspec.structs.replace(origin, key=key))
            if msgspec.json.encode(before) != image:
                raise AssertionError(f"folding {event!r} into {view!r} changed the document it was given")
            if after is None:
                documents.pop(key, None)
                continue
            if msgspec.json.decode(msgspec.json.encode(after), type=type(after)) != after:
                raise AssertionError(f"{after!r} does not survive being stored")
            documents[key] = after
    return documents


def _counting(view: View[Any]) -> Any:
    """The events that the view does not pass over."""
    return inspect.get_annotations(view.fold, eval_str=True)[list(inspect.signature(view.fold).parameters)[1]]


def _keys(view: View[Any], event: Event, origin: Origin) -> Iterator[tuple[str, ...]]:
    named = _call(view.key, event, origin)
    several = named if isinstance(named, list) else [] if named is None else [named]
    for key in dict.fromkeys(several):
        parts = (key,) if isinstance(key, str) else key
        if not (isinstance(parts, tuple) and parts and all(isinstance(p, str) and p for p in parts)):
            raise AssertionError(f"{view!r} names {event!r} by {key!r}: a key is text or a tuple of texts")
        yield parts


def _call(function: Any, *arguments: Any) -> Any:
    """With as many of them as it takes."""
    taken = [p for p in inspect.signature(function).parameters.values() if p.default is p.empty]
    return function(*arguments[: len(taken)])


def _orders(events: Sequence[tuple[Event, Origin]]) -> Iterator[list[tuple[Event, Origin]]]:
    """Other orders of the same events, each entity's in its own."""
    entities: dict[tuple[str, str], list[tuple[Event, Origin]]] = {}
    for event, origin in events:
        entities.setdefault((origin.aggregate, origin.id), []).append((event, origin))
    if len(entities) < 2:
        return
    there_are = factorial(len(events)) // prod(factorial(len(of_one)) for of_one in entities.values())
    names = [entity for entity, of_one in entities.items() for _ in of_one]
    drawn = random.Random(20_270_115)
    for _ in range(min(ORDERS, 4 * there_are)):
        drawn.shuffle(names)
        left = {entity: iter(of_one) for entity, of_one in entities.items()}
        yield [next(left[entity]) for entity in names]


def _story(events: Sequence[tuple[Event, Origin]], documents: Mapping[tuple[str, ...], Value]) -> str:
    happened = "\n".join(f"    {origin.id}: {event!r}" for event, origin in events) or "    nothing"
    found = "\n".join(f"    {key}: {one!r}" for key, one in documents.items()) or "    nothing"
    return f"\nhappened\n{happened}\nfolded\n{found}"
