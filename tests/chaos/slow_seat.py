"""A context whose decisions take their time: a seat goes to one person, who thinks it over first."""

import time
from typing import Annotated

from contexts.vocabulary import Aggregate, Command, Context, Event, Get, Meta, Post, Rejection, State, Text


class Take(Command):
    """Sit down, after so long; the worker can do nothing else meanwhile."""

    who: Text
    milliseconds: Annotated[int, Meta(ge=0, le=10_000)] = 0


class Taken(Event):
    who: str


class Occupied(Rejection):
    """Somebody sits there."""


class Seat(State):
    who: str = ""


def decide(seat: Seat, command: Take) -> list[Taken] | Occupied:
    if seat.who:
        return Occupied()
    time.sleep(command.milliseconds / 1000)
    return [Taken(command.who)]


def evolve(seat: Seat, event: Taken) -> Seat:
    seat.who = event.who
    return seat


aggregate = Aggregate("seat", Seat(), decide, evolve)

context = Context(
    "seats",
    summary="Seats that are taken slowly.",
    aggregates=[aggregate],
    routes=[Post("/seats/{seat}", Take), Get("/seats/{seat}", aggregate)],
)
