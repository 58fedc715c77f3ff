"""A context whose commands, rejections and routes use everything that travels."""

from datetime import datetime
from typing import Any

from actors.manifest import ContextManifest, read
from actors.messages import Answer, Ask
from contexts.vocabulary import (
    Aggregate,
    Command,
    Context,
    Event,
    Get,
    Moment,
    Post,
    Rejection,
    State,
    Value,
)


class Slot(Value, frozen=True):
    start: Moment
    end: Moment


class Reserve(Command, frozen=True):
    guest: str
    slots: tuple[Slot, ...] = ()
    notes: tuple[str, ...] = ()


class Cancel(Command, frozen=True):
    """Has no fields."""


class Reserved(Event, frozen=True):
    guest: str


class Taken(Rejection, frozen=True):
    """The slot is taken."""

    by: str
    since: Moment


class Space(State):
    guests: tuple[str, ...] = ()


def decide(space: Space, command: Reserve | Cancel) -> list[Reserved] | Taken:
    return [Reserved(command.guest)] if isinstance(command, Reserve) else []


def evolve(space: Space, event: Reserved) -> Space:
    return space


def guest_of(space: Space, guest: str) -> str | None:
    return guest if guest in space.guests else None


space = Aggregate("space", Space(), decide, evolve)
context = Context(
    "booking",
    aggregates=[space],
    routes=[
        Post("/spaces/{space}/reservations", Reserve),
        Get("/spaces/{space}", space),
        Get("/spaces/{space}/guests/{guest}", space, guest_of),
    ],
)


def manifests() -> dict[str, ContextManifest]:
    return {"booking": read(context)}


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def ask(command: Command | None = None, **fields: Any) -> Ask:
    """An ask of the space ``maple`` that nobody hears the answer of, unless ``reply`` is given."""

    def unheard(answer: Answer) -> None:
        """Nobody is interested."""

    given: dict[str, Any] = {
        "aggregate": "space",
        "id": "maple",
        "command": command,
        "deadline": 105.0,
        "reply": unheard,
        "command_id": None if command is None else b"c" * 16,
    }
    return Ask(**(given | fields))
