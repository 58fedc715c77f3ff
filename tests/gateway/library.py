"""A context with views that show every answer the gateway has: filters of all kinds, rules, questions."""

from datetime import date
from typing import Annotated

from contexts.vocabulary import (
    Aggregate,
    Calendar,
    CalendarEntry,
    Command,
    Context,
    Event,
    Find,
    Forbidden,
    Get,
    Inquiry,
    Invalid,
    Is,
    Many,
    Meta,
    Moment,
    NotFound,
    One,
    Origin,
    Post,
    Principal,
    Query,
    State,
    Text,
    Value,
    View,
    ZoneName,
)


class Put(Command):
    """Put a book on the shelf, or its card in order."""

    title: Text
    author: Text
    pages: int = 100
    weight: float = 0.5
    lent: bool = False
    due: Moment | None = None
    added: date = date(2027, 1, 1)
    reader: Text | None = None
    note: str = ""


class Discard(Command):
    """Give a book away."""


class Shelved(Event):
    title: str
    author: str
    pages: int
    weight: float
    lent: bool
    due: Moment | None
    added: date
    reader: str | None
    note: str


class Discarded(Event):
    pass


class Copy(State):
    there: bool = False


def decide(copy: Copy, command: Put | Discard) -> list[Shelved | Discarded]:
    if isinstance(command, Discard):
        return [Discarded()] if copy.there else []
    c = command
    return [Shelved(c.title, c.author, c.pages, c.weight, c.lent, c.due, c.added, c.reader, c.note)]


def evolve(copy: Copy, event: Shelved | Discarded) -> Copy:
    copy.there = isinstance(event, Shelved)
    return copy


class Card(Value):
    """What the catalogue says of a book."""

    book: str = ""
    title: str = ""
    author: str = ""
    pages: int = 0
    weight: float = 0.0
    lent: bool = False
    due: Moment | None = None
    added: date = date(2027, 1, 1)
    reader: str | None = None
    note: str = ""
    versions: int = 0


def by_book(event: Shelved | Discarded, origin: Origin) -> str:
    return origin.id


def by_author(event: Shelved, origin: Origin) -> tuple[str, str]:
    return event.author, origin.id


def fold(card: Card, event: Shelved | Discarded, origin: Origin) -> Card | None:
    if isinstance(event, Discarded):
        return None
    e = event
    return Card(
        *(origin.id, e.title, e.author, e.pages, e.weight, e.lent, e.due, e.added, e.reader, e.note),
        versions=card.versions + 1,
    )


def shelve(card: Card, event: Shelved, origin: Origin) -> Card:
    folded = fold(card, event, origin)
    assert folded is not None
    return folded


INDEXES = (
    "book",
    "title",
    "author",
    "pages",
    "weight",
    "lent",
    "due",
    "added",
    "reader",
    ("author", "pages"),
)


def mine(principal: Principal, card: Card) -> bool:
    """Readers see what they have, and what nobody has; the staff sees everything."""
    return "staff" in principal.roles or card.reader is None or card.reader == principal.subject


def not_for_guests(principal: Principal, card: Card) -> bool:
    return "staff" not in principal.roles and card.reader != principal.subject


book = Aggregate("book", Copy(), decide, evolve)
cards = View("cards", Card(), by_book, fold, indexes=INDEXES, search=("title", "note"))
shelves = View("shelves", Card(), by_author, shelve)
loans = View(
    "loans",
    Card(),
    by_book,
    fold,
    indexes=INDEXES,
    search=("title", "note"),
    visible=mine,
    masked={"note": not_for_guests, "pages": not_for_guests, "title": not_for_guests},
)


class Between(Query):
    """How many books an author has on the shelf."""

    author: str
    least: Annotated[int, Meta(ge=0, le=10_000)] = 0
    since: Moment | None = None
    strict: bool = False


class Counted(Value):
    author: str
    books: int
    pages: int
    asked_by: str
    first: Card | None


class NoSuchAuthor(NotFound):
    """There is no book of this author."""

    author: str


class TooCurious(Forbidden):
    """This is nobody's business."""


class Backwards(Invalid):
    """The end comes before the beginning."""


def reads_counted(query: Between) -> tuple[Many[Card], One[Card]]:
    conditions = [Is("author", "==", query.author), Is("pages", ">=", query.least)]
    if query.since is not None:
        conditions.append(Is("due", ">=", query.since))
    return Many(cards, *conditions, sort="-pages", limit=150), One(cards, f"{query.author}-1")


def count(
    query: Between, found: list[Card], first: Card | None, principal: Principal
) -> Counted | NoSuchAuthor | TooCurious | Backwards:
    if query.author == "broken":
        raise RuntimeError("a bug in answer")
    if query.author == "secret":
        return TooCurious()
    if query.strict and not found:
        return NoSuchAuthor(query.author)
    pages = sum(card.pages for card in found)
    return Counted(query.author, len(found), pages, principal.subject, first)


class Wrong(Query):
    """What cannot be answered."""

    how: str


def reads_wrong(query: Wrong) -> tuple[Many[Card]]:
    if query.how == "raises":
        raise RuntimeError("a bug in reads")
    return (Many(cards, Is("note" if query.how == "field" else "pages", "==", "x")),)


def answer_wrong(query: Wrong, found: list[Card]) -> list[str]:
    return [card.title for card in found]


class Due(Query):
    """When the books of an author are due."""

    author: str
    zone: ZoneName = "Europe/Berlin"


def reads_due(query: Due) -> tuple[Many[Card]]:
    return (Many(cards, Is("author", "==", query.author), Is("due", "!=", None), sort="due"),)


def answer_due(query: Due, found: list[Card]) -> Calendar:
    entries = [
        CalendarEntry(
            f"{c.book}@library", c.due, c.due, c.title, c.due, tentative=not c.lent, description=c.note
        )
        for c in found
        if c.due is not None
    ]
    return Calendar(f"Due of {query.author}", query.zone, entries)


context = Context(
    "library",
    summary="Books and who has them.",
    aggregates=[book],
    views=[cards, shelves, loans],
    routes=[
        Post("/books/{book}", Put, creates="/books/{book}"),
        Post("/books/{book}/discard", Discard),
        Get("/books/{book}", book),
        Get("/cards/{book}", cards),
        Find("/cards", cards),
        Find("/authors/{author}/cards", cards, sort="-pages"),
        Get("/shelves/{author}/{book}", shelves),
        Find("/shelves", shelves),
        Get("/loans/{book}", loans),
        Find("/loans", loans, sort="title"),
        Get("/authors/{author}/count", Inquiry(reads_counted, count)),
        Get("/wrong/{how}", Inquiry(reads_wrong, answer_wrong)),
        Get("/authors/{author}/due.ics", Inquiry(reads_due, answer_due)),
    ],
)
