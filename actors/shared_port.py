"""The port that the workers of a node accept from together: one socket, which all of them inherit.

With a socket per worker (SO_REUSEPORT) the kernel deals connections out to workers, and what it dealt to one
that closes or dies is reset, in the moment between handshake and accept too (decision 0008). From a common
socket whoever is there takes the next connection, and while nobody is, it waits. The node never accepts.
"""

import errno
import socket
from types import TracebackType

from actors.address import Address


class PortUnavailable(Exception):
    """The address cannot be had; the message is one line."""


class SharedPort:
    """Holds ``bind`` for this node's workers until ``close``; raises PortUnavailable.

    ``address`` is where they listen: ``bind`` with a free port in place of 0. Nobody is let in before the
    first of them listens."""

    def __init__(self, bind: Address) -> None:
        self.address = bind
        self.sockets: list[socket.socket] = []
        try:
            found = socket.getaddrinfo(bind.host, bind.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            for family, kind, protocol, _, place in dict.fromkeys(found):
                held = socket.socket(family, kind, protocol)
                self.sockets.append(held)
                # A name may stand for several addresses: all of them get the port that the first one got.
                _take(held, (place[0], self.address.port, *place[2:]))
                if self.address.port == 0:
                    self.address = bind._replace(port=held.getsockname()[1])
        except OSError as error:
            self.close()
            raise PortUnavailable(f"gateway.bind: {_why_not(self.address, error)}") from error

    def close(self) -> None:
        """Give the port up. May be called again."""
        for held in self.sockets:
            held.close()
        self.sockets.clear()

    @property
    def descriptors(self) -> tuple[int, ...]:
        """What workers inherit."""
        return tuple(held.fileno() for held in self.sockets)

    def __enter__(self) -> "SharedPort":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _take(held: socket.socket, place: tuple[object, ...]) -> None:
    """Bind, and alone."""
    if held.family == socket.AF_INET6:
        held.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    try:
        held.bind(place)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        # Connections of an earlier life may still be closing; with this option only a listener is in the way.
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(place)


def _why_not(bind: Address, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"{bind} is taken by another process"
    return f"cannot listen at {bind}: {(error.strerror or str(error)).lower()}"
