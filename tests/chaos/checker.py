"""The checker: given what clients saw and what the journal holds, what promise was broken?

``check`` is pure. It proves, per entity, that acknowledged commands are in the journal exactly once, that
versions are contiguous, that retries with one key had one effect and one answer, that all answers are
explained by one order consistent with real time, and that none speaks of another entity.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from actors.journal.port import Row
from tests.chaos.effects import Effect, check_commands, effects
from tests.chaos.faults import Fault, Kind, describe, summary
from tests.chaos.history import Operation
from tests.chaos.journal_order import check_order
from tests.chaos.order import check_entity
from tests.chaos.subject import SPACES, Subject
from tests.chaos.talk import check_talk

SLACK = timedelta(milliseconds=10)
"""How far the recorder's wall clock and a worker's may be apart, on one machine."""
SHRINKABLE = frozenset({Kind.STALE, Kind.FORESEEN, Kind.UNEXPLAINED, Kind.DISORDER, Kind.DECIDED_AGAIN})
"""Faults against the order: other operations prove them, and which is found by leaving operations out.
An operation less is a constraint less, so what is left is as small as can be."""
SHRUNK = 5
"""Faults that are made small; each costs some dozens of checks of one entity."""


class Evidence:
    """A history and the journal at its end."""

    def __init__(
        self,
        operations: Iterable[Operation],
        rows: Iterable[Row],
        origin: datetime = datetime(1970, 1, 1, tzinfo=UTC),
        subject: Subject = SPACES,
    ) -> None:
        self.operations = tuple(operations)
        self.rows = tuple(rows)
        self.origin = origin
        self.subject = subject

    def span(self, begin: float, end: float) -> tuple[datetime, datetime]:
        """Two moments of the history on the wall, with some slack."""
        first, last = (self.origin + timedelta(seconds=moment) for moment in (begin, end))
        return first - SLACK, last + SLACK


def check(evidence: Evidence) -> list[Fault]:
    """Every fault, those that take least reading first; empty when all promises were kept."""
    operations, rows = evidence.operations, evidence.rows
    faults = [
        *check_order(rows),
        *check_commands(operations, rows),
        *check_talk(evidence.subject, operations),
    ]
    torn = {fault.entity for fault in faults if fault.kind is Kind.GAP}
    of_entity: dict[str, list[Operation]] = defaultdict(list)
    for operation in operations:
        of_entity[operation.entity].append(operation)
    made: dict[str, list[Effect]] = defaultdict(list)
    for effect in effects(operations, rows):
        made[effect.rows[0].id].append(effect)
    for entity in {*of_entity, *made} - torn:
        faults += check_entity(evidence.subject, evidence.span, of_entity[entity], made[entity])
    return sorted(faults, key=lambda fault: (fault.size, fault.kind, fault.entity))


def report(evidence: Evidence, faults: Sequence[Fault]) -> str:
    """How many faults of which kind, and the smallest history that shows one."""
    firsts: dict[Kind, list[Fault]] = defaultdict(list)
    for fault in faults:
        firsts[fault.kind].append(fault)
    candidates = [fault for each in firsts.values() for fault in each[:SHRUNK]]
    proofs = sorted((smallest(evidence, fault) for fault in candidates), key=lambda fault: fault.size)
    return f"{len(faults)} faults: {summary(faults)}\nthe smallest:\n{describe(proofs[0])}"


def smallest(evidence: Evidence, fault: Fault) -> Fault:
    """The fault with all the operations that prove it, and no others."""
    if fault.kind not in SHRINKABLE:
        return fault
    rows = [row for row in evidence.rows if row.id == fault.entity]
    accused = {operation.number for operation in fault.operations}

    def shows(operations: Sequence[Operation]) -> bool:
        found = check_entity(evidence.subject, evidence.span, operations, effects(operations, rows))
        return any(f.kind is fault.kind and accused & {o.number for o in f.operations} for f in found)

    kept = _leave_out([o for o in evidence.operations if o.entity == fault.entity], shows)
    keys = {operation.command_id for operation in kept}
    proof = tuple(row for row in rows if row.command_id in keys)
    return Fault(fault.kind, fault.entity, fault.text, tuple(kept), proof)


def _leave_out(operations: list[Operation], shows: Callable[[Sequence[Operation]], bool]) -> list[Operation]:
    kept, size = operations, max(1, len(operations) // 2)
    while True:
        for begin in _backwards(len(kept), size):
            fewer = kept[:begin] + kept[begin + size :]
            if shows(fewer):
                kept = fewer
        if size == 1:
            return kept
        size = max(1, size // 2)


def _backwards(length: int, size: int) -> Iterator[int]:
    return iter(range((length - 1) // size * size, -1, -size)) if length else iter(())
