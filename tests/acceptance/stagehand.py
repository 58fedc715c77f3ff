"""A context whose commands misbehave in every way that a server must bear.

A prop is put somewhere. ``Drop`` raises while it is decided and ``Jam`` while its second event is evolved,
with the state half changed; ``Quit`` and ``Faint`` do the same with what is no ``Exception``; ``Compute``
keeps the processor for a while and ``Doze`` only the thread.
"""

import sys
import time
from asyncio import CancelledError
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


class Quit(Command):
    """Wants to end the program when it is decided."""


class Faint(Command):
    """Raises what asyncio takes for a cancelled task when its second event is evolved."""


class Compute(Command):
    """Takes the processor, and the interpreter lock with it."""

    milliseconds: Milliseconds


class Doze(Command):
    """Takes the thread and no more: the loop waits as long, other programs do not."""

    milliseconds: Milliseconds


Commands = Place | Drop | Jam | Quit | Faint | Compute | Doze


class Placed(Event):
    where: str


class Jammed(Event):
    pass


class Fainted(Event):
    pass


class Rested(Event):
    milliseconds: int


class Prop(State):
    where: str = ""
    rests: int = 0


class Broken(Exception):
    """A bug in the context, as its author did not foresee it."""


def decide(prop: Prop, command: Commands) -> list[Placed | Jammed | Fainted | Rested]:
    match command:
        case Place(where):
            return [Placed(where)]
        case Drop():
            raise Broken("dropped")
        case Jam():
            return [Placed("jammed"), Jammed()]
        case Quit():
            sys.exit("the play is over")
        case Faint():
            return [Placed("floor"), Fainted()]
        case Compute(milliseconds):
            until = time.perf_counter() + milliseconds / 1000
            while time.perf_counter() < until:
                pass
            return [Rested(milliseconds)]
        case Doze(milliseconds):
            time.sleep(milliseconds / 1000)
            return [Rested(milliseconds)]


def evolve(prop: Prop, event: Placed | Jammed | Fainted | Rested) -> Prop:
    match event:
        case Placed(where):
            prop.where = where
        case Jammed():
            raise Broken("jammed")
        case Fainted():
            raise CancelledError
        case Rested():
            prop.rests += 1
    return prop


aggregate = Aggregate("prop", Prop(), decide, evolve)

context = Context(
    "stagehand",
    summary="Props that misbehave.",
    aggregates=[aggregate],
    routes=[
        Post("/props/{prop}", Place),
        Post("/props/{prop}/drop", Drop),
        Post("/props/{prop}/jam", Jam),
        Post("/props/{prop}/quit", Quit),
        Post("/props/{prop}/faint", Faint),
        Post("/props/{prop}/compute", Compute),
        Post("/props/{prop}/doze", Doze),
        Get("/props/{prop}", aggregate),
    ],
)
