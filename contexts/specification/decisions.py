"""What an aggregate decides.

``then`` returns what is given next, so that a story goes on: ``.then(Held(...)).when(Confirm("r1"))``. On
the way ``decide`` and ``evolve`` are held to what a cluster relies on: deciding leaves the state as it was,
and states and events survive being stored."""

import inspect
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

import msgspec

from contexts.vocabulary import ANONYMOUS, Aggregate, Call, Command, Event, Principal, Rejection

NOW = datetime(2027, 1, 1, 12, tzinfo=UTC)
"""When a command is decided if the story does not say: noon UTC on 1 January 2027."""

S = TypeVar("S")
T = TypeVar("T")


def given(aggregate: Aggregate[S], *past: Event) -> "Given[S]":
    """An aggregate to which ``past`` happened, in this order."""
    return Given(aggregate, past)


class Given(Generic[S]):
    """An aggregate and its past."""

    def __init__(self, aggregate: Aggregate[S], past: Sequence[Event]) -> None:
        self.aggregate = aggregate
        self.past = tuple(past)
        self.state = stored(aggregate.initial)
        for event in self.past:
            _check(stored(event) == event, f"{event!r} does not survive being stored")
            self.state = aggregate.evolve(self.state, event)
        _check(stored(self.state) == self.state, f"{self.state!r} does not survive being stored")

    def when(self, command: Command, *, now: datetime = NOW, by: Principal = ANONYMOUS) -> "When[S]":
        """The command is decided, at ``now``, for ``by``."""
        return When(self, command, Call(now, by))


class When(Generic[S]):
    """A decision. ``outcome`` is the events or the rejection."""

    def __init__(self, given: Given[S], command: Command, call: Call) -> None:
        self.given = given
        self.command = command
        before = msgspec.msgpack.encode(given.state)
        arguments = (given.state, command, call)[: _arity(given.aggregate)]
        decided = given.aggregate.decide(*arguments)
        self.outcome = decided if isinstance(decided, Rejection) else tuple(decided)
        _check(before == msgspec.msgpack.encode(given.state), f"deciding {command!r} changed the state")

    def then(self, *expected: Event | Rejection) -> Given[S]:
        """Exactly these events happen, or exactly this rejection is the answer."""
        actual = (self.outcome,) if isinstance(self.outcome, Rejection) else self.outcome
        _check(bool(expected), "what should happen? for nothing, say then_nothing()")
        _check(actual == expected, self._story(expected, actual))
        return Given(self.given.aggregate, self.given.past + self._events())

    def then_nothing(self) -> Given[S]:
        """The command is accepted, and nothing happens: there is nothing to do."""
        _check(self.outcome == (), self._story((), self.outcome))
        return self.given

    def _events(self) -> tuple[Event, ...]:
        return () if isinstance(self.outcome, Rejection) else self.outcome

    def _story(self, expected: object, actual: object) -> str:
        chapters = {"given": self.given.past, "when": self.command, "expected": expected, "actual": actual}
        return "\n" + "\n".join(f"{word}\n{_lines(what)}" for word, what in chapters.items())


def stored(value: T) -> T:
    """The value as it comes back from a journal or a snapshot."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(value), type=type(value))


def _arity(aggregate: Aggregate[Any]) -> int:
    return len([p for p in inspect.signature(aggregate.decide).parameters.values() if p.default is p.empty])


def _lines(what: object) -> str:
    things = what if isinstance(what, tuple) else (what,)
    return "\n".join(f"    {thing!r}" for thing in things) or "    nothing"


def _check(holds: bool, otherwise: str) -> None:
    if not holds:
        raise AssertionError(otherwise)
