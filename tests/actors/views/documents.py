"""A context for the tests of stores: boxes, whose events keep cards in a view with columns of every kind."""

from collections.abc import Sequence
from datetime import UTC, date, datetime

import msgspec

from actors.journal.codec import EventCodec, encode_event
from actors.journal.port import Row
from actors.manifest import read
from actors.views.folding import Folding
from actors.views.port import Work
from contexts.vocabulary import (
    Aggregate,
    Command,
    Context,
    Event,
    Find,
    Get,
    Moment,
    Post,
    State,
    Value,
    View,
)


class Card(Value, frozen=True):
    """A document; ``folds`` counts the events that made it what it is."""

    name: str = ""
    size: int = 0
    weight: float = 0.0
    open: bool = False
    day: date = date(1970, 1, 1)
    at: Moment = datetime(1970, 1, 1, tzinfo=UTC)
    place: str | None = None
    rank: int | None = None
    rate: float | None = None
    checked: bool | None = None
    until: date | None = None
    due: Moment | None = None
    title: str = ""
    text: str = ""
    folds: int = 0


class Put(Event, frozen=True):
    """Each of these cards is from now on like ``card``."""

    keys: list[str]
    card: Card


class Count(Event, frozen=True):
    """Each of these cards counts one more; nothing else of it changes."""

    keys: list[str]


class Remove(Event, frozen=True):
    """None of these cards is there any more."""

    keys: list[str]


class Fail(Event, frozen=True):
    """Cannot be folded, but by a view that ``Mended``."""

    keys: list[str]


class Pass(Event, frozen=True):
    """Nothing that the view looks at."""


class Do(Command, frozen=True):
    """Never sent: the rows are made here."""


class Box(State):
    events: int = 0


def decide(box: Box, command: Do) -> list[Put | Count | Remove | Fail | Pass]:
    return []


def evolve(box: Box, event: Put | Count | Remove | Fail | Pass) -> Box:
    return box


def key(event: Put | Count | Remove | Fail) -> list[str]:
    return event.keys


def fold(card: Card, event: Put | Count | Remove | Fail) -> Card | None:
    match event:
        case Put(_, put):
            return msgspec.structs.replace(put, folds=card.folds + 1)
        case Count():
            return msgspec.structs.replace(card, folds=card.folds + 1)
        case Remove():
            return None
        case Fail():
            raise RuntimeError("this one never")


class Tally(Value, frozen=True):
    folds: int = 0


def counted(event: Count) -> list[str]:
    return event.keys


def tally(document: Tally, event: Count) -> Tally:
    return Tally(document.folds + 1)


box = Aggregate("box", Box(), decide, evolve)
INDEXES = (
    *("name", "size", "weight", "open", "day", "at", "place", "rank", "rate", "checked", "until", "due"),
    ("open", "size"),
    ("place", "rank"),
)
cards = View("cards", Card(), key, fold, indexes=INDEXES, search=("title", "text"))
later_cards = View("cards", Card(), key, fold, indexes=INDEXES, search=("title", "text"), version=2)
tallies = View("tallies", Tally(), counted, tally)


def _folding(view: View[Card] | View[Tally]) -> Folding:
    context = Context(
        "boxes",
        aggregates=[box],
        views=[view],
        routes=[
            Post("/boxes/{box}", Do),
            Get("/boxes/{box}", box),
            Get("/documents/{key}", view),
            Find("/documents", view),
        ],
    )
    manifest = read(context)
    return Folding(manifest.views[view.name], {"box": EventCodec(manifest.aggregates["box"].events)})


CARDS = _folding(cards)
LATER_CARDS = _folding(later_cards)
"""The same view of another fingerprint."""
TALLIES = _folding(tallies)


def rows(shard: int, *events: Event, after: int = 0) -> list[Row]:
    """Rows of one shard and one box, numbered from ``after`` on."""
    return [
        Row(
            shard,
            seq,
            "box",
            f"box{shard}",
            seq,
            EventCodec.name(type(event)),
            bytes(16),
            None,
            seq * 1_000_000,
            "",
            None,
            encode_event(event),
        )
        for seq, event in enumerate(events, after + 1)
    ]


def work(
    *events: Event,
    shard: int = 0,
    after: int = 0,
    generation: int = 1,
    of: Folding = CARDS,
    complete: bool = False,
) -> Work:
    """Events to be folded."""
    return Work(generation, shard, after, rows(shard, *events, after=after), of, complete)


def put(key: str, card: Card) -> Put:
    return Put([key], card)


def encoded(cards: Sequence[Card] | Card) -> bytes:
    """As documents are stored: JSON with the fields in their order."""
    return msgspec.json.encode(cards, order="deterministic")
