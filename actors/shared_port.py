"""The port that the workers of a node listen on together, and the sockets through which they do.

Each slot has a socket of its own (SO_REUSEPORT), and the kernel deals the connections out evenly. The node
makes them and holds them, its workers inherit theirs: what waits in a socket is reset when it is closed by
everybody, and so a worker that is replaced, or started again, leaves nobody behind (decision 0008). The same
option would let any process of the same user join in unnoticed: so the node takes the port alone first,
allows sharing only then, and keeps it until it ends. The node itself never listens.
"""

import errno
import socket
from collections.abc import Sequence
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
        self._held: list[socket.socket] = []
        self._slots: dict[int, list[socket.socket]] = {}
        try:
            found = socket.getaddrinfo(bind.host, bind.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            for family, kind, protocol, _, place in dict.fromkeys(found):
                held = socket.socket(family, kind, protocol)
                self._held.append(held)
                # A name may stand for several addresses: all of them get the port that the first one got.
                _take(held, (place[0], self.address.port, *place[2:]))
                if self.address.port == 0:
                    self.address = bind._replace(port=held.getsockname()[1])
        except OSError as error:
            self.close()
            raise PortUnavailable(f"gateway.bind: {_why_not(self.address, error)}") from error

    def sockets(self, slot: int) -> Sequence[socket.socket]:
        """Those of a slot, one for each address, made if there are none. Raises PortUnavailable."""
        if slot not in self._slots:
            made = self._slots[slot] = []
            try:
                for held in self._held:
                    made.append(_share(held))
            except OSError as error:
                self.drop(slot)
                raise PortUnavailable(f"gateway.bind: {_why_not(self.address, error)}") from error
        return self._slots[slot]

    def drop(self, slot: int) -> None:
        """Hold a slot's sockets no longer: what waits in them is reset, unless a worker takes it."""
        for made in self._slots.pop(slot, ()):
            made.close()

    def close(self) -> None:
        """Give the port up. May be called again."""
        for slot in list(self._slots):
            self.drop(slot)
        for held in self._held:
            held.close()
        self._held.clear()

    def __enter__(self) -> "SharedPort":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _take(held: socket.socket, place: tuple[object, ...]) -> None:
    """Bind alone, then let those in who ask to share."""
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
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)


def _share(held: socket.socket) -> socket.socket:
    made = socket.socket(held.family, held.type, held.proto)
    try:
        if made.family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        # Its connections inherit this: those that still close must not keep the port from a successor.
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        made.bind(held.getsockname())
    except OSError:
        made.close()
        raise
    return made


def _why_not(bind: Address, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"{bind} is taken by another process"
    return f"cannot listen at {bind}: {(error.strerror or str(error)).lower()}"
