"""Where clients find the service: one gateway, or several of which some may not answer."""

import random
import socket
from collections.abc import Callable, Sequence
from typing import Any

import aiohttp

AVOIDED = 1.0
"""Seconds for which clients leave a gateway alone that did not answer."""


class Gateways:
    """``urls`` tells where they are now, without a path; ``make_socket`` connects to a port of theirs."""

    def __init__(
        self,
        urls: Callable[[], Sequence[str]],
        clock: Callable[[], float],
        patience: float,
        make_socket: Callable[[int], socket.socket] | None = None,
    ) -> None:
        """``patience``: seconds to wait for an answer before asking elsewhere."""
        self.timeout = aiohttp.ClientTimeout(total=patience)
        self._urls = urls
        self._clock = clock
        self._make_socket = make_socket
        self._avoided: dict[str, float] = {}

    def choose(self, rng: random.Random) -> str:
        """Any that answered lately; any at all when none did."""
        urls, now = self._urls(), self._clock()
        good = [url for url in urls if self._avoided.get(url, 0.0) <= now]
        return rng.choice(good or urls)

    def unanswered(self, url: str) -> None:
        """No answer came from there."""
        self._avoided[url] = self._clock() + AVOIDED

    def session(self) -> aiohttp.ClientSession:
        """A pool of connections without a bound."""
        return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, socket_factory=self._factory()))

    def _factory(self) -> Callable[[Any], socket.socket] | None:
        make = self._make_socket
        if make is None:
            return None

        def made(address: Any) -> socket.socket:
            connection = make(address[4][1])
            connection.setblocking(False)
            return connection

        return made


def only(url: Callable[[], str], patience: float = 10.0) -> Gateways:
    """The one that is there."""
    return Gateways(lambda: [url()], lambda: 0.0, patience)
