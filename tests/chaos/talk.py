"""Whether each answer speaks of what was asked: its own entity, path and thing, in the contract's form."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import msgspec

from tests.chaos.faults import Fault, Kind
from tests.chaos.history import Operation, Read
from tests.chaos.outcomes import Outcome, Said, outcome
from tests.chaos.subject import Subject


def check_talk(subject: Subject, operations: Sequence[Operation]) -> Iterator[Fault]:
    """Answers outside the contract, and answers that name another entity."""
    owners: dict[str, set[str]] = defaultdict(set)
    for operation in operations:
        if not isinstance(operation.request, Read) and (name := subject.named(operation.request)):
            owners[name].add(operation.entity)
    for operation in operations:
        if operation.answer is None:
            continue
        said = outcome(operation)
        if (oddity := _oddity(operation, said)) is not None:
            yield Fault(Kind.UNEXPECTED, operation.entity, oddity, (operation,))
        elif (stranger := _stranger(subject, operation, said, owners)) is not None:
            yield Fault(Kind.CROSS_TALK, operation.entity, stranger, (operation,))


def _oddity(operation: Operation, said: Outcome) -> str | None:
    answer = operation.answer
    assert answer is not None
    if said.said is Said.UNEXPECTED:
        return f"status {answer.status}"
    if said.said in (Said.ACCEPTED, Said.SHOWN) and answer.etag != f'"{said.version}"':
        return f"version {said.version} under the tag {answer.etag}"
    if said.said is Said.PRECONDITION and operation.expected is None:
        return "a precondition failed, and none was set"
    return None


def _stranger(
    subject: Subject, operation: Operation, said: Outcome, owners: dict[str, set[str]]
) -> str | None:
    answer = operation.answer
    assert answer is not None
    if said.said is Said.ACCEPTED and said.content and answer.location != operation.creates:
        return f"Location is {answer.location}"
    try:
        body = msgspec.json.decode(answer.body)
    except msgspec.MsgspecError:
        return None
    if isinstance(body, dict) and body.get("instance", operation.path) != operation.path:
        return f"the problem is about {body['instance']}"
    for mark in subject.marks(body):
        if mark in owners and operation.entity not in owners[mark]:
            return f"{mark!r} belongs to {sorted(owners[mark])}"
    return None
