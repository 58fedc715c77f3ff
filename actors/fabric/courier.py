"""Brings asks to other workers and their answers back.

What one turn of the loop wants from the same worker travels in one message, and so do the answers: a message
costs as much as a command. Each ask that was sent is answered exactly once: by its worker, or by what became
of it. ``NOT_DELIVERED`` is certain, the server found nobody to give it to; ``NO_ANSWER`` is not, the worker
may have done it before it, or the way back, was lost.
"""

import asyncio
import logging
import secrets
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Protocol, TypeVar

import msgspec

from actors.fabric.codec import EnvelopeCodec
from actors.fabric.connection import Connection, Msg, Unreachable
from actors.fabric.envelope import (
    BATCH,
    SIZE,
    VERSION,
    AnswerBatch,
    AskBatch,
    Unreadable,
    WireAnswer,
    WireAsk,
    decode_answers,
    decode_asks,
    encode,
)
from actors.journal.codec import Unstorable
from actors.messages import Answer, Ask, Reason, Refused
from actors.routing import Undelivered

logger = logging.getLogger(__name__)

PENDING = 20_000
"""Asks that wait for other workers at most; more are refused at once."""
TAKEN = 20_000
"""Asks of other workers being worked on at most; more are refused at once."""
MESSAGE = 256 * 1024
"""Bytes after which another message is begun."""
OVERHEAD = 160
"""Bytes of an ask or answer beside its payload, roughly."""
SWEEP_SECONDS = 0.5
"""Between two looks for asks whose deadline has passed."""
UNREADABLE = ".unreadable"
"""Ends the subject on which a sender is told that its message could not be read: nothing of it was done. It
is no envelope, because that is what the two do not agree on."""
REPORTED = 256
"""Senders whose unreadable messages are remembered as logged."""

Outcome = Answer | Undelivered
Item = TypeVar("Item")


class _Subscribed(Protocol):
    async def unsubscribe(self) -> None: ...


class _Pending(msgspec.Struct):
    """An ask that was sent, or will be before this turn of the loop ends."""

    worker: str
    context: str
    aggregate: str
    deadline: float
    answered: Callable[[Outcome], None]
    message: int = 0
    """The number of the message that it travels in."""


class Courier:
    """One worker's. ``deliver(context, shard, ask)`` takes what other workers ask; it must answer every ask
    that it takes, and must not raise."""

    def __init__(
        self,
        connection: Connection,
        codec: EnvelopeCodec,
        cluster: str,
        worker: str,
        deliver: Callable[[str, int, Ask], None],
        clock: Callable[[], float],
        gather: float = 0.0,
    ) -> None:
        """``gather``: seconds between two messages to the same workers at least. 0: each turn of the loop
        sends its own. More makes messages fewer and larger while there is much to say; what comes after a
        pause is sent at once all the same."""
        self.unreadable: Counter[str] = Counter()
        """Messages that could not be read, by sender's id or ``?``."""
        self.taken = 0
        """Asks of other workers that are being worked on."""
        self._connection = connection
        self._codec = codec
        self._prefix = f"butai.{cluster}.worker."
        self._worker = worker
        self._inbox = f"{self._prefix}{worker}.answers"
        self._deliver = deliver
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        # Numbers of another life of this process must not be taken for ours.
        self._number = secrets.randbits(48)
        self._message = 0
        self._pending: dict[int, _Pending] = {}
        self._messages: dict[int, set[int]] = {}
        """Which asks travelled in a message, while any of them is pending."""
        self._asks: dict[str, list[WireAsk]] = {}
        self._answers: dict[str, list[WireAnswer]] = {}
        self._gather = gather
        self._flushing = False
        self._flushed = float("-inf")
        self._closed = False
        self._sweep: asyncio.TimerHandle | None = None
        self._reported: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._subscriptions: list[_Subscribed] = []

    @property
    def pending(self) -> int:
        """Asks that wait for other workers."""
        return len(self._pending)

    async def open(self) -> None:
        """Be reachable when this returns. Raises Unreachable or TimeoutError."""
        self._connection.on_change.append(self._link_changed)
        subscribe = self._connection.subscribe
        self._subscriptions.append(await subscribe(f"{self._inbox}.>", self._answers_arrived))
        self._subscriptions.append(await subscribe(f"{self._prefix}{self._worker}", self._asks_arrived))

    async def close(self) -> None:
        """Take and send nothing more; whoever waits is told ``NO_ANSWER``."""
        self._flush()
        self._closed = True
        if self._link_changed in self._connection.on_change:
            self._connection.on_change.remove(self._link_changed)
        for subscription in self._subscriptions:
            await subscription.unsubscribe()
        if self._sweep is not None:
            self._sweep.cancel()
        self._finish(list(self._pending), Undelivered.NO_ANSWER)

    # Asking ----------------------------------------------------------------------------------------------

    def send(
        self, worker: str, context: str, shard: int, ask: Ask, answered: Callable[[Outcome], None]
    ) -> None:
        """Bring an ask to ``worker``; ``answered`` is called exactly once, never before this returns.

        When the deadline passes without an answer, it is called with ``NO_ANSWER`` soon after."""
        number = self._number = self._number + 1
        now = self._clock()
        try:
            wire = self._sendable(number, context, shard, ask, now)
        except Unstorable as error:
            wire = Refused(Reason.FAILED, str(error))
        if not isinstance(wire, WireAsk):
            self._loop.call_soon(answered, wire)
            return
        self._pending[number] = _Pending(worker, context, ask.aggregate, ask.deadline, answered)
        self._asks.setdefault(worker, []).append(wire)
        self._flush_soon()
        if self._sweep is None:
            self._sweep = self._loop.call_later(SWEEP_SECONDS, self._expire)

    def _sendable(
        self, number: int, context: str, shard: int, ask: Ask, now: float
    ) -> WireAsk | Undelivered | Refused:
        if self._closed or not self._connection.connected:
            return Undelivered.NOT_DELIVERED
        if len(self._pending) >= PENDING:
            return Refused(Reason.OVERLOADED, "too many asks wait for other workers", 1.0)
        if ask.deadline <= now:
            return Refused(Reason.EXPIRED, "the deadline passed before the command was sent")
        return self._codec.to_wire(number, context, shard, ask, now)

    def worker_gone(self, worker: str) -> None:
        """It is dead: whatever was asked of it may have been done, and will not be answered."""
        gone = [number for number, pending in self._pending.items() if pending.worker == worker]
        unsent = {wire.number for wire in self._asks.pop(worker, ())}
        self._finish([n for n in gone if n in unsent], Undelivered.NOT_DELIVERED)
        self._finish([n for n in gone if n not in unsent], Undelivered.NO_ANSWER)
        self._answers.pop(worker, None)

    def _flush_soon(self) -> None:
        if self._flushing:
            return
        self._flushing = True
        wait = self._flushed + self._gather - self._loop.time() if self._gather else 0.0
        if wait > 0:
            self._loop.call_later(wait, self._flush)
        else:
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        if self._gather:
            self._flushed = self._loop.time()
        if self._asks:
            waiting, self._asks = self._asks, {}
            for worker, asks in waiting.items():
                for part in _portions(asks, _ask_size):
                    self._send_asks(worker, part)
        if self._answers:
            answers, self._answers = self._answers, {}
            for worker, ready in answers.items():
                for portion in _portions(ready, _answer_size):
                    self._send_answers(worker, portion)

    def _send_asks(self, worker: str, asks: list[WireAsk]) -> None:
        numbers = [ask.number for ask in asks]
        data = encode(AskBatch(VERSION, self._worker, asks))
        if len(data) > self._largest():
            self._finish(numbers, Refused(Reason.FAILED, f"{len(data)} bytes are more than the bus carries"))
            return
        self._message = message = self._message + 1
        try:
            self._connection.publish(f"{self._prefix}{worker}", data, f"{self._inbox}.{message}")
        except Unreachable:
            self._finish(numbers, Undelivered.NOT_DELIVERED)
            return
        self._messages[message] = set(numbers)
        for number in numbers:
            pending = self._pending.get(number)
            if pending is not None:
                pending.message = message

    def _largest(self) -> int:
        return min(SIZE, self._connection.largest)

    async def _answers_arrived(self, message: Msg) -> None:
        if not message.data and message.headers is not None and message.headers.get("Status") == "503":
            numbers = self._messages.get(_last_number(message.subject), ())
            self._finish(list(numbers), Undelivered.NOT_DELIVERED)
            return
        if message.subject.endswith(UNREADABLE):
            why = message.data[:1000].decode(errors="replace")
            self._report("?", f"our asks were unreadable to another worker: {why}")
            numbers = self._messages.get(_last_number(message.subject.removesuffix(UNREADABLE)), ())
            self._finish(list(numbers), Undelivered.NOT_DELIVERED)
            return
        try:
            batch = decode_answers(message.data)
        except Unreadable as error:
            # What they answered stays pending until its deadline, or until the worker is known to be gone.
            self._report("?", str(error))
            return
        for wire in batch.answers:
            pending = self._pending.get(wire.number)
            if pending is None or pending.worker != batch.sender:
                continue
            self._finish(
                [wire.number], self._codec.answer_from_wire(pending.context, pending.aggregate, wire)
            )

    def _finish(self, numbers: list[int], outcome: Outcome) -> None:
        for number in numbers:
            pending = self._pending.pop(number, None)
            if pending is None:
                continue
            travelled = self._messages.get(pending.message)
            if travelled is not None:
                travelled.discard(number)
                if not travelled:
                    del self._messages[pending.message]
            try:
                pending.answered(outcome)
            except Exception:
                # One ask's fault must not keep the others from their answers.
                logger.exception("an answer could not be taken", extra={"fields": {"from": pending.worker}})

    def _expire(self) -> None:
        now = self._clock()
        late = [number for number, pending in self._pending.items() if pending.deadline <= now]
        self._finish(late, Undelivered.NO_ANSWER)
        again = bool(self._pending) and not self._closed
        self._sweep = self._loop.call_later(SWEEP_SECONDS, self._expire) if again else None

    def _link_changed(self, connected: bool) -> None:
        if not connected:
            # Answers may be lost with the link: better ask again, the owner knows what it has done.
            self._asks, unsent = {}, [wire.number for asks in self._asks.values() for wire in asks]
            self._finish(unsent, Undelivered.NOT_DELIVERED)
            self._finish(list(self._pending), Undelivered.NO_ANSWER)

    # Being asked -----------------------------------------------------------------------------------------

    async def _asks_arrived(self, message: Msg) -> None:
        try:
            batch = decode_asks(message.data)
        except Unreadable as error:
            self._report("?", str(error))
            self._tell_unreadable(message.reply, str(error))
            return
        now = self._clock()
        for wire in batch.asks:
            self._take(batch.sender, wire, now)

    def _take(self, sender: str, wire: WireAsk, now: float) -> None:
        number = wire.number
        if self.taken >= TAKEN:
            self._answer(sender, number, Refused(Reason.OVERLOADED, "the worker is busy", 1.0))
            return
        answered = False

        def reply(answer: Answer) -> None:
            nonlocal answered
            if not answered:
                answered = True
                self.taken -= 1
                self._answer(sender, number, answer)

        ask = self._codec.from_wire(wire, now, reply)
        if isinstance(ask, Refused):
            self._answer(sender, number, ask)
            return
        self.taken += 1
        try:
            self._deliver(wire.context, wire.shard, ask)
        except Exception:
            logger.exception("an ask could not be delivered", extra={"fields": {"from": sender}})
            reply(Refused(Reason.FAILED, "the ask could not be delivered"))

    def _answer(self, worker: str, number: int, answer: Answer) -> None:
        try:
            wire = self._codec.answer_to_wire(number, answer)
        except Unstorable as error:
            wire = self._codec.answer_to_wire(number, Refused(Reason.FAILED, str(error)))
        self._answers.setdefault(worker, []).append(wire)
        self._flush_soon()

    def _send_answers(self, worker: str, answers: list[WireAnswer]) -> None:
        data = encode(AnswerBatch(VERSION, self._worker, answers))
        if len(data) > self._largest():
            # A single one: portions are far smaller. What was accepted is done; only its answer is too large.
            detail = f"the answer's {len(data)} bytes are more than the bus carries"
            refused = Refused(Reason.OUTCOME_UNKNOWN, detail)
            data = encode(
                AnswerBatch(
                    VERSION, self._worker, [self._codec.answer_to_wire(a.number, refused) for a in answers]
                )
            )
        try:
            self._connection.publish(f"{self._prefix}{worker}.answers.0", data)
        except Unreachable as error:
            # Its sender is told by its own link, or asks again: the owner knows what it has done.
            logger.debug("answers could not be sent", extra={"fields": {"to": worker, "error": str(error)}})

    def _tell_unreadable(self, reply: str, why: str) -> None:
        """Only to where workers wait for answers: a stranger's bytes must not choose who gets mail."""
        if not (reply.startswith(self._prefix) and reply.rpartition(".")[0].endswith(".answers")):
            return
        try:
            self._connection.publish(f"{reply}{UNREADABLE}", why[:1000].encode(errors="replace"))
        except Unreachable as error:
            logger.debug("a refusal could not be sent", extra={"fields": {"error": str(error)}})

    def _report(self, sender: str, why: str) -> None:
        """Count it, and log it once per sender and reason."""
        self.unreadable[sender if sender in self.unreadable or len(self.unreadable) < REPORTED else "?"] += 1
        key = (sender, why)
        if key not in self._reported:
            self._reported[key] = None
            if len(self._reported) > REPORTED:
                self._reported.popitem(last=False)
            logger.warning("a message cannot be read", extra={"fields": {"from": sender, "why": why}})


def _portions(items: list[Item], size: Callable[[Item], int]) -> list[list[Item]]:
    """In order, in as few messages as limits allow; what is too large by itself is alone."""
    if len(items) == 1:
        return [items]
    portions: list[list[Item]] = [[]]
    room = MESSAGE
    for item in items:
        needed = size(item)
        if portions[-1] and (needed > room or len(portions[-1]) == BATCH):
            portions.append([])
            room = MESSAGE
        portions[-1].append(item)
        room -= needed
    return portions


def _ask_size(ask: WireAsk) -> int:
    return OVERHEAD + len(ask.data) + sum(len(argument) for argument in ask.arguments)


def _answer_size(answer: WireAnswer) -> int:
    return OVERHEAD + len(answer.body) + len(answer.detail)


def _last_number(subject: str) -> int:
    digits = subject.rpartition(".")[2]
    return int(digits) if digits.isdecimal() and len(digits) < 20 else 0
