"""Folding one entity's history, and asking the domain on the way what it would have said at each version."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from actors.replies import instant
from contexts.vocabulary import Call, Event, Rejection
from gateway.rejections import rejected
from tests.chaos.effects import Effect
from tests.chaos.faults import Fault, Kind
from tests.chaos.history import Operation, Read
from tests.chaos.outcomes import Outcome, Said
from tests.chaos.subject import Subject

Span = Callable[[float, float], tuple[datetime, datetime]]
"""Two moments of the recorder's clock on the wall, so far apart that the decider's clock is between them."""


class Question(NamedTuple):
    """Which of the versions from ``low`` to ``high`` explain an answer? They are put into ``fitting``."""

    operation: Operation
    said: Outcome
    invoked: float
    """When the first request was sent for which it may have been decided."""
    low: int
    high: int
    fitting: list[int]


def fold(
    subject: Subject, span: Span, effects: Sequence[Effect], questions: Sequence[Question]
) -> Iterator[Fault]:
    """Answer the questions; on the way, hold every effect to what the domain decides on the version before
    it, and every shown state and position to the journal's. After a wrong decision nothing can be said:
    that fault is the last one."""
    starting: dict[int, list[Question]] = defaultdict(list)
    versions = [0, *(effect.last for effect in effects)]
    for question in questions:
        begin = next_version(versions, question.low)
        if begin is not None and begin <= question.high:
            starting[begin].append(question)
    state, asked = subject.initial(), list[Question]()
    for version, before, following in zip(versions, [None, *effects], [*effects, None], strict=True):
        asked = [question for question in asked if question.high >= version] + starting[version]
        for question in asked:
            yield from _ask(subject, span, state, version, before, question)
        if following is None:
            return
        wrong = _wrong(subject, state, version, following)
        if wrong is None:
            try:
                for event in _events(subject, following):
                    state = subject.aggregate.evolve(state, event)
            except (LookupError, ValueError) as error:
                # Events that nobody asked for need not follow from the state.
                wrong = f"they cannot happen on version {version}: {error!r}"
        if wrong is not None:
            yield Fault(Kind.WRONG_DECISION, following.rows[0].id, wrong, following.tries, following.rows)
            return


def next_version(versions: Sequence[int], low: int) -> int | None:
    """The first of the ascending ``versions`` that is ``low`` or more."""
    at = bisect_left(versions, low)
    return versions[at] if at < len(versions) else None


def _events(subject: Subject, effect: Effect) -> list[Event]:
    return [msgspec.msgpack.decode(row.data, type=subject.events[row.type]) for row in effect.rows]


def _wrong(subject: Subject, state: Any, version: int, effect: Effect) -> str | None:
    """Why the domain would not have decided the effect on this state; None if it would."""
    try:
        events = _events(subject, effect)
    except (KeyError, msgspec.MsgspecError) as error:
        return f"its events cannot be read: {error!r}"
    if not effect.tries:
        return None
    expected = effect.tries[0].expected
    if expected is not None and expected != version:
        return f"it was to take effect on version {expected} only, and did on {version}"
    decided = subject.aggregate.decide(state, effect.tries[0].request, Call(instant(effect.rows[0].at)))
    if isinstance(decided, Rejection) or list(decided) != events:
        return f"version {version} decides {decided!r}"
    return None


def _ask(
    subject: Subject, span: Span, state: Any, version: int, made: Effect | None, question: Question
) -> Iterator[Fault]:
    operation, said = question.operation, question.said
    if said.said is Said.SHOWN or said.said is Said.ACCEPTED:
        place = f"{made.rows[-1].shard}:{made.rows[-1].seq}" if made is not None else "nowhere"
        if said.position != f"{subject.context}/{place}":
            text = f"version {version} is at {place}, not at {said.position}"
            yield Fault(Kind.MISQUOTED, operation.entity, text, (operation,))
    if said.said is Said.SHOWN:
        assert isinstance(operation.request, Read)
        part = operation.request.part
        shown = msgspec.to_builtins(state if part is None else subject.part(state, part))
        if shown != said.content:
            text = f"at version {version} it is {shown!r}"
            rows = made.rows if made is not None else ()
            yield Fault(Kind.WRONG_STATE, operation.entity, text, (operation,), rows)
        question.fitting.append(version)
    elif _explains(subject, span, state, version, question):
        question.fitting.append(version)


def _explains(subject: Subject, span: Span, state: Any, version: int, question: Question) -> bool:
    """Whether the state at ``version`` gives the answer."""
    operation, said = question.operation, question.said
    request = operation.request
    if isinstance(request, Read):
        return version == 0 or (request.part is not None and subject.part(state, request.part) is None)
    meets = operation.expected is None or operation.expected == version
    if said.said is Said.PRECONDITION or not meets:
        return said.said is Said.PRECONDITION and not meets
    answer = operation.answer
    assert answer is not None
    begin, end = span(question.invoked, operation.done)
    turns = {moment for moment in subject.moments(state, request) if begin < moment <= end}
    for now in (begin, end, *turns):
        decided = subject.aggregate.decide(state, request, Call(now))
        if isinstance(decided, Rejection):
            rendered = rejected(decided, operation.path)
            if (rendered.status, rendered.body) == (answer.status, answer.body):
                return True
        elif not decided and said.said is Said.ACCEPTED:
            return True
    return False
