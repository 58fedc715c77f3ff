"""Messages into mailboxes, and out of them to actors, one at a time.

Who may still enter a mailbox that holds ``bound`` messages:

- an ordinary message may not: ``offer`` says False, a ``send`` is answered with ``MailboxFull``;
- an answer of the system to something its receiver did (``MailboxFull``, ``PoisonMessage``,
  ``DeadEnvelope``) and any ``ActorSystemMessage`` that an actor sends itself may, up to ``2 * bound``;
  above that it is a dead letter, counted, so a sender that never listens cannot fill the memory;
- what must never be lost always may, because its number is bounded elsewhere: ``ChildActorExited`` (one
  per child), ``WakeupMessage`` (each was asked for, and the stage bounds those pending), one
  ``ActorExitRequest`` (a second finds the first before it, so it would meet a dead actor: it becomes a
  dead letter at once), and the retry of a message that failed (it gave up its place to be handled).

An address is in the ready queue exactly while its mailbox holds something. A turn takes addresses in
order, at most ``QUANTUM`` messages each, until its time is over; then the loop's sockets and timers have
their turn. The clock is read after 1, 2, 4, ... messages, so slow handlers overrun a turn by about as much
as they have run, and fast ones do not pay for it.
"""

import asyncio
import logging
import math
import sys
import traceback
from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import Any

from thespian.actors import (
    ActorAddress,
    ActorExitRequest,
    ActorSystemMessage,
    ChildActorExited,
    DeadEnvelope,
    PoisonMessage,
    Thespian_StatusReq,
)

from actors.stage.address import Address, Envelope
from actors.stage.notices import MailboxFull

log = logging.getLogger("butai.stage")

QUANTUM = 8
"""Messages one actor may handle before the next has its turn."""
CLOCK_STRIDE = 64
"""Messages between two looks at the clock, at most."""
ATTEMPTS = 3
"""How often a message may fail before it is poison, as in thespian."""
POISON_ATTEMPTS = 2
SETTLED_MESSAGES = 10_000_000
"""Messages ``settle`` handles at most: above it actors talk without end."""


class _Retry(ActorSystemMessage):  # type: ignore[misc]
    """A message that failed, on its way to be tried again behind what has come since."""

    __slots__ = ("attempts", "message")

    def __init__(self, message: Any, attempts: int) -> None:
        self.message = message
        self.attempts = attempts


class Dispatch:
    """The ready queue, the mailboxes' rules, poison and dead letters. ``Stage`` adds the actors' lives."""

    root: Address

    def __init__(self, loop: asyncio.AbstractEventLoop, turn_seconds: float) -> None:
        self.loop = loop
        self.turn_seconds = turn_seconds
        self.messages = 0
        self.dead_letters = 0
        self.refused = 0
        self.failures = 0
        self.stopped = False
        self._ready: deque[Address] = deque()
        self._turn_handle: asyncio.Handle | None = None
        self._running = False
        self._dead_letter_handler: Address | None = None
        self.enqueue: Callable[[Address], object] = self._awaken
        """Makes an address ready. A bare ``deque.append`` while a turn runs or is due, and ``_awaken``
        while there is nothing to do, so that a send need not ask which of the two it is."""

    def exit_requested(self, address: Address, recursive: bool) -> None:
        """End an actor that has had its ``ActorExitRequest``."""
        raise NotImplementedError

    def status_of(self, address: Address) -> Any:
        """The answer to a ``Thespian_StatusReq``."""
        raise NotImplementedError

    def resolve(self, address: ActorAddress) -> Address | None:
        """The stage's own record behind an address that was made elsewhere, by its text."""
        raise NotImplementedError

    # ---- into a mailbox

    def offer(self, target: Address, message: Any, sender: Address | None = None) -> bool:
        """Put a message into a mailbox; False at once, and nothing done, when it is full."""
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
        if address is None or address.stage is not self:
            self.dead_letter(target, message)
        elif not self.post(address, message, sender):
            self.refuse(sender, address, message)

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
        if sender.actor is None or not self.post(sender, notice, self.root):
            self.dead_letter(target, message)

    def dead_letter(self, target: ActorAddress, message: Any) -> None:
        """A message that nobody will receive: counted, and shown to the dead letter handler if there is one."""
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

    # ---- out of a mailbox

    def settle(self) -> None:
        """Run until no message is waiting. For tests and for shutting down in order.

        Raises ``RuntimeError`` from within an actor, or when actors talk without end."""
        if self._running:
            raise RuntimeError("an actor cannot wait for the stage to settle")
        self._run(math.inf, SETTLED_MESSAGES)
        if self._ready:
            raise RuntimeError(f"still busy after {SETTLED_MESSAGES} messages")

    def _awaken(self, address: Address) -> None:
        self._ready.append(address)
        self.enqueue = self._ready.append
        self._turn_handle = self.loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._turn_handle = None
        self._run(self.turn_seconds, sys.maxsize)

    def _run(self, seconds: float, limit: int) -> None:
        ready = self._ready
        popleft = ready.popleft
        until = perf_counter() + seconds
        handled = 0
        look = 1
        self._running = True
        try:
            while ready:
                address = popleft()
                box = address.mailbox
                if box.__class__ is tuple:
                    address.mailbox = None
                    message, sender = box  # type: ignore[misc]
                    handled += 1
                    actor = address.actor
                    if actor is None or isinstance(message, ActorSystemMessage):
                        self._special(address, message, sender)
                    else:
                        try:
                            actor.receiveMessage(message, sender)
                        except BaseException:
                            self._failed(address, message, sender, 1)
                elif box is not None:
                    handled += self._burst(address, box)  # type: ignore[arg-type]
                if handled >= look:
                    if handled >= limit or perf_counter() >= until:
                        break
                    look = handled + min(handled, CLOCK_STRIDE)
        finally:
            self._running = False
            self.messages += handled
            self._rest()

    def _rest(self) -> None:
        """After a turn: ask for the next one, or fall asleep."""
        if self.stopped:
            return
        if self._ready:
            if self._turn_handle is None:
                self._turn_handle = self.loop.call_soon(self._turn)
            return
        if self._turn_handle is not None:
            self._turn_handle.cancel()
            self._turn_handle = None
        self.enqueue = self._awaken

    def _burst(self, address: Address, box: deque[Envelope]) -> int:
        """Handle up to a quantum of one actor's messages; what arrives meanwhile queues behind them."""
        handled = 0
        try:
            while box and handled < QUANTUM:
                message, sender = box.popleft()
                handled += 1
                actor = address.actor
                if actor is None or isinstance(message, ActorSystemMessage):
                    self._special(address, message, sender)
                else:
                    try:
                        actor.receiveMessage(message, sender)
                    except BaseException:
                        self._failed(address, message, sender, 1)
        finally:
            if address.mailbox is box:
                if box:
                    self._ready.append(address)
                else:
                    address.mailbox = None
        return handled

    def _special(self, address: Address, message: Any, sender: Address) -> None:
        """Handle what is not an ordinary message for a living actor."""
        attempts = 1
        if message.__class__ is _Retry:
            attempts = message.attempts + 1
            message = message.message
        actor = address.actor
        if actor is None:
            self.dead_letter(address, message)
            return
        if isinstance(message, Thespian_StatusReq):
            self.send(address, sender, self.status_of(address))
            return
        try:
            actor.receiveMessage(message, sender)
        except BaseException:
            self._failed(address, message, sender, attempts)
        if isinstance(message, ActorExitRequest) and address.parent is not None and address.actor is not None:
            self.exit_requested(address, message.isRecursive)

    def _failed(self, address: Address, message: Any, sender: Address, attempts: int) -> None:
        """A handler raised. Called while the exception is being handled; only Ctrl-C goes further."""
        if isinstance(sys.exception(), KeyboardInterrupt):
            raise
        self.failures += 1
        log.warning("actor %s failed on a message (attempt %d)", address, attempts, exc_info=True)
        if isinstance(message, ActorExitRequest) or address.actor is None:
            return
        poison = isinstance(message, PoisonMessage)
        if attempts < (POISON_ATTEMPTS if poison else ATTEMPTS):
            self.deliver(address, _Retry(message, attempts), sender)
        elif poison or isinstance(message, ChildActorExited):
            self.dead_letter(address, message)
        else:
            answer = PoisonMessage(message, traceback.format_exc())
            if not self.post(sender, answer, address):
                self.dead_letter(sender, answer)


def _awaits_exit(box: Envelope | deque[Envelope]) -> bool:
    envelopes = box if isinstance(box, deque) else (box,)
    return any(isinstance(message, ActorExitRequest) for message, _ in envelopes)
