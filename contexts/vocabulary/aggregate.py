"""Aggregates: what is decided alone and in order."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from contexts.vocabulary.values import Event, Rejection

S = TypeVar("S")

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]
"""Takes an event's fields as plain data from one schema version to the next."""


class Aggregate(Generic[S]):
    """A consistency boundary: its name, its initial state, ``decide`` and ``evolve``.

    ``decide(state, command)`` or ``decide(state, command, call)`` returns a list of events (empty: nothing
    to do) or a rejection; it must not change the state. ``evolve(state, event)`` returns the next state,
    which may be the same object, changed. Both are pure otherwise: no clock, no input or output.

    ``upcasters`` maps (stored event name, schema version) to the function that lifts it one version.
    """

    __slots__ = ("decide", "evolve", "initial", "name", "upcasters")

    def __init__(
        self,
        name: str,
        initial: S,
        decide: Callable[..., Sequence[Event] | Rejection],
        evolve: Callable[[S, Any], S],
        upcasters: Mapping[tuple[str, int], Upcaster] | None = None,
    ) -> None:
        self.name = name
        self.initial = initial
        self.decide = decide
        self.evolve = evolve
        self.upcasters: Mapping[tuple[str, int], Upcaster] = upcasters or {}

    def __repr__(self) -> str:
        return f"Aggregate({self.name!r})"
