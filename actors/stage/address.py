"""An actor's address, which is also the stage's whole record of it.

One object serves as thespian's ``ActorAddress``, as the ``_myRef`` through which an actor reaches its
system, and as the holder of the mailbox, so a send is one call that needs no look-up, and an idle actor
costs one small object beside itself. When the actor exits the record lets go of it; whoever keeps the
address keeps only this shell, and what it is sent becomes a dead letter.
"""

from collections import deque
from typing import TYPE_CHECKING, Any

from thespian.actors import Actor, ActorAddress

if TYPE_CHECKING:
    from actors.stage.lives import Lives

Envelope = tuple[Any, "Address"]
"""A message and who sent it."""


class Address(ActorAddress):
    """Compares by identity with its like, by ``addressDetails`` with other ``ActorAddress`` objects."""

    __slots__ = ("actor", "bound", "children", "mailbox", "number", "parent", "stage", "wakeups")

    def __init__(self, stage: "Lives", actor: Any, parent: "Address | None", number: int, bound: int) -> None:
        self.stage = stage
        self.actor = actor
        """The instance; None once it has exited, or while it waits for its children to."""
        self.parent = parent
        self.children: set[Address] | None = None
        self.mailbox: Envelope | deque[Envelope] | None = None
        """Nothing, one envelope, or a deque of more. Not None: the address is in the stage's ready queue."""
        self.number = number
        self.bound = bound
        self.wakeups = 0

    def actor_send(self, target: ActorAddress, message: Any) -> None:
        """What ``Actor.send`` calls: to an idle actor of the same stage it goes straight in."""
        stage = self.stage
        if target.__class__ is Address and target.mailbox is None and target.stage is stage:
            target.mailbox = (message, self)
            stage.enqueue(target)
        else:
            stage.send(self, target, message)

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if other.__class__ is Address or not isinstance(other, ActorAddress):
            return False
        return bool(self.addressDetails == other.addressDetails)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __copy__(self) -> "Address":
        return self

    def __deepcopy__(self, memo: object) -> "Address":
        return self

    def __reduce__(self) -> tuple[type[ActorAddress], tuple[str]]:
        return ActorAddress, (self.addressDetails,)

    @property
    def addressDetails(self) -> str:
        return self.stage.name_of(self)

    @property
    def actorAddressString(self) -> str:
        return self.stage.name_of(self)

    def __str__(self) -> str:
        return f"ActorAddr-{self.addressDetails}"

    def __repr__(self) -> str:
        return str(self)

    @property
    def instance(self) -> Actor | None:
        return self.actor

    @property
    def address(self) -> "Address":
        return self

    @property
    def globalName(self) -> str | None:
        return self.stage.global_name_of(self)

    def createActor(
        self, actor_class: Any, requirements: Any, global_name: Any, source_hash: Any = None
    ) -> Any:
        return self.stage.create(self, actor_class, requirements, global_name, source_hash)

    def wakeupAfter(self, period: Any, payload: Any) -> None:
        self.stage.wakeup_after(self, period, payload)

    def handleDeadLetters(self, address: "Address", enable: bool) -> None:
        self.stage.handle_dead_letters(address, enable)

    def registerSourceAuthority(self, address: "Address") -> None:
        self.stage.sources.authority = address

    def notifyOnSourceAvailability(self, address: "Address", enable: bool) -> None:
        self.stage.sources.notify(address, enable)

    def loadActorSource(self, name: Any) -> str:
        return self.stage.load_source(name)

    def unloadActorSource(self, source_hash: str) -> None:
        self.stage.sources.unload(source_hash)

    def updateCapability(self, name: str, value: Any) -> None:
        self.stage.update_capability(name, value)

    def notifyOnSystemRegistrationChanges(self, address: "Address", enable: bool) -> None:
        """A stage stands alone: there is no convention of systems whose changes could be told."""

    def preRegisterRemoteSystem(self, address: Any, capabilities: Any) -> None:
        """A stage stands alone; workers reach each other through the fabric."""

    def deRegisterRemoteSystem(self, address: Any) -> None:
        """A stage stands alone; workers reach each other through the fabric."""

    def actorSystemShutdown(self) -> None:
        self.stage.shutdown_soon()
