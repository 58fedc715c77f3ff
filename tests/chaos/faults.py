"""What can be wrong with a history, and how it is told."""

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from actors.journal.port import Row
from tests.chaos.history import Operation


class Kind(StrEnum):
    """Each is a promise of the system that was broken."""

    GAP = "versions or sequences are not contiguous"
    UNASKED = "events of a command that no client sent"
    TWICE = "one command took effect twice"
    LOST = "an acknowledged command is not in the journal"
    DONE_THOUGH_REFUSED = "a command took effect though every try was refused"
    DECIDED_AGAIN = "a retried command was decided anew after it had taken effect"
    ANSWERS_DIFFER = "retries of one command were answered differently"
    MISQUOTED = "an answer does not say what the journal holds"
    WRONG_DECISION = "the journal holds what the domain would not have decided"
    WRONG_STATE = "a read shows another state than the journal tells"
    STALE = "an answer is older than what was known before it was asked for"
    FORESEEN = "an answer tells of what had not happened by then"
    TORN = "an answer shows half of a command"
    UNEXPLAINED = "no version in its time explains a refusal"
    DISORDER = "a command took effect before what had ended before it was sent"
    CROSS_TALK = "an answer speaks of another entity"
    UNEXPECTED = "an answer outside the contract"


class Fault(msgspec.Struct, frozen=True):
    """A broken promise and the operations and events that prove it."""

    kind: Kind
    entity: str
    text: str
    operations: tuple[Operation, ...] = ()
    rows: tuple[Row, ...] = ()

    @property
    def size(self) -> int:
        """How much must be read to see it."""
        return len(self.operations) + len(self.rows)


def describe(fault: Fault) -> str:
    """The fault and its evidence, for people: operations by time, then events by version."""
    lines = [f"{fault.kind}: {fault.text} (entity {fault.entity!r})"]
    lines += [_operation(operation) for operation in sorted(fault.operations, key=lambda o: o.invoked)]
    lines += [_row(row) for row in sorted(fault.rows, key=lambda r: (r.shard, r.seq))]
    return "\n".join(lines)


def summary(faults: Sequence[Fault]) -> str:
    """How many of which kind."""
    counts = {kind: sum(fault.kind is kind for fault in faults) for kind in Kind}
    return ", ".join(f"{kind.name} {count}" for kind, count in counts.items() if count)


def _operation(o: Operation) -> str:
    when = f"[{o.invoked:.6f} .. {'?' if o.completed is None else f'{o.completed:.6f}'}]"
    key = f" key {o.command_id.hex()[:8]}" if o.command_id is not None else ""
    expected = f" if-match {o.expected}" if o.expected is not None else ""
    if o.answer is None:
        answer = "no answer"
    else:
        replayed = " (replayed)" if o.answer.replayed else ""
        answer = f"{o.answer.status} etag {o.answer.etag}{replayed} {o.answer.body[:300]!r}"
    asked = f" at {o.gateway}" if o.gateway else ""
    return (
        f"  #{o.number} {when} {o.client}{asked} {o.entity} {o.request!r}{key}{expected}\n      -> {answer}"
    )


def _row(row: Row) -> str:
    return (
        f"  event {row.id} version {row.version} {row.type}"
        f" at {row.shard}:{row.seq} key {row.command_id.hex()[:8]} {row.data[:120]!r}"
    )
