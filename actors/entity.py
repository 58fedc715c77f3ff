"""An entity: one living aggregate, an actor that decides one command after the other.

It evolves at once and answers when the journal has what it decided on (see ``commit``). Nothing it knows is
ever rolled back: an entity in doubt is dropped, and replayed by its shard.
"""

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from thespian.actors import Actor

from actors.aggregate import AggregateType, Replayed
from actors.batch import Batch
from actors.journal.codec import encode_event, encode_state, pack_snapshot
from actors.journal.port import Row, Snapshot
from actors.keys import Use
from actors.messages import Absent, Accepted, Answer, Ask, Reason, Refused, Rejected, Shown
from actors.replies import Recorded, instant, reply_body, state_body
from contexts.vocabulary import Call, Event, Rejection

if TYPE_CHECKING:
    from actors.shard import Shard

logger = logging.getLogger(__name__)

BYTES_PER_EVENT = 100
"""A snapshot of n bytes is taken every n/100 events at most. Writing it costs about 15 ns a byte in all
(encoding, log, checkpoint), deciding and committing an event about 40 us: so it stays under 5 %."""


class Entity(Actor):
    """One aggregate's state, version and remembered keys, with its answers in order."""

    def __init__(self, shard: "Shard", kind: AggregateType, id: str, replayed: Replayed, now: float) -> None:
        self.shard = shard
        self.kind = kind
        self.id = id
        self.state = replayed.state
        self.version = replayed.version
        self.seq = replayed.seq
        self.keys = replayed.keys
        self.snapshot_due = self._due(replayed.snapshot_version, replayed.snapshot_bytes)
        self.snapshot_version = replayed.snapshot_version
        self.batch: Batch | None = None
        """The last batch that holds events of ours, while it is not committed."""
        self.gone = False
        """Dropped, stopped or passivated: what still arrives goes back to the shard."""
        self.used = self.placed = now
        self.address: Any = None
        """Set by the shard once the actor has one."""

    @property
    def mailbox_bound(self) -> int:
        """What the stage lets wait at this actor."""
        return self.kind.settings.mailbox

    @property
    def quiet(self) -> bool:
        """Nothing uncommitted, so nothing held either."""
        return self.batch is None or self.batch.committed

    def receiveMessage(self, message: Any, sender: Any) -> None:
        """Take an ``Ask``; the actor system's own messages need nothing."""
        if type(message) is not Ask:
            return
        if self.gone:
            self.shard.receive(message)
            return
        now = self.used = self.shard.clock()
        if message.deadline <= now:
            message.reply(Refused(Reason.EXPIRED, "the deadline passed before the command was decided"))
        elif not self.shard.lease.holds(now):
            self.shard.elsewhere(message)
        elif message.command is None:
            self._show(message)
        else:
            self._decide(message)

    def _decide(self, ask: Ask) -> None:
        shard, kind = self.shard, self.kind
        name = ask.key or ask.command_id
        if name is not None and self._answered_before(ask, name):
            return
        if ask.expected is not None and ask.expected != self.version:
            self._answer(
                ask, Refused(Reason.PRECONDITION, f"the version is {self.version}, not {ask.expected}")
            )
            return
        if shard.committer.full:
            ask.reply(Refused(Reason.OVERLOADED, "too many events wait for their commit", retry_after=1.0))
            return
        at = shard.wall()
        moment = instant(at)
        try:
            if kind.takes_call:
                decision = kind.decide(self.state, ask.command, Call(moment, ask.by))
            else:
                decision = kind.decide(self.state, ask.command)
            if isinstance(decision, Rejection):
                answer: Answer = Rejected(self.version, decision)
                if name is not None:
                    shard.answers.remember(name, ask.fingerprint, answer)
                self._answer(ask, answer)
            elif decision:
                self._happen(ask, decision, at, moment)
            else:
                body = reply_body(self.version, shard.position(self.seq), [])
                self._answer(ask, Accepted(self.version, body, changed=False))
        except BaseException as error:  # noqa: BLE001 - whatever an author's code raises, SystemExit too
            self.shard.failed(self, ask, error)

    def _happen(self, ask: Ask, events: Sequence[Event], at: int, moment: datetime) -> None:
        """Evolve at once, number the events and give them to the committer with their answer."""
        shard, kind = self.shard, self.kind
        state, version, seq = self.state, self.version, shard.seq
        command_id = ask.key or ask.command_id or shard.command_id()
        rows: list[Row] = []
        recorded: list[Recorded] = []
        for event in events:
            version += 1
            seq += 1
            name, stored = kind.names[type(event)]
            recorded.append(Recorded(version, name, moment, event))
            rows.append(
                Row(
                    shard.number,
                    seq,
                    kind.name,
                    self.id,
                    version,
                    stored,
                    command_id,
                    ask.fingerprint,
                    at,
                    ask.by.subject,
                    ask.trace,
                    encode_event(event),
                )
            )
            state = kind.evolve(state, event)
        accepted = Accepted(version, reply_body(version, shard.position(seq), recorded))
        # From here on nothing can fail: entity, shard and batch change together.
        if ask.key is not None:
            self._remember(ask.key, Use(ask.fingerprint or b"", self.version + 1, version, at))
        if ask.key is not None or ask.command_id is not None:
            shard.answers.remember(command_id, ask.fingerprint, accepted)
        self.state, self.version, self.seq = state, version, seq
        shard.seq = seq
        ask.decided = True
        self.batch = batch = shard.committer.add(rows, (ask, accepted, self))
        if version >= self.snapshot_due:
            self.snapshot_due = version + kind.settings.snapshot_every
            batch.waiting_for_snapshot.append(self)

    def _answer(self, ask: Ask, answer: Answer) -> None:
        """Answer once the version it was decided on is committed."""
        batch = self.batch
        if batch is None:
            ask.reply(answer)
        elif batch.committed:
            self.batch = None
            ask.reply(answer)
        else:
            ask.decided = True
            batch.held.append((ask, answer, self))

    def _show(self, ask: Ask) -> None:
        version = self.version
        try:
            shown = self.state if ask.part is None else ask.part(self.state, *ask.arguments)
            if version == 0 or shown is None:
                self._answer(ask, Absent(version))
            else:
                self._answer(ask, Shown(version, state_body(version, self.shard.position(self.seq), shown)))
        except BaseException as error:  # noqa: BLE001 - whatever an author's code raises, SystemExit too
            self.shard.failed(self, ask, error)

    def _answered_before(self, ask: Ask, name: bytes) -> bool:
        """Answer from memory if the command is known by its key, or by its id when another worker has sent
        it; the first answer may still wait for its commit."""
        use = None if self.keys is None or ask.key is None else self.keys.find(name)
        first = self.shard.answers.find(name)
        if use is not None and first is not None and isinstance(first[1], Rejected):
            # Rejected here, then accepted where the shard was meanwhile: what happened is in the journal.
            first = None
        if use is None and first is None:
            if ask.attempt == 0 or ask.key is not None:
                return False
            if not self._comes_back(ask):
                # An owner that never answered may have committed it: its events carry the id.
                self.shard.look_up(ask, self.version)
            return True
        fingerprint = use.fingerprint if use is not None else first and first[0]
        if fingerprint != ask.fingerprint:
            self._answer(ask, Refused(Reason.KEY_REUSED, "the key was used with another payload"))
        elif first is not None:
            self._answer(ask, _again(first[1], told=ask.key is not None))
        elif use is not None and not self._comes_back(ask):
            # Too long ago for the worker's memory of answers: the journal has it.
            self.shard.recollect(ask, use.first, use.last)
        return True

    def _comes_back(self, ask: Ask) -> bool:
        """Whether the ask must come again after the commit: the journal cannot tell everything yet."""
        batch = self.batch
        if batch is None or batch.committed:
            return False
        batch.then.append(lambda: self.shard.receive(ask))
        return True

    def _remember(self, key: bytes, use: Use) -> None:
        if self.keys is None:
            self.keys = self.kind.new_keys()
        self.keys.remember(key, use)

    def take_snapshot(self, batch: Batch) -> None:
        """Add a snapshot to the batch that commits this very version; later, if it is not that one."""
        if self.gone or self.batch is not batch:
            self.snapshot_due = self.version + 1
            return
        snapshot = self.snapshot()
        if snapshot is not None:
            batch.snapshots.append(snapshot)

    def snapshot(self) -> Snapshot | None:
        """The present state, to be stored no earlier than its version is committed; None if it cannot be
        encoded: without a snapshot a replay takes longer, that is all."""
        keys = list(self.keys.rows()) if self.keys is not None else []
        kind = self.kind
        try:
            data = pack_snapshot(encode_state(self.state), keys)
        except Exception:
            logger.exception("no snapshot could be taken", extra={"fields": {"id": self.id}})
            self.snapshot_due = self.version + kind.settings.snapshot_every
            return None
        self.snapshot_version = self.version
        self.snapshot_due = self._due(self.version, len(data))
        return Snapshot(self.shard.number, kind.name, self.id, self.version, self.seq, kind.fingerprint, data)

    def _due(self, version: int, size: int) -> int:
        return version + max(self.kind.settings.snapshot_every, size // BYTES_PER_EVENT)


def _again(answer: Answer, *, told: bool) -> Answer:
    """The first answer once more; that it is a repetition is told to who repeats by key."""
    if told and isinstance(answer, Accepted):
        return Accepted(answer.version, answer.body, answer.changed, replayed=True)
    if told and isinstance(answer, Rejected):
        return Rejected(answer.version, answer.rejection, replayed=True)
    return answer
