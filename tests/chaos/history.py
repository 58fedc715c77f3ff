"""What clients asked and what they were answered: the evidence a checker has beside the journal.

One operation is one request that left a client. A retry with the same key is another operation with the same
``command_id``. Times are seconds on one monotonic clock; ``History.origin`` is the instant of its zero.
"""

import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from contexts.vocabulary import Command


class Read(msgspec.Struct, frozen=True):
    """A query of an entity's whole state, or of the one part of it that is named."""

    part: str | None = None


class Answer(msgspec.Struct, frozen=True):
    """An HTTP answer, as far as the contract speaks of it."""

    status: int
    body: bytes
    etag: str | None = None
    location: str | None = None
    replayed: bool = False
    """The header ``Idempotency-Replayed`` said so."""


class Operation(msgspec.Struct, frozen=True):
    """One request and its answer."""

    number: int
    client: str
    entity: str
    request: Command | Read
    path: str
    """As it was sent, without query."""
    invoked: float
    completed: float | None = None
    """None: no answer came."""
    answer: Answer | None = None
    command_id: bytes | None = None
    """16 bytes, as the journal stores it; every command in a history has one, reads have none."""
    expected: int | None = None
    """The version in ``If-Match``."""
    creates: str | None = None
    """The ``Location`` that an acceptance must have."""
    gateway: str = ""
    """Which of several was asked."""

    @property
    def done(self) -> float:
        """When it was over for sure; infinite without an answer."""
        return float("inf") if self.completed is None else self.completed


class History:
    """Records operations as they happen. What is never answered stays without an answer."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self.origin = datetime.fromtimestamp(wall() - clock(), UTC)
        self.heard: Callable[[Operation], None] | None = None
        """Called with each operation when it is answered."""
        self._operations: list[Operation] = []

    def __len__(self) -> int:
        return len(self._operations)

    @property
    def operations(self) -> tuple[Operation, ...]:
        """Everything so far, in the order of invocation."""
        return tuple(self._operations)

    def invoke(
        self,
        client: str,
        entity: str,
        request: Command | Read,
        path: str,
        *,
        command_id: bytes | None = None,
        expected: int | None = None,
        creates: str | None = None,
        gateway: str = "",
    ) -> int:
        """A request is about to be sent; the number by which its answer is recorded."""
        number = len(self._operations)
        self._operations.append(
            Operation(
                number,
                client,
                entity,
                request,
                path,
                self._clock(),
                command_id=command_id,
                expected=expected,
                creates=creates,
                gateway=gateway,
            )
        )
        return number

    def answer(self, number: int, answer: Answer) -> Operation:
        """The answer has arrived whole."""
        operation = msgspec.structs.replace(self._operations[number], completed=self._clock(), answer=answer)
        self._operations[number] = operation
        if self.heard is not None:
            self.heard(operation)
        return operation

    def since(self, moment: float) -> Sequence[Operation]:
        """What was invoked at ``moment`` or later."""
        begin = bisect_left(self._operations, moment, key=lambda operation: operation.invoked)
        return self._operations[begin:]

    def now(self) -> float:
        """The recorder's clock."""
        return self._clock()

    def instant(self, moment: float) -> datetime:
        """A moment of the recorder's clock on the wall."""
        return self.origin + timedelta(seconds=moment)
