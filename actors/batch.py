"""A batch: events on their way into one commit, with what waits for it."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from actors.journal.port import Row, Snapshot
from actors.messages import Answer, Ask

if TYPE_CHECKING:
    from actors.entity import Entity

logger = logging.getLogger(__name__)

Held = tuple[Ask, Answer, "Entity"]
"""An answer that may not leave yet, and the entity that decided it."""


class Batch:
    """Events on their way into one commit, and the answers that wait for it."""

    __slots__ = ("committed", "held", "rows", "snapshots", "then", "waiting_for_snapshot")

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.held: list[Held] = []
        self.waiting_for_snapshot: list[Entity] = []
        self.snapshots: list[Snapshot] = []
        self.then: list[Callable[[], None]] = []
        """What waits for the batch's end, whatever it is."""
        self.committed = False
        """True once its events are durable, or known never to be."""

    def answer(self) -> None:
        """Let every held answer go, in order."""
        for ask, answer, _ in self.held:
            reply(ask, answer)
        self.end()

    def end(self) -> None:
        """Its fate is settled. An entity remembers its last batch until it is asked again, so this one must
        let go of what it carried: the requests of a whole commit would live as long as an idle entity."""
        self.committed = True
        then, self.then = self.then, []
        self.rows, self.held, self.snapshots, self.waiting_for_snapshot = [], [], [], []
        for callback in then:
            callback()


def reply(ask: Ask, answer: Answer) -> None:
    """Answer; a caller whose reply fails must not stop the others'."""
    try:
        ask.reply(answer)
    except Exception:
        logger.exception("a reply could not be taken")
