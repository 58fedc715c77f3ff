"""The stage: actors' lives, and the face that thespian's ``ActorSystem`` expects of a system base."""

import asyncio
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, NamedTuple, TypeVar

from thespian.actors import (
    Actor,
    ActorAddress,
    ActorExitRequest,
    ActorSystemFailure,
    ActorSystemMessage,
    ActorSystemRequestTimeout,
    InvalidActorAddress,
    Thespian_ActorStatus,
    ThespianGeneration,
    ValidatedSource,
)
from thespian.system.timing import ExpirationTimer, timePeriodSeconds

from actors.clock import Clock, LoopClock, Timer
from actors.stage.address import Address
from actors.stage.creation import Creation, Factory, named
from actors.stage.dispatch import Dispatch
from actors.stage.notices import ChildExited, ExitReason, MailboxOverflow, StageStopped
from actors.stage.outside import Answer, Inbox, Private, Timeout
from actors.stage.sources import Sources
from actors.stage.wakeups import Wakeups

log = logging.getLogger("butai.stage")

OUTSIDE_SECONDS = 60.0
"""How long another thread waits for the loop to take its call."""
DUE_AT_ONCE = 1024
"""Wakeups delivered in one go; the rest of those due follow after the loop's other work."""

T = TypeVar("T")


class Counters(NamedTuple):
    """What an operator watches."""

    actors: int
    """Actors that live now."""
    created: int
    messages: int
    """Messages handled so far."""
    pending: int
    """Messages waiting now."""
    wakeups: int
    """Wakeups waiting now."""
    dead_letters: int
    refused: int
    """Messages not taken by a full mailbox."""
    failures: int
    """Exceptions raised by handlers."""


class _Root:
    """Stands in for the system itself: parent of primary actors, sender of its notices."""

    __slots__ = ("_stage",)

    def __init__(self, stage: "Stage") -> None:
        self._stage = stage

    def receiveMessage(self, message: Any, sender: Address) -> None:
        if isinstance(message, ValidatedSource):
            self._stage.sources.validated(message)
        elif not isinstance(message, ActorSystemMessage):
            self._stage.dead_letter(self._stage.root, message)


class Registry:
    """Addresses by their text, for thespian's test support and for diagnosis: it looks through them all."""

    __slots__ = ("_stage",)

    def __init__(self, stage: "Stage") -> None:
        self._stage = stage

    def __getitem__(self, name: str) -> Address:
        for address in self._stage.addresses():
            if address.addressDetails == name:
                return address
        raise KeyError(name)


class Stage(Dispatch):
    """A thespian system base on a running asyncio loop: ``ActorSystem(systemBase=stage, transientUnique=True)``.

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
        """``mailbox``: bound of actors that have no ``mailbox_bound``; ``wakeups``: bound on those pending."""
        super().__init__(asyncio.get_running_loop() if loop is None else loop, turn_seconds)
        self.clock: Clock = LoopClock(self.loop) if clock is None else clock
        self.clock.attach(self.settle)
        self.capabilities: dict[str, Any] = {} if capabilities is None else capabilities
        self.capabilities.update(_capabilities())
        self.mailbox = mailbox
        self.actors = 0
        self.created = 0
        self._thread = threading.get_ident() if thread is None else thread
        self._creation = Creation()
        self._names: dict[str, Address] = {}
        self._wakeups = Wakeups(wakeups)
        self._wakeup_timer: Timer | None = None
        self._wakeup_due = 0.0
        self._asks: set[asyncio.Future[Any]] = set()
        self._inboxes: dict[Address, Inbox] = {}
        self._inbox_number = 0
        self.root = Address(self, _Root(self), None, 0, mailbox)
        self.sources = Sources(self)
        self._inbox, self._outside = self.add_inbox()

    # ---- on the loop: lives

    def spawn(self, factory: Factory, parent: Address | None = None) -> Address:
        """A new actor from any callable that makes one; its constructor's errors are raised here.

        Raises ``InvalidActorSpecification`` if that is no actor, ``InvalidActorAddress`` if the parent has
        exited, ``StageStopped``."""
        return self._place(self._creation.create(factory, self.capabilities, None), parent or self.root)

    def instance(self, address: Address) -> Any:
        """The actor behind an address, None once it has exited. For the composition root and tests."""
        return address.actor

    def stop(self, address: Address) -> None:
        """Ask an actor to exit after what is in its mailbox; it is never refused."""
        self.post(address, ActorExitRequest(), self.root)

    def create(
        self, parent: Address, given: Any, requirements: Any, global_name: Any, source_hash: Any
    ) -> Address:
        """thespian's ``createActor``. Under the root errors are raised; an actor's failed child is an address
        that never lives and a ``ChildExited`` to the parent. ``ImportError`` is raised in either case."""
        if global_name and global_name in self._names:
            return self._names[global_name]
        source_hash = source_hash or self.sources.of(parent)
        try:
            if isinstance(given, str):
                given = self.sources.find(source_hash, given) if source_hash else named(given)
            actor = self._creation.create(given, self.capabilities, requirements)
            address = self._place(actor, parent)
        except (ImportError, StageStopped):
            raise
        except Exception as error:
            log.warning("an actor could not be created from %r", given, exc_info=True)
            if parent is self.root:
                raise
            self._number()
            stillborn = Address(self, None, None, self.created, self.mailbox)
            self.deliver(parent, ChildExited(stillborn, ExitReason.CREATION_FAILED, repr(error)), self.root)
            return stillborn
        if source_hash:
            self.sources.made(address, source_hash)
        if global_name:
            self._names[global_name] = address
        return address

    def _number(self) -> int:
        if self.stopped:
            raise StageStopped
        self.created += 1
        return self.created

    def _place(self, actor: Actor, parent: Address) -> Address:
        if parent.actor is None:
            raise InvalidActorAddress(parent, "gone: it cannot have children")
        bound = getattr(actor, "mailbox_bound", self.mailbox)
        address = Address(self, actor, parent, self._number(), bound)
        actor._myRef = address
        if parent.children is None:
            parent.children = {address}
        else:
            parent.children.add(address)
        self.actors += 1
        return address

    def exit_requested(self, address: Address, recursive: bool) -> None:
        """The actor has had its ``ActorExitRequest``: it handles nothing more. Its children exit before it is
        gone; without ``recursive`` they live on under the root."""
        self._release(address)
        children = address.children
        if children and recursive:
            for child in children:
                self.stop(child)
            return
        if children:
            for child in children:
                child.parent = self.root
            self.root.children = children.union(self.root.children or ())
            address.children = None
        self._gone(address)

    def _release(self, address: Address) -> None:
        address.actor = None
        self._wakeups.cancel(address)
        self.handle_dead_letters(address, False)
        self.sources.forget(address)
        if self._names:
            self._names = {name: holder for name, holder in self._names.items() if holder is not address}

    def _gone(self, address: Address) -> None:
        """Tell the parent, and go on with it if it was only waiting for this child."""
        while True:
            parent, address.parent = address.parent, None
            self.actors -= 1
            if parent is None or parent.children is None:
                return
            parent.children.discard(address)
            if parent.actor is not None:
                if parent is not self.root:
                    self.deliver(parent, ChildExited(address, ExitReason.REQUESTED), self.root)
                return
            if parent.children:
                return
            parent.children = None
            address = parent

    # ---- on the loop: time

    def wakeup_after(self, address: Address, period: Any, payload: Any) -> None:
        """thespian's ``wakeupAfter``: ``period`` in seconds or as a timedelta. Raises ``TooManyWakeups``."""
        due = self.clock.now() + timePeriodSeconds(period)
        if self._wakeups.add(due, address, period, payload):
            self._arm()

    def _arm(self) -> None:
        due = self._wakeups.first_due()
        if self._wakeup_timer is not None:
            if due is not None and due >= self._wakeup_due:
                return
            self._wakeup_timer.cancel()
            self._wakeup_timer = None
        if due is not None and not self.stopped:
            self._wakeup_due = due
            self._wakeup_timer = self.clock.call_at(due, self._wake_the_due)

    def _wake_the_due(self) -> None:
        self._wakeup_timer = None
        # The loop may call a little early, by its clock's resolution; what it was armed for is due.
        for address, message in self._wakeups.pop(max(self.clock.now(), self._wakeup_due), DUE_AT_ONCE):
            self.deliver(address, message, address)
        self._arm()

    # ---- on the loop: answers and inspection

    def _ask_here(self, target: ActorAddress, message: Any, timeout: Timeout) -> "asyncio.Future[Any]":
        future: asyncio.Future[Any] = self.loop.create_future()
        answer = Address(self, Answer(future), None, self._take_inbox_number(), 1)
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
        if address is None or address.stage is not self:
            self.dead_letter(target, message)
        elif not self.post(address, message, sender):
            self.refused += 1
            raise MailboxOverflow(address)

    @property
    def counters(self) -> Counters:
        return Counters(
            actors=self.actors,
            created=self.created,
            messages=self.messages,
            pending=self.pending,
            wakeups=len(self._wakeups),
            dead_letters=self.dead_letters,
            refused=self.refused,
            failures=self.failures,
        )

    def addresses(self) -> Iterator[Address]:
        """The root, the endpoints of other threads, and every actor, parents first."""
        yield from self._inboxes
        waiting = [self.root]
        while waiting:
            address = waiting.pop()
            yield address
            waiting.extend(address.children or ())

    def resolve(self, address: ActorAddress) -> Address | None:
        name = address.addressDetails
        return next((each for each in self.addresses() if each.addressDetails == name), None)

    def name_of(self, address: Address) -> str:
        if address.number > 0:
            return f"/A~{address.number}"
        return f"System:ExternalRequester:{-address.number}" if address.number else "/ActorSys"

    def global_name_of(self, address: Address) -> str:
        return next((name for name, holder in self._names.items() if holder is address), "")

    def status_of(self, address: Address) -> Any:
        status = Thespian_ActorStatus(
            address, type(address.actor).__name__, self.root, address.parent, self.sources.of(address)
        )
        for child in address.children or ():
            status.addChild(child)
        now = self.clock.now()
        status.addWakeups([(address, ExpirationTimer(max(0.0, due - now))) for due, _ in self._wakeups.of(address)])
        box = address.mailbox
        for message, sender in (box,) if isinstance(box, tuple) else box or ():
            status.addReceivedMessage(sender, address, message)
        return status

    @property
    def actorRegistry(self) -> Registry:
        return Registry(self)

    # ---- from any thread: what thespian's ActorSystem calls

    def on_loop(self, call: Callable[..., T], *arguments: Any) -> T:
        """Run something on the loop and wait for what it returns or raises.

        Raises ``StageStopped`` when the loop is closed, ``ActorSystemRequestTimeout`` when it does not come to
        it in ``OUTSIDE_SECONDS``."""
        if threading.get_ident() == self._thread:
            return call(*arguments)
        outcome: Future[T] = Future()

        def run() -> None:
            if not outcome.set_running_or_notify_cancel():
                return
            try:
                outcome.set_result(call(*arguments))
            except Exception as error:
                outcome.set_exception(error)
                del error

        try:
            self.loop.call_soon_threadsafe(run)
        except RuntimeError:
            raise StageStopped from None
        try:
            return outcome.result(OUTSIDE_SECONDS)
        except FutureTimeout:
            if not outcome.cancel() and outcome.done():
                return outcome.result()
            raise ActorSystemRequestTimeout(f"the loop did not answer in {OUTSIDE_SECONDS} s") from None

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
        if value is None:
            self.capabilities.pop(name, None)
        else:
            self.capabilities[name] = value

    def loadActorSource(self, source: Any) -> str:
        """From a path or a binary file object; returns the source's hash."""
        if hasattr(source, "read"):
            data = source.read()
        else:
            with open(source, "rb") as file:
                data = file.read()
        return self.on_loop(self.sources.load, data)

    def unloadActorSource(self, source_hash: str) -> None:
        self.on_loop(self.sources.unload, source_hash)

    # ---- the end

    def shutdown_soon(self) -> None:
        """Shut down once the actor that asks for it has finished its message."""
        self.loop.call_soon(self.shutdown)

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
        self._wakeups.clear()
        self.enqueue = self._ready.append
        self._dead_letter_handler = None
        request = ActorExitRequest()
        for address in reversed([each for each in self.addresses() if each.parent is not None]):
            self._end_now(address, request)
        self.root.children = None
        self.actors = 0
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
            except Exception:
                self.failures += 1
                log.warning("actor %s failed on its exit", address, exc_info=True)
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
