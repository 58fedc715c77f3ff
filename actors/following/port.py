"""What followers need of the gateway, and what they are told."""

from datetime import datetime
from typing import Any, Protocol

import msgspec


class Followed(msgspec.Struct, frozen=True):
    """An event as followers see it."""

    aggregate: str
    id: str
    version: int
    type: str
    at: datetime
    by: str
    command: str
    """Hexadecimal."""
    position: str
    data: Any
    """The event; its plain fields, where its context cannot read it."""
    trace: str | msgspec.UnsetType = msgspec.UNSET


class Sink(Protocol):
    """Where a follower's messages go."""

    def send(self, message: bytes) -> bool:
        """Take a message; False if whoever follows has gone or is too slow, and is to be given up."""

    async def room(self) -> None:
        """Return when much can be sent again. Whoever takes nothing any more is cut by the connection."""

    def end(self, why: str) -> None:
        """Nothing more will come."""


class Encoder(Protocol):
    """Makes messages. ``id`` is the position to come again with."""

    def event(self, id: str, event: Followed) -> bytes:
        """An event happened."""

    def changed(self, id: str, key: str, document: bytes) -> bytes:
        """A document is now as it is here."""

    def removed(self, id: str, key: str) -> bytes:
        """A document is gone."""


class AheadOfJournal(Exception):
    """The position to begin after does not exist yet; one line."""


class TooManyFollowers(Exception):
    """This worker takes no more; one line."""
