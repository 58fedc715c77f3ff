"""What the journal holds of each command, and whether that is what its clients were told."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from math import inf
from typing import Any, NamedTuple

import msgspec

from actors.journal.port import Row
from actors.replies import instant
from tests.chaos.faults import Fault, Kind
from tests.chaos.history import Operation
from tests.chaos.outcomes import Outcome, Said, outcome


class Effect(NamedTuple):
    """One command's events, and the time in which it must have been decided."""

    rows: tuple[Row, ...]
    """Of one entity, by version."""
    tries: tuple[Operation, ...]
    """Every request with its key; empty when nobody is known to have sent it."""
    invoked: float
    completed: float

    @property
    def first(self) -> int:
        return self.rows[0].version

    @property
    def last(self) -> int:
        return self.rows[-1].version


def by_command(operations: Iterable[Operation]) -> dict[bytes, list[Operation]]:
    """The operations of each command, in the order of invocation."""
    tries: dict[bytes, list[Operation]] = defaultdict(list)
    for operation in sorted(operations, key=lambda o: o.invoked):
        if operation.command_id is not None:
            tries[operation.command_id].append(operation)
    return tries


def effects(operations: Iterable[Operation], rows: Iterable[Row]) -> list[Effect]:
    """The commands that took effect, by entity and version."""
    tries = by_command(operations)
    found: dict[tuple[bytes, str], list[Row]] = defaultdict(list)
    for row in rows:
        found[row.command_id, row.id].append(row)
    made = [_effect(tuple(sorted(r, key=_version)), tries.get(key[0], [])) for key, r in found.items()]
    return sorted(made, key=lambda effect: (effect.rows[0].id, effect.first))


def _version(row: Row) -> int:
    return row.version


def _effect(rows: tuple[Row, ...], tries: Sequence[Operation]) -> Effect:
    """A try that was refused, or that was decided without effect, is not the one that made the events."""
    accepted = [t for t in tries if _changed(outcome(t))]
    possible = [t.invoked for t in tries if _changed(outcome(t)) or outcome(t).said is Said.UNKNOWN]
    return Effect(
        rows, tuple(tries), min(possible, default=-inf), min((t.done for t in accepted), default=inf)
    )


def _changed(said: Outcome) -> bool:
    return said.said is Said.ACCEPTED and bool(said.content)


def check_commands(operations: Sequence[Operation], rows: Sequence[Row]) -> Iterator[Fault]:
    """Every effect was asked for, happened once, and is what each acceptance says; nothing accepted is
    missing."""
    made: dict[bytes, list[Effect]] = defaultdict(list)
    for effect in effects(operations, rows):
        made[effect.rows[0].command_id].append(effect)
    for found in made.values():
        yield from _check_effect(found)
    for command_id, tries in by_command(operations).items():
        yield from _check_acceptances(tries, made.get(command_id, []))


def _check_effect(found: Sequence[Effect]) -> Iterator[Fault]:
    rows = tuple(row for effect in found for row in effect.rows)
    effect, entity, tries = found[0], rows[0].id, found[0].tries
    if not tries:
        yield Fault(Kind.UNASKED, entity, f"{len(rows)} events of an unknown command", rows=rows)
        return
    if any(row.id != tries[0].entity for row in rows):
        yield Fault(
            Kind.CROSS_TALK, entity, f"a command to {tries[0].entity!r} took effect here", tries, rows
        )
    if len(found) > 1 or effect.last - effect.first + 1 != len(rows):
        versions = [(row.id, row.version) for row in rows]
        yield Fault(Kind.TWICE, entity, f"its events have the versions {versions}", tries, rows)
    if effect.invoked == -inf:
        yield Fault(Kind.DONE_THOUGH_REFUSED, entity, "it must not be there", tries, rows)


def _check_acceptances(tries: Sequence[Operation], found: Sequence[Effect]) -> Iterator[Fault]:
    accepted = [(t, said) for t in tries if _changed(said := outcome(t))]
    first: Operation | None = None
    for operation, said in accepted:
        if not found:
            yield Fault(Kind.LOST, operation.entity, f"version {said.version}", (operation,))
        elif (wrong := _misquotes(said, found[0].rows)) is not None:
            yield Fault(Kind.MISQUOTED, operation.entity, wrong, (operation,), found[0].rows)
        if first is None:
            first = operation
        elif _told(first) != _told(operation):
            yield Fault(Kind.ANSWERS_DIFFER, operation.entity, "one key, two answers", (first, operation))


def _told(operation: Operation) -> Any:
    answer = operation.answer
    assert answer is not None
    return answer.status, answer.body, answer.etag, answer.location


def _misquotes(said: Outcome, rows: Sequence[Row]) -> str | None:
    """Where the acceptance differs from the events; None when it does not."""
    if said.version != rows[-1].version:
        return f"the answer's version is {said.version}"
    if said.position.rpartition("/")[2] != f"{rows[-1].shard}:{rows[-1].seq}":
        return f"the answer's position is {said.position}"
    stored = [(row.version, row.type, instant(row.at), msgspec.msgpack.decode(row.data)) for row in rows]
    try:
        told = [
            (e["version"], e["type"], msgspec.convert(e["at"], type(instant(0))), e["data"])
            for e in said.content
        ]
    except (KeyError, TypeError, msgspec.ValidationError) as error:
        return f"the answer's events cannot be read: {error!r}"
    return None if told == stored else "the answer's events are others"
