"""What an answer says, by the contract of the REST surface alone."""

from enum import Enum
from typing import Any, NamedTuple

import msgspec

from tests.chaos.history import Operation, Read


class Said(Enum):
    """The kinds of answers."""

    ACCEPTED = "accepted"
    SHOWN = "shown"
    ABSENT = "absent"
    REJECTED = "rejected"
    PRECONDITION = "precondition failed"
    NOT_DONE = "refused, nothing was done"
    UNKNOWN = "no word on whether it was done"
    UNEXPECTED = "outside the contract"


class Outcome(NamedTuple):
    """An answer understood: ``version`` and ``content`` are there for ACCEPTED and SHOWN."""

    said: Said
    version: int = 0
    position: str = ""
    content: Any = None
    """The events of an acceptance, the state that was shown."""


def outcome(operation: Operation) -> Outcome:
    """What the operation's answer says."""
    answer = operation.answer
    if answer is None or answer.status == 504:
        return Outcome(Said.UNKNOWN)
    if answer.status in (503, 507):
        return Outcome(Said.NOT_DONE)
    reads = isinstance(operation.request, Read)
    if answer.status in (200, 201):
        return _versioned(answer.body, Said.SHOWN if reads else Said.ACCEPTED)
    if reads:
        return Outcome(Said.ABSENT if answer.status == 404 else Said.UNEXPECTED)
    if answer.status == 412:
        return Outcome(Said.PRECONDITION)
    if answer.status in (403, 404, 409, 422):
        return Outcome(Said.REJECTED)
    return Outcome(Said.UNEXPECTED)


def _versioned(body: bytes, said: Said) -> Outcome:
    try:
        members = msgspec.json.decode(body)
        version, position = members["version"], members["position"]
        content = members["state" if said is Said.SHOWN else "events"]
    except (msgspec.MsgspecError, KeyError, TypeError):
        return Outcome(Said.UNEXPECTED)
    return Outcome(said, version, position, content)
