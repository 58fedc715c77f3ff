"""A projector: the actor that folds one shard into one generation of a view, wherever the shard lives.

It knows how far the store is and how far the shard; rows between the two come from the commits themselves,
or in pages from the journal. What it has to fold goes to the pump, which folds for all projectors together
(``pump.py``). An event that cannot be folded is tried again, later each time and a bounded number of times;
then the projector is *parked*: it waits for an operator, and everything else goes on.
"""

import logging
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from thespian.actors import Actor, WakeupMessage

from actors.journal.port import Row
from actors.views.folding import Folding
from actors.views.port import Done, Failure, Generation, Place, Work

if TYPE_CHECKING:
    from actors.views.pump import Pump

logger = logging.getLogger(__name__)

LOOK = object()
"""The message that has a projector find out what it lacks."""


class ProjectorState(StrEnum):
    """What a projector does."""

    FOLLOWING = "following"
    """It has folded all that is committed, or is about to."""
    CATCHING_UP = "catching up"
    """It reads from the journal what it has missed."""
    RETRYING = "retrying"
    """An event could not be folded, and will be tried again."""
    PARKED = "parked"
    """An event could not be folded too often: an operator must release or skip it."""
    PAUSED = "paused"
    """An operator has halted the view."""


class Projector(Actor):
    """Folds one shard into one generation."""

    def __init__(
        self, pump: "Pump", generation: Generation, folding: Folding, shard: int, place: Place, head: int
    ) -> None:
        """``place`` is what the store says, ``head`` the shard's last committed sequence."""
        self.pump = pump
        self.generation = generation.number
        self.view = generation.view
        self.live = generation.live
        self.folding = folding
        self.shard = shard
        self.seq = place.seq
        self.complete = place.complete
        self.head = head
        self.failure: Failure | None = None
        self.attempts = 0
        self.parked = False
        self.paused = generation.paused
        self.reading = False
        """A page is being read for it."""
        self._rows: list[Row] = []
        self._beyond: list[Row] = []
        """Committed while a page is being read: they follow what it brings, sooner or later."""
        self._flying: int | None = None
        """The last sequence of what the pump folds at present."""
        self._waiting = False
        self._gone = False

    def receiveMessage(self, message: Any, sender: Any) -> None:
        """Take the rows of a commit, a wake-up to try again, or the word to look."""
        if type(message) is tuple:
            self.committed(message)
        elif isinstance(message, WakeupMessage):
            self._waiting = False
            self.look()
        elif message is LOOK:
            self.look()

    @property
    def state(self) -> ProjectorState:
        """What it does at present."""
        if self.paused:
            return ProjectorState.PAUSED
        if self.parked:
            return ProjectorState.PARKED
        if self.failure is not None:
            return ProjectorState.RETRYING
        if self.tip < self.head:
            return ProjectorState.CATCHING_UP
        return ProjectorState.FOLLOWING

    @property
    def idle(self) -> bool:
        """Nothing may be folded now."""
        return self.paused or self.parked or self._waiting or self._gone

    @property
    def tip(self) -> int:
        """The sequence after which rows are wanted next."""
        if self._rows:
            return self._rows[-1].seq
        return self.seq if self._flying is None else self._flying

    @property
    def waiting_rows(self) -> int:
        """How many rows wait to be folded."""
        return len(self._rows)

    # What there is to fold -------------------------------------------------------------------------------

    def committed(self, rows: Sequence[Row]) -> None:
        """These rows of the shard are committed."""
        follows = rows[0].seq == self.tip + 1
        self.head = max(self.head, rows[-1].seq)
        if self.idle:
            return
        if self.reading:
            self._keep(rows)
        elif follows and len(self._rows) + len(rows) <= self.pump.settings.pending:
            self._rows += rows
            self.pump.ready(self)
        else:
            self.look()

    def _keep(self, rows: Sequence[Row]) -> None:
        beyond = self._beyond
        if beyond and (
            rows[0].seq != beyond[-1].seq + 1 or len(beyond) + len(rows) > self.pump.settings.pending
        ):
            beyond.clear()
        beyond += rows

    def page(self, rows: Sequence[Row], after: int) -> None:
        """What was read from the journal after ``after``."""
        self.reading = False
        if self.idle:
            return
        if after == self.tip and rows:
            self._rows += rows
            self.head = max(self.head, rows[-1].seq)
            if self._beyond and self._beyond[0].seq <= self.tip + 1:
                self._rows += [row for row in self._beyond if row.seq > self.tip]
                self._beyond.clear()
        self.look()

    def look(self) -> None:
        """Say what there is to do, if there is anything."""
        if self.idle:
            return
        if self._rows or (self.seq == self.head and not self.complete):
            self.pump.ready(self)
        if self.tip < self.head and not self.reading and len(self._rows) <= self.pump.settings.page // 2:
            self.pump.wants_page(self)

    def take(self, limit: int) -> Work | None:
        """At most so many rows to be folded now."""
        if self.idle or self._flying is not None:
            return None
        rows = self._rows[:limit]
        last = rows[-1].seq if rows else self.seq
        complete = last == self.head and not self.complete
        if not rows and not complete:
            return None
        del self._rows[:limit]
        self._flying = last
        return Work(self.generation, self.shard, self.seq, rows, self.folding, complete)

    # What became of it -----------------------------------------------------------------------------------

    def done(self, work: Work, done: Done) -> None:
        """The pump has folded."""
        self._flying = None
        if done.gone:
            self._gone = True
            self._forget()
            return
        if done.moved:
            # Another worker folded meanwhile, or an earlier word of ours went unheard: the store is right.
            self._forget()
            self.head = max(self.head, done.seq)
        elif work.complete and done.failure is None:
            self.complete = True
        self.seq = done.seq
        if done.failure is not None:
            self._failed(done.failure)
            return
        self.failure, self.attempts = None, 0
        self.look()

    def undone(self) -> None:
        """The store could not be reached; what was folded in it is found out with the next work."""
        self._flying = None
        self._forget()
        self.look()

    def _failed(self, failure: Failure) -> None:
        self._forget()
        known = self.failure is not None and self.failure.seq == failure.seq
        self.attempts = self.attempts + 1 if known else 1
        self.failure = failure
        settings = self.pump.settings
        fields = {"view": self.view, "shard": self.shard, **_fields(failure), "attempts": self.attempts}
        if self.attempts >= settings.attempts:
            self.parked = True
            logger.error("a view's shard is parked", extra={"fields": fields})
            return
        logger.warning("an event cannot be folded", extra={"fields": fields})
        self._waiting = True
        self.wakeupAfter(min(settings.backoff * 2.0 ** (self.attempts - 1), settings.backoff_limit))

    def _forget(self) -> None:
        """What is in memory does not follow the store's position any more, or is not wanted."""
        self._rows.clear()
        self._beyond.clear()

    # What operators want ---------------------------------------------------------------------------------

    def release(self) -> None:
        """Try again what it was parked with."""
        self.parked, self.attempts = False, 0
        self.look()

    def skipped(self, seq: int) -> None:
        """The store has passed over this event."""
        self.seq = seq
        self.parked, self.failure, self.attempts = False, None, 0
        self._forget()
        self.look()

    def pause(self, paused: bool) -> None:
        """Halt, or go on."""
        if paused != self.paused:
            self.paused = paused
            self._forget()
            self.look()

    def stop(self) -> None:
        """Fold nothing more: the shard or the generation is gone."""
        self._gone = True
        self._forget()


def _fields(failure: Failure) -> dict[str, object]:
    return {
        "seq": failure.seq,
        "event": failure.event,
        "entity": failure.entity,
        "version": failure.version,
        "error": failure.error,
    }
