"""A context that shows every answer the gateway has: all kinds of rejections, nested bodies, bugs."""

from typing import Annotated

from contexts.vocabulary import (
    Aggregate,
    Call,
    Command,
    Context,
    Delete,
    Event,
    Forbidden,
    Get,
    Invalid,
    Meta,
    Moment,
    NotFound,
    Patch,
    Post,
    Put,
    Rejection,
    State,
    Value,
)


class Place(Value):
    room: str
    floor: int = 0


class Start(Command):
    """Begin a board of notes."""

    title: Annotated[str, Meta(min_length=1, max_length=20)]
    at: Moment | None = None


class Write(Command):
    """Put a note on the board."""

    note: str
    text: str
    weight: int = 1
    places: list[Place] = []  # noqa: RUF012


class Rename(Command):
    title: str


class Move(Command):
    note: str
    place: int


class Remove(Command):
    """Take a note off the board."""

    note: str


class Clear(Command):
    """Take every note off."""


class Break(Command):
    """Runs into a bug."""


class Keep(Command):
    """What nobody may do."""


class Started(Event):
    title: str


class Written(Event):
    note: str
    text: str
    weight: int
    places: list[Place]
    by: str


class Renamed(Event):
    title: str


class Removed(Event):
    note: str


class NotStarted(NotFound):
    """There is no such board."""


class AlreadyThere(Rejection):
    """The board, or a note of that name, is already there.

    Nothing was changed."""

    status: str
    count: int


class NotYours(Forbidden):
    """This is not for you to do."""


class TooHeavy(Invalid):
    """A note cannot weigh more than the board holds."""

    limit: int


class Board(State):
    title: str = ""
    notes: dict[str, Written] = {}  # noqa: RUF012


Commands = Start | Write | Rename | Move | Remove | Clear | Break | Keep
Events = Started | Written | Renamed | Removed


def decide(
    board: Board, command: Commands, call: Call
) -> list[Events] | NotStarted | AlreadyThere | NotYours | TooHeavy:
    if isinstance(command, Start):
        return AlreadyThere("there", len(board.notes)) if board.title else [Started(command.title)]
    if not board.title:
        return NotStarted()
    match command:
        case Write(note, text, weight, places):
            if weight > 100:
                return TooHeavy(100)
            if note in board.notes:
                return AlreadyThere("there", len(board.notes))
            return [Written(note, text, weight, places, call.by.subject)]
        case Rename(title):
            return [] if title == board.title else [Renamed(title)]
        case Move():
            return []
        case Remove(note):
            return [Removed(note)] if note in board.notes else NotStarted()
        case Clear():
            return [Removed(note) for note in board.notes]
        case Break():
            raise RuntimeError("a bug in decide")
        case Keep():
            return NotYours()


def evolve(board: Board, event: Events) -> Board:
    match event:
        case Started(title) | Renamed(title):
            board.title = title
        case Written(note):
            board.notes[note] = event
        case Removed(note):
            del board.notes[note]
    return board


def find(board: Board, note: str) -> Written | None:
    """One note."""
    return board.notes.get(note)


board = Aggregate("board", Board(), decide, evolve)
context = Context(
    "notes",
    summary="Boards of notes.",
    aggregates=[board],
    routes=[
        Post("/boards/{board}", Start, creates="/boards/{board}"),
        Post("/boards/{board}/notes", Write, creates="/boards/{board}/notes/{note}"),
        Put("/boards/{board}/title", Rename),
        Patch("/boards/{board}/notes/{note}/{place}", Move),
        Delete("/boards/{board}/notes/{note}", Remove),
        Delete("/boards/{board}/notes", Clear),
        Post("/boards/{board}/break", Break),
        Post("/boards/{board}/keep", Keep),
        Get("/boards/{board}", board),
        Get("/boards/{board}/notes/{note}", board, part=find),
    ],
)
