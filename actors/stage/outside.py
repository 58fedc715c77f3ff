"""Those who talk to actors without being one: other threads through thespian's tell, ask and listen, and
coroutines on the stage's own loop that await an answer."""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from thespian.actors import ActorAddress
from thespian.system import isInternalActorSystemMessage
from thespian.system.timing import timePeriodSeconds

from actors.stage.address import Address

if TYPE_CHECKING:
    from actors.stage.stage import Stage

Timeout = float | timedelta | None

_END = object()
"""Put into every inbox when the stage stops, so that nobody listens for ever."""


class Inbox:
    """Stands on the stage in place of an actor and keeps what a thread will ``listen`` to, up to a bound."""

    __slots__ = ("_bound", "_queue", "_refuse", "address")

    def __init__(self, bound: int, refuse: Callable[[Address, Address, Any], None]) -> None:
        self._queue: SimpleQueue[Any] = SimpleQueue()
        self._bound = bound
        self._refuse = refuse
        self.address: Address | None = None

    def receiveMessage(self, message: Any, sender: Address) -> None:
        if isInternalActorSystemMessage(message):
            return
        if self._queue.qsize() < self._bound:
            self._queue.put(message)
        elif self.address is not None:
            self._refuse(sender, self.address, message)

    def close(self) -> None:
        self._queue.put(_END)

    def get(self, timeout: Timeout) -> Any:
        """The next message; None after ``timeout`` (seconds or timedelta; None: no limit) or at the end."""
        try:
            message = self._queue.get(
                timeout=None if timeout is None else max(0.0, timePeriodSeconds(timeout))
            )
        except Empty:
            return None
        if message is _END:
            self._queue.put(_END)
            return None
        return message


class Private:
    """An endpoint of its own for one thread: what ``ActorSystem().private()`` hands out."""

    __slots__ = ("_address", "_inbox", "_stage")

    def __init__(self, stage: "Stage") -> None:
        self._stage = stage
        self._inbox, self._address = stage.on_loop(stage.add_inbox)

    def tell(self, target: ActorAddress, message: Any) -> None:
        self._stage.on_loop(self._stage.tell_from, self._address, target, message)

    def ask(self, target: ActorAddress, message: Any, timeout: Timeout = None) -> Any:
        end = None if timeout is None else time.monotonic() + timePeriodSeconds(timeout)
        self._stage.must_not_be_on_loop()
        self.tell(target, message)
        return self._inbox.get(None if end is None else end - time.monotonic())

    def listen(self, timeout: Timeout = None) -> Any:
        self._stage.must_not_be_on_loop()
        return self._inbox.get(timeout)

    def newPrimaryActor(self, *specification: Any) -> Address:
        return self._stage.newPrimaryActor(*specification)

    def updateCapability(self, name: str, value: Any = None) -> None:
        self._stage.updateCapability(name, value)

    def loadActorSource(self, name: Any) -> str:
        return self._stage.loadActorSource(name)

    def unloadActorSource(self, source_hash: str) -> None:
        self._stage.unloadActorSource(source_hash)

    def external_clone(self) -> "Private":
        return Private(self._stage)

    def exit_context(self) -> None:
        """Give the endpoint up; what still comes for it becomes a dead letter."""
        self._stage.on_loop(self._stage.remove_inbox, self._address)

    def shutdown(self) -> None:
        self._stage.shutdown()


class Answer:
    """Stands on the stage in place of an actor and completes a future with the first message."""

    __slots__ = ("_future", "_late")

    def __init__(self, future: "asyncio.Future[Any]", late: Callable[[Any], None]) -> None:
        self._future = future
        self._late = late

    def receiveMessage(self, message: Any, sender: Address) -> None:
        if self._future.done():
            self._late(message)
        else:
            self._future.set_result(message)
