"""The system itself, as actors see it: their topmost parent, and the sender of its notices."""

from typing import TYPE_CHECKING, Any

from thespian.actors import ActorSystemMessage, PoisonMessage, ValidatedSource

from actors.stage.address import Address
from actors.stage.notices import MailboxFull

if TYPE_CHECKING:
    from actors.stage.lives import Lives


class Root:
    """Stands in for the system itself: parent of primary actors, sender of its notices."""

    __slots__ = ("_stage",)

    def __init__(self, stage: "Lives") -> None:
        self._stage = stage

    def receiveMessage(self, message: Any, sender: Address) -> None:
        if isinstance(message, ValidatedSource):
            self._stage.sources.validated(message)
        elif isinstance(message, PoisonMessage | MailboxFull) or not isinstance(message, ActorSystemMessage):
            self._stage.dead_letter(self._stage.root, message)


class Registry:
    """Addresses by their text, for thespian's test support and for diagnosis: it looks through them all."""

    __slots__ = ("_stage",)

    def __init__(self, stage: "Lives") -> None:
        self._stage = stage

    def __getitem__(self, name: str) -> Address:
        for address in self._stage.addresses():
            if address.addressDetails == name:
                return address
        raise KeyError(name)
