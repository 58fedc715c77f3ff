"""A small context whose view shows what a fold may do: several keys, deletion, failure."""

from typing import Any

from actors.journal.codec import EventCodec, encode_event
from actors.journal.port import Row
from actors.manifest import ContextManifest, read
from actors.views.folding import Folding
from contexts.vocabulary import (
    Aggregate,
    Command,
    Context,
    Event,
    Find,
    Get,
    Moment,
    Origin,
    Post,
    State,
    Value,
    View,
)


class Write(Command, frozen=True):
    """Leave a line."""

    line: str


class Written(Event, frozen=True):
    line: str


class Shared(Event, frozen=True):
    """Counts under several names."""

    names: list[str]


class Torn(Event, frozen=True):
    """The page is gone."""


class Ignored(Event, frozen=True):
    """Nothing that the view looks at."""


class Broken(Event, frozen=True):
    """What the fold cannot take until it is mended."""

    where: str


class Book(State):
    lines: int = 0


def decide(book: Book, command: Write) -> list[Written | Shared | Torn | Ignored | Broken]:
    word, _, rest = command.line.partition(" ")
    match word:
        case "tear":
            return [Torn()]
        case "share":
            return [Shared(rest.split())]
        case "ignore":
            return [Ignored()]
        case "break":
            return [Broken(rest)]
        case _:
            return [Written(command.line)]


def evolve(book: Book, event: Written | Shared | Torn | Ignored | Broken) -> Book:
    book.lines += 1
    return book


class Page(Value, frozen=True):
    name: str = ""
    lines: list[str] = []  # noqa: RUF012 msgspec gives each its own
    last: Moment | None = None


class Faults:
    """What the fold cannot take at present."""

    broken = True


def key(event: Written | Shared | Torn | Broken, origin: Origin) -> str | list[str] | None:
    match event:
        case Shared(names):
            return names
        case Broken("key") if Faults.broken:
            raise RuntimeError("a fault in key")
        case _:
            return origin.id


def fold(page: Page, event: Written | Shared | Torn | Broken, origin: Origin) -> Page | None:
    [name] = origin.key
    match event:
        case Written(line):
            return Page(name, [*page.lines, line], origin.at)
        case Shared():
            return Page(name, [*page.lines, f"from {origin.id}"], origin.at)
        case Torn():
            return None
        case Broken(where):
            if Faults.broken:
                page.lines.append("changed in place")
                raise RuntimeError(f"a fault in {where}")
            return Page(name, [*page.lines, "mended"], origin.at)


book = Aggregate("book", Book(), decide, evolve)
pages = View("pages", Page(), key, fold, indexes=("name", ("last", "name")), search=("name",))


def counted(event: Written | Shared | Torn | Broken) -> str:
    return "all"


class Sum(Value, frozen=True):
    events: int = 0


def count(document: Sum, event: Written | Shared | Torn | Broken) -> Sum:
    return Sum(document.events + 1)


sums = View("sums", Sum(), counted, count)

context = Context(
    "guestbook",
    aggregates=[book],
    views=[pages, sums],
    routes=[
        Post("/books/{book}", Write),
        Get("/books/{book}", book),
        Get("/pages/{name}", pages),
        Get("/sums/{sum}", sums),
        Find("/pages", pages),
    ],
)


def manifest() -> ContextManifest:
    return read(context)


def folding(name: str = "pages") -> Folding:
    read_context = manifest()
    aggregate = read_context.aggregates["book"]
    return Folding(read_context.views[name], {"book": EventCodec(aggregate.events)})


def rows_of(*events: tuple[str, Event], shard: int = 0, after: int = 0) -> list[Row]:
    """Rows of one shard, of (entity's id, event): numbered from ``after`` on, versions from 1."""
    versions: dict[str, int] = {}
    rows: list[Row] = []
    for number, (id, event) in enumerate(events, after + 1):
        versions[id] = versions.get(id, 0) + 1
        rows.append(row(shard, number, id, versions[id], event))
    return rows


def row(shard: int, seq: int, id: str, version: int, event: Event, **other: Any) -> Row:
    """A row as an entity would have written it; its instant is ``seq`` seconds after 1970."""
    name = EventCodec.name(type(event))
    return Row(
        shard, seq, "book", id, version, name, bytes(16), None, seq * 1_000_000, "", None, encode_event(event)
    )._replace(**other)
