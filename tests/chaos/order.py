"""One order for everything that one entity answered (linearizability), consistent with real time.

The journal gives the order of the effects. Every other answer was decided between two of them: on the version
it shows or, where it shows none (a rejection, a failed precondition, an absence), on one of the versions that
explain it. ``check_entity`` folds the history once, finds those versions, and then assigns to each answer, in
the order in which they ended, the lowest that is not below what was known before it was asked for. Each
assignment is the least possible, so where one fails no other order exists.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from math import inf
from typing import NamedTuple

from tests.chaos.effects import Effect, by_command
from tests.chaos.faults import Fault, Kind
from tests.chaos.fold import Question, Span, fold
from tests.chaos.history import Operation
from tests.chaos.outcomes import Outcome, Said, outcome
from tests.chaos.subject import Subject
from tests.chaos.timeline import Ceiling, Floor

OPEN = (Said.REJECTED, Said.PRECONDITION, Said.ABSENT)
"""Answers that do not show the version they were decided on."""


class _Seen(NamedTuple):
    """An answer without effect. ``cap``: the version before its own command took effect."""

    operation: Operation
    said: Outcome
    invoked: float
    cap: float


def check_entity(
    subject: Subject, span: Span, operations: Sequence[Operation], effects: Sequence[Effect]
) -> Iterator[Fault]:
    """``operations`` and ``effects`` are one entity's, effects by version and without gaps.

    ``span`` tells on the wall when an operation may have been decided."""
    seen = list(_observations(operations, effects))
    shown = [each for each in seen if each.said.said not in OPEN]
    ceiling = Ceiling(effects)
    known = [(each.operation.done, each.said.version) for each in shown]
    known += [(effect.completed, effect.last) for effect in effects if effect.completed < inf]
    floor = Floor(known)
    questions = [_question(each, floor, ceiling) for each in seen]
    faults = list(fold(subject, span, effects, questions))
    yield from faults
    if any(fault.kind is Kind.WRONG_DECISION for fault in faults):
        return
    answers = [(question, each) for question, each in zip(questions, seen, strict=True)]
    yield from _assign(answers, effects, ceiling)


def _observations(operations: Sequence[Operation], effects: Sequence[Effect]) -> Iterator[_Seen]:
    first = {effect.rows[0].command_id: effect.first for effect in effects}
    said = {operation.number: outcome(operation) for operation in operations}
    decided: dict[bytes, set[bytes]] = defaultdict(set)
    began: dict[bytes, float] = {key: tries[0].invoked for key, tries in by_command(operations).items()}
    for operation in operations:
        key, answer = operation.command_id, operation.answer
        if key is not None and answer is not None and not answer.replayed:
            decided[key].add(answer.body)
    for operation in operations:
        what, key, answer = said[operation.number], operation.command_id, operation.answer
        if answer is None or what.said not in (*OPEN, Said.SHOWN, Said.ACCEPTED):
            continue
        if what.said is Said.ACCEPTED and what.content:
            continue
        if key is None:
            yield _Seen(operation, what, operation.invoked, inf)
        elif not answer.replayed:
            yield _Seen(operation, what, operation.invoked, first.get(key, inf) - 1)
        elif answer.body not in decided[key]:
            # The answer that is repeated never arrived: it was decided for one of the earlier tries.
            yield _Seen(operation, what, began[key], first.get(key, inf) - 1)


def _question(seen: _Seen, floor: Floor, ceiling: Ceiling) -> Question:
    if seen.said.said not in OPEN:
        return Question(seen.operation, seen.said, seen.invoked, seen.said.version, seen.said.version, [])
    low, high = floor.before(seen.invoked), ceiling.at(seen.operation.done)
    return Question(seen.operation, seen.said, seen.invoked, low, high, [])


def _assign(
    answers: Sequence[tuple[Question, _Seen]], effects: Sequence[Effect], ceiling: Ceiling
) -> Iterator[Fault]:
    floor = Floor(())
    ending: list[tuple[float, int, tuple[Question, _Seen] | Effect]] = []
    ending += [(answer[1].operation.done, 0, answer) for answer in answers]
    ending += [(effect.completed, 1, effect) for effect in effects]
    for done, _, each in sorted(ending, key=lambda e: e[:2]):
        if isinstance(each, Effect):
            low = floor.before(each.invoked)
            if low >= each.first:
                text = f"its version is {each.first}, but version {low} was known before it was sent"
                yield Fault(Kind.DISORDER, each.rows[0].id, text, each.tries, each.rows)
            floor.raise_to(done, each.last)
            continue
        question, seen = each
        low = floor.before(seen.invoked)
        high = min(seen.cap, ceiling.at(done))
        fitting = [version for version in question.fitting if low <= version <= high]
        if fitting:
            floor.raise_to(done, fitting[0])
        else:
            yield _misfit(question, seen, low, ceiling)


def _misfit(question: Question, seen: _Seen, low: int, ceiling: Ceiling) -> Fault:
    operation, version = seen.operation, seen.said.version
    high = ceiling.at(operation.done)
    if seen.cap < low or (question.fitting and min(question.fitting) > seen.cap):
        kind, text = Kind.DECIDED_AGAIN, f"its command took effect as version {int(seen.cap) + 1}"
    elif seen.said.said in OPEN:
        kind, text = Kind.UNEXPLAINED, f"it was decided on a version from {low} to {high}"
    elif version < low:
        kind, text = Kind.STALE, f"version {version} is shown, {low} was known before"
    elif version > high:
        kind, text = Kind.FORESEEN, f"version {version} is shown, {high} was the newest that could exist"
    elif seen.said.said is Said.ACCEPTED:
        kind, text = Kind.UNEXPLAINED, f"version {version} does not decide to do nothing"
    else:
        kind, text = Kind.TORN, f"version {version} is between the events of one command"
    return Fault(kind, operation.entity, text, (operation,))
