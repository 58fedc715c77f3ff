"""An answer that goes on: messages written to a connection as they come, in chunks (RFC 9112, section 7.1).

What a client does not take at once waits in its socket's buffer, up to a bound: a client that is further
behind is cut, and may come again. So one that is slow costs the others nothing."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from gateway.server_sent_events import farewell

if TYPE_CHECKING:
    from gateway.connection import Connection

ROOM_BYTES = 16_384
"""Unsent bytes below which there is room for a page of events."""


class Stream:
    """Made by ``Exchange.stream``; a ``following.port.Sink``."""

    def __init__(
        self, connection: "Connection", transport: asyncio.Transport, chunked: bool, limit: int
    ) -> None:
        """``limit``: unsent bytes with which a client is cut."""
        self._connection: Connection | None = connection
        self._transport = transport
        self._chunked = chunked
        self._limit = limit
        self._resumed = asyncio.Event()
        self.on_close: Callable[[], None] | None = None
        """Called once, when nothing more can be sent."""
        self.beat: Callable[[], bytes] | None = None
        """What is sent when nothing else was sent for a while."""
        self.silent_since = 0.0

    @property
    def open(self) -> bool:
        """Whether the client is still there."""
        return self._connection is not None

    def send(self, message: bytes) -> bool:
        """See ``following.port.Sink``."""
        connection, transport = self._connection, self._transport
        if connection is None or transport.is_closing():
            return False
        if transport.get_write_buffer_size() > self._limit:
            connection.abort()
            return False
        transport.write(b"%x\r\n%b\r\n" % (len(message), message) if self._chunked else message)
        self.silent_since = connection.time()
        return True

    async def room(self) -> None:
        """See ``following.port.Sink``. The connection cuts a client that makes no progress."""
        while self.open and self._transport.get_write_buffer_size() > ROOM_BYTES:
            self._resumed.clear()
            await self._resumed.wait()

    def end(self, why: str) -> None:
        """See ``following.port.Sink``."""
        connection = self._connection
        if connection is None:
            return
        self.send(farewell(why))
        if self._chunked and not self._transport.is_closing():
            self._transport.write(b"0\r\n\r\n")
        self.lost()
        connection.stream_ended()

    # What the connection calls

    def resumed(self) -> None:
        """The client has taken most of what was sent."""
        self._resumed.set()

    def sweep(self, now: float, seconds: float) -> None:
        """Show that the connection lives, if nothing did for so many seconds."""
        if self.beat is not None and now - self.silent_since >= seconds:
            self.send(self.beat())

    def lost(self) -> None:
        """The client has gone."""
        if self._connection is None:
            return
        self._connection = None
        self._resumed.set()
        if self.on_close is not None:
            self.on_close()
