"""Actors' lives: from ``createActor`` to the last ``ChildActorExited``, with their wakeups and names."""

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

from thespian.actors import (
    Actor,
    ActorAddress,
    ActorExitRequest,
    InvalidActorAddress,
    Thespian_ActorStatus,
)
from thespian.system.timing import ExpirationTimer, timePeriodSeconds

from actors.clock import Clock, LoopClock, Timer
from actors.stage.address import Address
from actors.stage.counters import Counters
from actors.stage.creation import Creation, Factory, named
from actors.stage.dispatch import Dispatch
from actors.stage.notices import ChildExited, ExitReason, StageStopped
from actors.stage.root import Registry, Root
from actors.stage.sources import Sources
from actors.stage.wakeups import Wakeups

log = logging.getLogger("butai.stage")

DUE_AT_ONCE = 1024
"""Wakeups delivered in one go; the rest of those due follow after the loop's other work."""


class Lives(Dispatch):
    """The tree of actors under the root. Everything here is called on the loop's thread."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        clock: Clock | None,
        *,
        mailbox: int,
        turn_seconds: float,
        wakeups: int,
        capabilities: dict[str, Any],
    ) -> None:
        super().__init__(loop, turn_seconds, mailbox)
        self.clock: Clock = LoopClock(loop) if clock is None else clock
        self.clock.attach(self.settle)
        self.capabilities = capabilities
        self.actors = 0
        self.created = 0
        self._creation = Creation()
        self._names: dict[str, Address] = {}
        self._wakeups = Wakeups(wakeups)
        self._wakeup_timer: Timer | None = None
        self._wakeup_due = 0.0
        self.root = Address(self, Root(self), None, 0, mailbox)
        self.sources = Sources(self)

    # ---- beginnings and ends

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
            stillborn = Address(self, None, None, self._next_number(), self.mailbox)
            self.deliver(parent, ChildExited(stillborn, ExitReason.CREATION_FAILED, repr(error)), self.root)
            return stillborn
        if source_hash:
            self.sources.made(address, source_hash)
        if global_name:
            self._names[global_name] = address
        return address

    def _next_number(self) -> int:
        if self.stopped:
            raise StageStopped
        self.created += 1
        return self.created

    def _place(self, actor: Actor, parent: Address) -> Address:
        if parent.actor is None:
            raise InvalidActorAddress(parent, "gone: it cannot have children")
        bound = getattr(actor, "mailbox_bound", self.mailbox)
        address = Address(self, actor, parent, self._next_number(), bound)
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

    # ---- time

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

    # ---- what actors ask of their system

    def load_source(self, source: Any) -> str:
        """From a path or a binary file object; returns the source's hash."""
        if hasattr(source, "read"):
            return self.sources.load(source.read())
        with open(source, "rb") as file:
            return self.sources.load(file.read())

    def update_capability(self, name: str, value: Any) -> None:
        """Set a capability, or remove it (None). Actors already made are not asked again."""
        if value is None:
            self.capabilities.pop(name, None)
        else:
            self.capabilities[name] = value

    def shutdown(self) -> None:
        """End every actor and let go of everything."""
        raise NotImplementedError

    def shutdown_soon(self) -> None:
        """Shut down once the actor that asks for it has finished its message."""
        self.loop.call_soon(self.shutdown)

    # ---- inspection

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
        """The root and every actor, parents first."""
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

    def global_name_of(self, address: Address) -> str | None:
        return next((name for name, holder in self._names.items() if holder is address), None)

    def status_of(self, address: Address) -> Any:
        status = Thespian_ActorStatus(
            address, type(address.actor).__name__, self.root, address.parent, self.sources.of(address)
        )
        for child in address.children or ():
            status.addChild(child)
        now = self.clock.now()
        status.addWakeups(
            [(address, ExpirationTimer(max(0.0, due - now))) for due, _ in self._wakeups.of(address)]
        )
        box = address.mailbox
        for message, sender in (box,) if isinstance(box, tuple) else box or ():
            status.addReceivedMessage(sender, address, message)
        return status

    @property
    def actorRegistry(self) -> Registry:
        return Registry(self)
