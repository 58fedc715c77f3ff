"""Histories made by hand: a server that is always right, whose answers a test then spoils."""

import struct
from datetime import UTC, datetime, timedelta
from typing import Any
from zlib import crc32

import msgspec

from actors.journal.codec import encode_event
from actors.journal.port import Row
from actors.replies import Recorded, reply_body, state_body
from contexts.booking.commands import Open, Reserve
from contexts.vocabulary import Call, Command, Rejection
from gateway.rejections import rejected
from tests.chaos.checker import Evidence
from tests.chaos.history import Answer, Operation, Read
from tests.chaos.subject import SPACES

ORIGIN = datetime(2027, 1, 1, tzinfo=UTC)
OPENING = Open(16, "UTC", "00:00", "24:00")
FULL = (404, b'{"type":"/problems/not-found"}')


def reserve(name: str, hour: int, hours: int = 1) -> Reserve:
    """A reservation for ``hours`` from ``hour`` on."""
    start = datetime(2027, 1, 15, tzinfo=UTC) + timedelta(hours=hour)
    return Reserve(name, name, 2, start, start + timedelta(hours=hours))


class Scene:
    """One after the other, requests are decided, in the order in which they are told."""

    def __init__(self, shards: int = 4) -> None:
        self.operations: list[Operation] = []
        self.rows: list[Row] = []
        self._shards = shards
        self._states: dict[str, Any] = {}
        self._answers: dict[bytes, tuple[int, bytes]] = {}

    def evidence(self) -> Evidence:
        """What a checker gets."""
        return Evidence(self.operations, self.rows, ORIGIN)

    def tell(
        self,
        entity: str,
        request: Command | Read,
        invoked: float,
        completed: float | None = None,
        *,
        key: str | None = None,
        expected: int | None = None,
    ) -> Operation:
        """Decide and record it; without ``completed`` the answer is lost. The key is by default its own."""
        number = len(self.operations)
        read = isinstance(request, Read)
        name = None if read else (key or f"key {number}").encode().ljust(16)[:16]
        creates = f"/{entity}/{request.reservation}" if isinstance(request, Reserve) else None
        operation = Operation(
            number, "ada", entity, request, f"/{entity}", invoked, None, None, name, expected, creates
        )
        status, body = self._decide(operation, invoked)
        if completed is not None:
            operation = msgspec.structs.replace(
                operation, completed=completed, answer=_answer(operation, status, body)
            )
        self.operations.append(operation)
        return operation

    def refuse(self, entity: str, request: Command, invoked: float, completed: float, *, key: str) -> None:
        """The request is answered with 503, and nothing is done."""
        name = key.encode().ljust(16)[:16]
        answer = Answer(503, b"{}")
        number = len(self.operations)
        self.operations.append(
            Operation(number, "ada", entity, request, f"/{entity}", invoked, completed, answer, name)
        )

    def spoil(self, operation: Operation, **changes: Any) -> Operation:
        """Let the recorded operation be another; changes of its answer are named as the answer's fields."""
        answer = {name: changes.pop(name) for name in list(changes) if name in Answer.__struct_fields__}
        if answer:
            assert operation.answer is not None
            changes["answer"] = msgspec.structs.replace(operation.answer, **answer)
        spoilt = msgspec.structs.replace(operation, **changes)
        self.operations[operation.number] = spoilt
        return spoilt

    def _decide(self, operation: Operation, at: float) -> tuple[int, bytes]:
        state = self._states.setdefault(operation.entity, SPACES.initial())
        mine = [row for row in self.rows if row.id == operation.entity]
        version = len(mine)
        position = f"booking/{mine[-1].shard}:{mine[-1].seq}" if mine else ""
        request, key = operation.request, operation.command_id
        if isinstance(request, Read):
            shown = state if request.part is None else SPACES.part(state, request.part)
            return (200, state_body(version, position, shown)) if version and shown is not None else FULL
        assert key is not None
        if key in self._answers:
            return self._answers[key]
        if operation.expected not in (None, version):
            return 412, b'{"type":"/problems/precondition-failed"}'
        now = ORIGIN + timedelta(seconds=at)
        decided = SPACES.aggregate.decide(state, request, Call(now))
        if isinstance(decided, Rejection):
            rendered = rejected(decided, operation.path)
            return rendered.status, rendered.body
        recorded, position = self._append(operation, decided, version, now)
        answer = (201 if operation.creates else 200), reply_body(version + len(decided), position, recorded)
        if decided:
            self._answers[key] = answer
        return answer

    def _append(
        self, operation: Operation, events: Any, version: int, now: datetime
    ) -> tuple[list[Recorded], str]:
        shard = crc32(f"space/{operation.entity}".encode()) % self._shards
        recorded = []
        for event in events:
            version += 1
            seq = sum(row.shard == shard for row in self.rows) + 1
            name, at = type(event).__name__, int(now.timestamp() * 1e6)
            recorded.append(Recorded(version, name, now, event))
            assert operation.command_id is not None
            self.rows.append(
                Row(
                    shard, seq, "space", operation.entity, version, name, operation.command_id,
                    struct.pack("<q", 1), at, "anonymous", None, encode_event(event),
                )
            )  # fmt: skip
            self._states[operation.entity] = SPACES.aggregate.evolve(self._states[operation.entity], event)
        last = [row for row in self.rows if row.id == operation.entity][-1]
        return recorded, f"booking/{shard}:{last.seq}"


def _answer(operation: Operation, status: int, body: bytes) -> Answer:
    if status not in (200, 201):
        return Answer(status, body)
    version = msgspec.json.decode(body)["version"]
    return Answer(status, body, f'"{version}"', operation.creates if status == 201 else None)
