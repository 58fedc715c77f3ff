"""Messages out of mailboxes, to actors, one at a time.

A turn takes ready addresses in order, at most ``QUANTUM`` messages each, until its time is over; then the
loop's sockets and timers have their turn. The clock is read after 1, 2, 4, ... messages, so slow handlers
overrun a turn by about as much as they have run, and fast ones do not pay for it.
"""

import asyncio
import logging
import math
import sys
import traceback
from collections import deque
from time import perf_counter
from typing import Any

from thespian.actors import (
    ActorExitRequest,
    ActorSystemMessage,
    ChildActorExited,
    PoisonMessage,
    Thespian_StatusReq,
)

from actors.stage.address import Address, Envelope
from actors.stage.mailboxes import Mailboxes

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


class _Retry(ActorSystemMessage):
    """A message that failed, on its way to be tried again behind what has come since."""

    __slots__ = ("attempts", "message")

    def __init__(self, message: Any, attempts: int) -> None:
        self.message = message
        self.attempts = attempts


class Dispatch(Mailboxes):
    """Turns, poison, and the messages that mean something to the stage itself."""

    def __init__(self, loop: asyncio.AbstractEventLoop, turn_seconds: float, mailbox: int) -> None:
        super().__init__(loop, mailbox)
        self.turn_seconds = turn_seconds
        self.messages = 0
        self.failures = 0
        self.stopped = False
        self._running = False

    def exit_requested(self, address: Address, recursive: bool) -> None:
        """End an actor that has had its ``ActorExitRequest``."""
        raise NotImplementedError

    def status_of(self, address: Address) -> Any:
        """The answer to a ``Thespian_StatusReq``."""
        raise NotImplementedError

    def settle(self) -> None:
        """Run until no message is waiting. For tests and for shutting down in order.

        Raises ``RuntimeError`` from within an actor, or when actors talk without end."""
        if self._running:
            raise RuntimeError("an actor cannot wait for the stage to settle")
        self._run(math.inf, SETTLED_MESSAGES)
        if self._ready:
            raise RuntimeError(f"still busy after {SETTLED_MESSAGES} messages")

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
                    message, sender = box
                    handled += 1
                    actor = address.actor
                    if actor is None or isinstance(message, ActorSystemMessage):
                        self._special(address, message, sender)
                    else:
                        try:
                            actor.receiveMessage(message, sender)
                        except BaseException:  # noqa: BLE001 - whatever a handler raises, others go on
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
                    except BaseException:  # noqa: BLE001 - whatever a handler raises, others go on
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
        except BaseException:  # noqa: BLE001 - whatever a handler raises, others go on
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
            if not self.reach(sender, answer, address):
                self.dead_letter(sender, answer)
