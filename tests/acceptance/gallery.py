"""A context with two views, of which one cannot fold everything.

The catalogue fails at a ``Smeared`` while a file called ``smears`` lies in the server's folder: an author's
code must not look at files, and so it stands for code that can be mended from outside."""

from pathlib import Path

from contexts.vocabulary import (
    Aggregate,
    Command,
    Context,
    Event,
    Find,
    Get,
    Origin,
    Post,
    State,
    Text,
    Value,
    View,
)

SMEARS = Path("smears")


class Hang(Command):
    """Put the picture on a wall."""

    wall: Text


class Smear(Command):
    """Do what the catalogue cannot bear."""


class Hung(Event):
    wall: str


class Smeared(Event):
    pass


class Picture(State):
    wall: str = ""


def decide(picture: Picture, command: Hang | Smear) -> list[Hung | Smeared]:
    match command:
        case Hang(wall):
            return [Hung(wall)]
        case Smear():
            return [Smeared()]


def evolve(picture: Picture, event: Hung | Smeared) -> Picture:
    if isinstance(event, Hung):
        picture.wall = event.wall
    return picture


class Entry(Value):
    """What the catalogue says of a picture."""

    picture: str = ""
    wall: str = ""
    smears: int = 0


def entered(event: Hung | Smeared, origin: Origin) -> str:
    return origin.id


def enter(entry: Entry, event: Hung | Smeared, origin: Origin) -> Entry:
    match event:
        case Hung(wall):
            return Entry(origin.id, wall, entry.smears)
        case Smeared():
            if SMEARS.exists():
                raise ValueError("a smear has no place in the catalogue")
            return Entry(origin.id, entry.wall, entry.smears + 1)


class Wall(Value):
    """How often something was hung there."""

    hangings: int = 0


def hung_on(event: Hung) -> str:
    return event.wall


def hang(wall: Wall, event: Hung) -> Wall:
    return Wall(wall.hangings + 1)


picture = Aggregate("picture", Picture(), decide, evolve)
catalogue = View("catalogue", Entry(), entered, enter, indexes=("wall",))
walls = View("walls", Wall(), hung_on, hang)

context = Context(
    "gallery",
    summary="Pictures that may be smeared.",
    aggregates=[picture],
    views=[catalogue, walls],
    routes=[
        Post("/pictures/{picture}", Hang),
        Post("/pictures/{picture}/smear", Smear),
        Get("/pictures/{picture}", picture),
        Get("/catalogue/{picture}", catalogue),
        Find("/catalogue", catalogue),
        Get("/walls/{wall}", walls),
    ],
)
