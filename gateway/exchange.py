"""One request and its one answer."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from aiohttp.http import HttpVersion10, HttpVersion11, RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from actors.messages import Answer, Ask
from gateway.problems import INTERNAL_ERROR, Refusal
from gateway.responses import Response

if TYPE_CHECKING:
    from gateway.connection import Connection
    from gateway.endpoint import Endpoint
    from gateway.listener import Listener
    from gateway.stream import Stream

log = logging.getLogger("butai.gateway")


class Exchange:
    """What an endpoint is given. It answers by ``respond`` or ``refuse``, once, now or later; later calls
    are ignored, because the deadline may have answered already."""

    __slots__ = (
        "answered",
        "ask",
        "began",
        "body",
        "close",
        "connection",
        "deadline",
        "endpoint",
        "listener",
        "message",
        "on_overdue",
        "payload",
        "refusal",
    )

    def __init__(
        self,
        connection: "Connection",
        listener: "Listener",
        message: RawRequestMessage,
        payload: StreamReader,
    ) -> None:
        self.connection: Connection | None = connection
        """None once it is answered, or when the client has hung up."""
        self.listener = listener
        self.message = message
        self.payload = payload
        self.close: bool = message.should_close
        self.body = b""
        self.refusal: Refusal | None = None
        """What is wrong with the request as such; it is answered in its turn."""
        self.answered = False
        self.began = 0.0
        self.deadline = 0.0
        """On the loop's clock; past it the gateway answers by itself."""
        self.endpoint: Endpoint | None = None
        self.ask: Ask | None = None
        self.on_overdue: Callable[[], object] | None = None
        """Stops the work behind an overdue request that is not an ask."""

    @property
    def method(self) -> str:
        return self.message.method

    @property
    def path(self) -> str:
        """The request's path as it was sent, without query."""
        return target_of(self.message.path)[0]

    @property
    def http_1_0(self) -> bool:
        return bool(self.message.version == HttpVersion10)

    def header(self, name: str) -> str | None:
        """A header's value; several lines of it are one list (RFC 9110, 5.3)."""
        headers = self.message.headers
        value = headers.get(name)
        if value is None:
            return None
        values = headers.getall(name)
        return value if len(values) == 1 else ", ".join(values)

    def complete(self) -> bool:
        """Whether the whole body is there; takes it over when it is."""
        payload = self.payload
        if payload is EMPTY_PAYLOAD or self.refusal is not None:
            return True
        if not payload.is_eof():
            return False
        self.body = payload.read_nowait(-1)
        self.payload = EMPTY_PAYLOAD
        return True

    def reply(self, answer: Answer) -> None:
        """The actors' answer to ``ask``."""
        endpoint = self.endpoint
        if self.answered or endpoint is None:
            return
        try:
            endpoint.finish(self, answer)
        except Exception:
            # Raised here it would be the actor's failure, whose part is done.
            log.exception("%s %s failed", self.method, self.path)
            self.refuse(Refusal(INTERNAL_ERROR))

    def respond(self, response: Response) -> None:
        if self.answered:
            return
        self.answered = True
        self.listener.answered(self, response)
        # The ask holds our reply: without this every request would be left to the garbage collector.
        self.ask = None
        connection = self.connection
        self.connection = None
        if connection is not None:
            connection.answer(self, response)

    def stream(self, head: Response) -> "Stream | None":
        """Begin an answer that goes on; from here on it is no request in flight. None when the client has
        gone, or was answered already. ``HEAD`` is answered with the head alone."""
        if self.answered:
            return None
        if self.method == "HEAD":
            self.respond(head)
            return None
        self.answered = True
        self.listener.answered(self, head)
        connection = self.connection
        self.connection = None
        return connection.stream(self, head.head) if connection is not None else None

    def refuse(self, refusal: Refusal) -> None:
        self.respond(refusal.response(self.path))


def target_of(target: str) -> tuple[str, str | None]:
    """Path and query of a request target; the authority of an absolute one (RFC 9112, 3.2.2) is ignored."""
    if target[:1] != "/" and "://" in target:
        rest = target.split("://", 1)[1]
        for at, char in enumerate(rest):
            if char in "/?":
                target = rest[at:] if char == "/" else "/" + rest[at:]
                break
        else:
            target = "/"
    if "?" not in target:
        return target, None
    path, _, query = target.partition("?")
    return path, query


def failed_request(connection: "Connection", listener: "Listener", refusal: Refusal) -> Exchange:
    """An exchange for a request that could not be read; the connection ends with its answer."""
    exchange = Exchange(connection, listener, _UNREADABLE, EMPTY_PAYLOAD)
    exchange.refusal = refusal
    exchange.close = True
    return exchange


_UNREADABLE = RawRequestMessage(
    "GET", "/", HttpVersion11, CIMultiDictProxy(CIMultiDict()), (), True, None, False, False, URL("/")
)
