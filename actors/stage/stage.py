"""The stage: the face that thespian's ``ActorSystem`` expects of a system base, usable from any thread."""

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from typing import Any, TypeVar

from thespian.actors import (
    ActorAddress,
    ActorExitRequest,
    ActorSystemFailure,
    ActorSystemRequestTimeout,
    ThespianGeneration,
)
from thespian.system.timing import timePeriodSeconds

from actors.clock import Clock
from actors.stage.address import Address
from actors.stage.lives import Lives
from actors.stage.notices import MailboxOverflow, StageStopped
from actors.stage.outside import Answer, Inbox, Private, Timeout

OUTSIDE_SECONDS = 60.0
"""How long another thread waits for the loop to take its call."""
LOOK_SECONDS = 1.0
"""How often it looks whether there still is a loop."""

T = TypeVar("T")


class Stage(Lives):
    """A thespian system base on a running loop: ``ActorSystem(systemBase=stage, transientUnique=True)``.

    Methods in thespian's spelling (``tell``, ``ask``, ``listen``, ``newPrimaryActor``, ``shutdown``, ...) may
    be called on any thread; all others on the loop's thread only. Make it on the loop's thread, or say which
    thread that is by its ident.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop | None = None,
        *,
        clock: Clock | None = None,
        mailbox: int = 10_000,
        turn_seconds: float = 0.005,
        wakeups: int = 1_000_000,
        capabilities: dict[str, Any] | None = None,
        thread: int | None = None,
    ) -> None:
        """``mailbox``: bound of actors that have no ``mailbox_bound``; ``wakeups``: of those pending."""
        loop = asyncio.get_running_loop() if loop is None else loop
        capabilities = {} if capabilities is None else capabilities
        capabilities.update(_capabilities())
        super().__init__(
            loop,
            clock,
            mailbox=mailbox,
            turn_seconds=turn_seconds,
            wakeups=wakeups,
            capabilities=capabilities,
        )
        self._thread = threading.get_ident() if thread is None else thread
        self._asks: set[asyncio.Future[Any]] = set()
        self._inboxes: dict[Address, Inbox] = {}
        self._inbox_number = 0
        self._inbox, self._outside = self.add_inbox()

    def addresses(self) -> Iterator[Address]:
        """The endpoints of other threads, the root, and every actor, parents first."""
        yield from self._inboxes
        yield from super().addresses()

    # ---- awaiting an answer on the loop

    def _ask_here(self, target: ActorAddress, message: Any, timeout: Timeout) -> "asyncio.Future[Any]":
        future: asyncio.Future[Any] = self.loop.create_future()
        answer = Address(self, None, None, self._take_inbox_number(), 1)
        answer.actor = Answer(future, lambda message: self.dead_letter(answer, message))
        timer = (
            None
            if timeout is None
            else self.clock.call_at(self.clock.now() + timePeriodSeconds(timeout), lambda: _expire(future))
        )

        def done(_: object) -> None:
            answer.actor = None
            self._asks.discard(future)
            if timer is not None:
                timer.cancel()

        self._asks.add(future)
        future.add_done_callback(done)
        try:
            self.tell_from(answer, target, message)
        except ActorSystemFailure as failure:
            future.set_exception(failure)
        return future

    def tell_from(self, sender: Address, target: ActorAddress, message: Any) -> None:
        """Raises ``MailboxOverflow``; ``StageStopped`` after the end."""
        if self.stopped:
            raise StageStopped
        address = target if target.__class__ is Address else self.resolve(target)
        if address is None:
            self.dead_letter(target, message)
        elif not self.reach(address, message, sender):
            self.refused += 1
            raise MailboxOverflow(address)

    # ---- from any thread: what thespian's ActorSystem calls

    def on_loop(self, call: Callable[..., T], *arguments: Any) -> T:
        """Run something on the loop and wait for what it returns or raises.

        Raises ``StageStopped`` when the loop is closed, ``ActorSystemRequestTimeout`` when it does not come
        to it in ``OUTSIDE_SECONDS``."""
        if threading.get_ident() == self._thread:
            return call(*arguments)
        outcome: Future[T] = Future()

        def run() -> None:
            if not outcome.set_running_or_notify_cancel():
                return
            try:
                outcome.set_result(call(*arguments))
            except Exception as error:  # noqa: BLE001 - it is raised where it was called from
                outcome.set_exception(error)
                del error

        try:
            self.loop.call_soon_threadsafe(run)
        except RuntimeError:
            raise StageStopped from None
        end = time.monotonic() + OUTSIDE_SECONDS
        while not wait((outcome,), LOOK_SECONDS).done:
            if self.loop.is_closed():
                raise StageStopped
            if time.monotonic() > end and outcome.cancel():
                raise ActorSystemRequestTimeout(f"the loop did not come to it in {OUTSIDE_SECONDS} s")
        return outcome.result()

    def must_not_be_on_loop(self) -> None:
        if threading.get_ident() == self._thread:
            raise RuntimeError("this would block the loop it waits for: await stage.ask(...) instead")

    def newPrimaryActor(
        self, given: Any, requirements: Any = None, global_name: Any = None, source_hash: Any = None
    ) -> Address:
        return self.on_loop(self.create, self.root, given, requirements, global_name, source_hash)

    def tell(self, target: ActorAddress, message: Any) -> None:
        """Raises ``MailboxOverflow``."""
        self.on_loop(self.tell_from, self._outside, target, message)

    def ask(self, target: ActorAddress, message: Any, timeout: Timeout = None) -> Any:
        """On the loop's thread: an awaitable of the answer to this message; it raises ``TimeoutError`` after
        ``timeout`` (seconds or timedelta), ``MailboxOverflow`` or ``StageStopped``.

        On any other thread, as in thespian: block until any actor answers the threads that share this
        endpoint (``private()`` gives one of its own), None after ``timeout``. Raises ``MailboxOverflow``."""
        if threading.get_ident() == self._thread:
            return self._ask_here(target, message, timeout)
        end = None if timeout is None else time.monotonic() + timePeriodSeconds(timeout)
        self.tell(target, message)
        return self._inbox.get(None if end is None else end - time.monotonic())

    def listen(self, timeout: Timeout = None) -> Any:
        self.must_not_be_on_loop()
        return self._inbox.get(timeout)

    def external_clone(self) -> Private:
        return Private(self)

    def _take_inbox_number(self) -> int:
        self._inbox_number -= 1
        return self._inbox_number

    def add_inbox(self) -> tuple[Inbox, Address]:
        if self.stopped:
            raise StageStopped
        inbox = Inbox(self.mailbox, self.refuse)
        inbox.address = Address(self, inbox, None, self._take_inbox_number(), self.mailbox)
        self._inboxes[inbox.address] = inbox
        return inbox, inbox.address

    def remove_inbox(self, address: Address) -> None:
        address.actor = None
        inbox = self._inboxes.pop(address, None)
        if inbox is not None:
            inbox.close()

    def _handleDeadLetters(self, address: Address, enable: bool) -> None:
        self.on_loop(self.handle_dead_letters, address, enable)

    def updateCapability(self, name: str, value: Any = None) -> None:
        self.on_loop(self.update_capability, name, value)

    def loadActorSource(self, source: Any) -> str:
        return self.on_loop(self.load_source, source)

    def unloadActorSource(self, source_hash: str) -> None:
        self.on_loop(self.sources.unload, source_hash)

    # ---- the end

    def shutdown(self) -> None:
        """End every actor, children before parents, each after its ``ActorExitRequest``; cancel what waits
        and let go of everything. Messages still in mailboxes are dead letters. Again: does nothing."""
        if not self.stopped:
            self.on_loop(self._shutdown)

    def _shutdown(self) -> None:
        if self.stopped:
            return
        self.stopped = True
        if self._turn_handle is not None:
            self._turn_handle.cancel()
            self._turn_handle = None
        if self._wakeup_timer is not None:
            self._wakeup_timer.cancel()
            self._wakeup_timer = None
        self.enqueue = self._ready.append
        self._dead_letter_handler = None
        try:
            request = ActorExitRequest()
            for address in reversed([each for each in self.addresses() if each.parent is not None]):
                self._end_now(address, request)
        finally:
            self._let_go()

    def _let_go(self) -> None:
        self.root.children = None
        self.actors = 0
        self._wakeups.clear()
        for future in tuple(self._asks):
            if not future.done():
                future.set_exception(StageStopped())
        self.sources.unload_all()
        self._names.clear()
        for address in tuple(self._inboxes):
            self.remove_inbox(address)
        self._bury(self._ready)
        self.enqueue = self._discard

    def _end_now(self, address: Address, request: ActorExitRequest) -> None:
        actor = address.actor
        if actor is not None:
            try:
                actor.receiveMessage(request, self.root)
            except BaseException:  # noqa: BLE001 - one actor's failure does not keep the others
                self._failed(address, request, self.root, 1)
        address.actor = address.parent = address.children = None

    def _bury(self, addresses: Any) -> None:
        while addresses:
            self._discard(addresses.popleft())

    def _discard(self, address: Address) -> None:
        box, address.mailbox = address.mailbox, None
        self.dead_letters += 1 if isinstance(box, tuple) else len(box or ())


def _expire(future: "asyncio.Future[Any]") -> None:
    if not future.done():
        future.set_exception(TimeoutError("no answer in time"))


def _capabilities() -> dict[str, Any]:
    return {
        "Python Version": tuple(sys.version_info),
        "Thespian Generation": ThespianGeneration,
        "Thespian Version": str(int(time.time() * 1000)),
        "Thespian ActorSystem Name": "butai",
        "Thespian ActorSystem Version": 1,
        "Thespian Watch Supported": False,
        "AllowRemoteActorSources": "No",
    }
