"""Messages into mailboxes, or back to their senders.

Who may still enter a mailbox that holds ``bound`` messages:

- an ordinary message may not: ``offer`` says False, a ``send`` is answered with ``MailboxFull``;
- an answer of the system to something its receiver did (``MailboxFull``, ``PoisonMessage``,
  ``DeadEnvelope``) and any ``ActorSystemMessage`` that an actor sends itself may, up to ``2 * bound``;
  above that it is a dead letter, counted, so a sender that never listens cannot fill the memory;
- what must never be lost always may, because its number is bounded elsewhere: ``ChildActorExited`` (one
  per child), ``WakeupMessage`` (each was asked for, and the stage bounds those pending), one
  ``ActorExitRequest`` (a second finds the first before it, so it would meet a dead actor: it becomes a
  dead letter at once), and the retry of a message that failed (it gave up its place to be handled).

An address is in the ready queue exactly while its mailbox holds something.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any

from thespian.actors import ActorAddress, ActorExitRequest, ActorSystemMessage, DeadEnvelope

from actors.stage.address import Address, Envelope
from actors.stage.notices import MailboxFull

log = logging.getLogger("butai.stage")


class Mailboxes:
    """The rules of the mailboxes, the queue of those that hold something, and dead letters."""

    root: Address

    def __init__(self, loop: asyncio.AbstractEventLoop, mailbox: int) -> None:
        self.loop = loop
        self.mailbox = mailbox
        """The bound of actors that state none."""
        self.dead_letters = 0
        self.refused = 0
        self._ready: deque[Address] = deque()
        self._crossing: deque[tuple[Address, Any, Address]] = deque()
        self._dead_letter_handler: Address | None = None
        self._turn_handle: asyncio.Handle | None = None
        self.enqueue: Callable[[Address], object] = self._awaken
        """Makes an address ready. A bare ``deque.append`` while a turn runs or is due, and ``_awaken``
        while there is nothing to do, so that a send need not ask which of the two it is."""

    def resolve(self, address: ActorAddress) -> Address | None:
        """The stage's own record behind an address that was made elsewhere, by its text."""
        raise NotImplementedError

    def _turn(self) -> None:
        """Let actors handle what is ready."""
        raise NotImplementedError

    def _awaken(self, address: Address) -> None:
        self._ready.append(address)
        self.enqueue = self._ready.append
        self._turn_handle = self.loop.call_soon(self._turn)

    def offer(self, target: Address, message: Any, sender: Address | None = None) -> bool:
        """Put a message into a mailbox; False at once, and nothing done, when it is full.

        To an actor that is gone, or on a stage that was shut down, it is taken and becomes a dead letter."""
        if target.mailbox is None:
            target.mailbox = (message, self.root if sender is None else sender)
            self.enqueue(target)
            return True
        if self.post(target, message, self.root if sender is None else sender):
            return True
        self.refused += 1
        return False

    def send(self, sender: Address, target: ActorAddress, message: Any) -> None:
        """An actor's send in all cases: foreign addresses, other stages, and full mailboxes."""
        address = target if target.__class__ is Address else self.resolve(target)
        if address is None:
            self.dead_letter(target, message)
        elif not self.reach(address, message, sender):
            self.refuse(sender, address, message)

    def reach(self, target: Address, message: Any, sender: Address) -> bool:
        """``post``, on whichever stage of this process the target lives."""
        if target.stage is self:
            return self.post(target, message, sender)
        return target.stage.cross(target, message, sender)

    def cross(self, target: Address, message: Any, sender: Address) -> bool:
        """Take a message from another stage's thread, as many at once as one mailbox holds."""
        if len(self._crossing) >= self.mailbox:
            return False
        self._crossing.append((target, message, sender))
        try:
            self.loop.call_soon_threadsafe(self._crossed)
        except RuntimeError:  # the loop is closed
            self._crossing.clear()
            self.dead_letters += 1
        return True

    def _crossed(self) -> None:
        target, message, sender = self._crossing.popleft()
        if not self.post(target, message, sender):
            self.refuse(sender, target, message)

    def post(self, target: Address, message: Any, sender: Address) -> bool:
        """Put a message into a mailbox if its rules allow; False: it was not taken."""
        box = target.mailbox
        if box is None:
            target.mailbox = (message, sender)
            self.enqueue(target)
            return True
        length = 1 if box.__class__ is tuple else len(box)
        if length >= target.bound:
            if not isinstance(message, ActorSystemMessage):
                return False
            if isinstance(message, ActorExitRequest):
                if _awaits_exit(box):
                    self.dead_letter(target, message)
                    return True
            elif length >= 2 * target.bound:
                return False
        self._append(target, box, (message, sender))
        return True

    def deliver(self, target: Address, message: Any, sender: Address) -> None:
        """Put a message that is bounded by its nature into a mailbox, full or not."""
        box = target.mailbox
        if box is None:
            target.mailbox = (message, sender)
            self.enqueue(target)
        else:
            self._append(target, box, (message, sender))

    @staticmethod
    def _append(target: Address, box: Envelope | deque[Envelope], envelope: Envelope) -> None:
        if isinstance(box, deque):
            box.append(envelope)
        else:
            target.mailbox = deque((box, envelope))

    def refuse(self, sender: Address, target: Address, message: Any) -> None:
        """Tell a sender that its message was not taken."""
        self.refused += 1
        notice = MailboxFull(target, message)
        if sender.actor is None or not self.reach(sender, notice, self.root):
            self.dead_letter(target, message)

    def dead_letter(self, target: ActorAddress, message: Any) -> None:
        """Count a message that nobody will receive, and show it to the dead letter handler, if any."""
        self.dead_letters += 1
        log.debug("dead letter for %s: %r", target, message)
        handler = self._dead_letter_handler
        if handler is not None and not isinstance(message, DeadEnvelope):
            self.post(handler, DeadEnvelope(target, message), self.root)

    def handle_dead_letters(self, address: Address, enable: bool) -> None:
        """From now on this actor is shown dead letters, in place of the one before it; or no longer."""
        if enable:
            self._dead_letter_handler = address
        elif self._dead_letter_handler is address:
            self._dead_letter_handler = None

    @property
    def pending(self) -> int:
        """Messages in mailboxes. Counted when asked for: keeping the number would cost every send."""
        boxes = (address.mailbox for address in set(self._ready))
        return sum(1 if isinstance(box, tuple) else len(box) for box in boxes if box is not None)


def _awaits_exit(box: Envelope | deque[Envelope]) -> bool:
    envelopes = box if isinstance(box, deque) else (box,)
    return any(isinstance(message, ActorExitRequest) for message, _ in envelopes)
