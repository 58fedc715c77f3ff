"""A context whose commands misbehave in every way that a server must bear.

A prop is put somewhere. ``Drop`` raises while it is decided, ``Jam`` while its event is evolved, ``Compute``
keeps the processor for a while and ``Doze`` only the thread.
"""

import time
from typing import Annotated

from contexts.vocabulary import Aggregate, Command, Context, Event, Get, Meta, Post, State, Text

Milliseconds = Annotated[int, Meta(ge=1, le=5000)]


class Place(Command):
    """Put the prop somewhere."""

    where: Text


class Drop(Command):
    """Raises when it is decided."""


class Jam(Command):
    """Raises when its event is evolved."""


class Compute(Command):
    """Takes the processor, and the interpreter lock with it."""

    milliseconds: Milliseconds


class Doze(Command):
    """Takes the thread and no more: the loop waits as long, other programs do not."""

    milliseconds: Milliseconds


class Placed(Event):
    where: str


class Jammed(Event):
    pass


class Rested(Event):
    milliseconds: int


class Prop(State):
    where: str = ""
    rests: int = 0


class Broken(Exception):
    """A bug in the context, as its author did not foresee it."""


def decide(prop: Prop, command: Place | Drop | Jam | Compute | Doze) -> list[Placed | Jammed | Rested]:
    match command:
        case Place(where):
            return [Placed(where)]
        case Drop():
            raise Broken("dropped")
        case Jam():
            return [Jammed()]
        case Compute(milliseconds):
            until = time.perf_counter() + milliseconds / 1000
            while time.perf_counter() < until:
                pass
            return [Rested(milliseconds)]
        case Doze(milliseconds):
            time.sleep(milliseconds / 1000)
            return [Rested(milliseconds)]


def evolve(prop: Prop, event: Placed | Jammed | Rested) -> Prop:
    match event:
        case Placed(where):
            return Prop(where, prop.rests)
        case Jammed():
            raise Broken("jammed")
        case Rested():
            return Prop(prop.where, prop.rests + 1)


aggregate = Aggregate("prop", Prop(), decide, evolve)

context = Context(
    "stagehand",
    summary="Props that misbehave.",
    aggregates=[aggregate],
    routes=[
        Post("/props/{prop}", Place),
        Post("/props/{prop}/drop", Drop),
        Post("/props/{prop}/jam", Jam),
        Post("/props/{prop}/compute", Compute),
        Post("/props/{prop}/doze", Doze),
        Get("/props/{prop}", aggregate),
    ],
)
