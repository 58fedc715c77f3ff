"""One client connection: bytes become exchanges, in order, and answers become bytes.

aiohttp's C parser reads the requests; its request loop is not used. That loop starts a task and builds a
Request, a Response and a StreamWriter per request; here a complete request is handed to its endpoint
straight from ``data_received`` and its answer is written when it comes, without a task or a future.

The guards aiohttp has none of live here: absolute deadlines for a request's head and body (a byte now and
then does not extend them), for an idle connection and for a client that does not read its answers; limits on
head and body; and an orderly end, where the answer reaches a client that is still sending (lingering close).
"""

from collections import deque
from enum import Enum
from math import inf
from typing import TYPE_CHECKING, Any

from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpProcessingError, HttpRequestParser, HttpVersion11
from aiohttp.streams import EMPTY_PAYLOAD
from aiohttp.web import RequestPayloadError

from gateway.exchange import Exchange, failed_request
from gateway.header_names import EXPECT
from gateway.limits import LINE, excess, head_too_large, malformed
from gateway.problems import REQUEST_TIMEOUT, Refusal
from gateway.responses import Response
from gateway.stream import Stream

if TYPE_CHECKING:
    import asyncio

    from gateway.listener import Listener

PIPELINE = 32
"""Requests that may wait behind the one being answered."""
LINGER = 2.0
"""Seconds in which what a client still sends is read and dropped, so that it can read its answer."""
DRAIN = 1.0
"""Seconds that a stopping server gives a client that has just been answered to send what it had begun."""
PROGRESS = 16_384
"""Bytes that a client must take within ``body_seconds`` of an answer that it does not take at once."""


class Reading(Enum):
    """Where the next bytes belong."""

    NOTHING = 0
    """Between requests."""
    HEAD = 1
    BODY = 2
    ENDED = 3
    """What still comes is dropped."""


class Connection(BaseProtocol):
    """Owned by its listener, which calls ``sweep`` a few times a second."""

    __slots__ = (
        "_advancing",
        "_current",
        "_due",
        "_head_bytes",
        "_heard_all",
        "_listener",
        "_queue",
        "_reading",
        "_stalled",
        "_stream",
        "_unsent",
        "_used",
    )

    def __init__(self, listener: "Listener", loop: "asyncio.AbstractEventLoop") -> None:
        settings = listener.settings
        parser: Any = HttpRequestParser(
            self,
            loop,
            # aiohttp pauses a body of more than limit / 16 chunks, and a body may come byte by byte.
            max(262_144, 32 * settings.body_bytes),
            max_line_size=min(LINE, settings.header_bytes),
            max_field_size=min(LINE, settings.header_bytes),
            payload_exception=RequestPayloadError,
            auto_decompress=False,
            max_msg_queue_size=PIPELINE,
        )
        super().__init__(loop, parser)
        self._listener = listener
        self._queue: deque[Exchange] = deque()
        self._current: Exchange | None = None
        self._reading = Reading.NOTHING
        self._due = inf
        self._stalled = inf
        self._unsent = 0
        self._head_bytes = 0
        self._advancing = False
        self._used = False
        self._heard_all = False
        self._stream: Stream | None = None

    # What the transport calls

    def connection_made(self, transport: "asyncio.BaseTransport") -> None:
        super().connection_made(transport)
        if not self._listener.admit(self):
            self._listener.dismiss(self)
            self.abort()
            return
        listener = self._listener
        self._due = self._loop.time() + (DRAIN if listener.draining else listener.settings.header_seconds)

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self._listener.dismiss(self)
        self._reading = Reading.ENDED
        self._queue.clear()
        # The parser holds us: without this every connection would be left to the garbage collector.
        self._parser = None
        if self._stream is not None:
            stream, self._stream = self._stream, None
            stream.lost()
        if self._current is not None:
            # The command goes on: a client that hangs up must not leave it half done.
            self._current.connection = None
            self._current = None

    def data_received(self, data: bytes) -> None:
        if self._reading is Reading.ENDED or self._parser is None:
            return
        try:
            messages, upgraded, _ = self._parser.feed_data(data)
        except HttpProcessingError as error:
            self._fail(malformed(error))
            return
        if not messages:
            if data:
                self._more(len(data))
            return
        for message, payload in messages:
            exchange = Exchange(self, self._listener, message, payload)
            self._queue.append(exchange)
        self._head_bytes = 0
        if upgraded:
            # The parser has stopped; we do not switch protocols, so this request is the last.
            exchange.close = True
            self._reading = Reading.ENDED
            self._due = inf
        elif payload.is_eof():
            self._reading = Reading.NOTHING
            self._due = inf
        else:
            self._reading = Reading.BODY
            self._due = self._loop.time() + self._listener.settings.body_seconds
        if self._reading is Reading.BODY or len(data) > self._listener.settings.header_bytes:
            self._check_limits(exchange)
        if len(self._queue) >= PIPELINE and not self._buffer_paused:
            self._pause_reading_for_buffer()
        self._advance()

    def eof_received(self) -> bool:
        """The client has sent all it wants to; it may still read its answers. Nobody follows like that."""
        if self._stream is not None:
            return False
        if self._reading in (Reading.HEAD, Reading.BODY):
            return False
        last = self._queue[-1] if self._queue else self._current
        if last is None:
            return False
        last.close = True
        self._heard_all = True
        self._reading = Reading.ENDED
        return True

    def pause_writing(self) -> None:
        super().pause_writing()
        self._expect_progress()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stalled = inf
        if self._stream is not None:
            self._stream.resumed()
        self._advance()

    def resume_reading(self, resume_parser: bool = True) -> None:
        # Called by aiohttp's StreamReader for every body; only a paused transport needs it.
        if self._reading_paused:
            super().resume_reading(resume_parser)

    # Reading

    def _more(self, size: int) -> None:
        """Bytes came that complete no head."""
        if self._reading is Reading.BODY:
            last = self._queue[-1]
            if last.payload.is_eof():
                self._reading = Reading.NOTHING
                self._due = inf
                self._advance()
            else:
                self._check_limits(last)
            return
        settings = self._listener.settings
        if self._reading is Reading.NOTHING:
            self._reading = Reading.HEAD
            if self._used or self._due == inf:
                self._due = self._loop.time() + settings.header_seconds
        self._head_bytes += size
        if self._head_bytes > settings.header_bytes:
            self._fail(head_too_large(settings))

    def _check_limits(self, exchange: Exchange) -> None:
        """Of the newest request, when it has not arrived whole in one piece."""
        refusal = excess(exchange, self._listener.settings)
        if refusal is not None:
            self._end(exchange, refusal)
        elif EXPECT in exchange.message.headers and not exchange.payload.total_bytes:
            self._invite(exchange)

    def _invite(self, exchange: Exchange) -> None:
        """Tell a client that waits to be told to send its body (RFC 9110, 10.1.1)."""
        if self._current is None and self._queue[0] is exchange and self.transport is not None:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _fail(self, refusal: Refusal) -> None:
        """The bytes after the last complete request are none; answer so in their turn, and end."""
        if self._reading is Reading.BODY:
            self._end(self._queue[-1], refusal)
        else:
            self._queue.append(failed_request(self, self._listener, refusal))
            self._reading = Reading.ENDED
            self._due = inf
        self._advance()

    def _end(self, exchange: Exchange, refusal: Refusal) -> None:
        """The newest request cannot be read to its end."""
        exchange.refusal = refusal
        exchange.close = True
        exchange.payload = EMPTY_PAYLOAD
        self._reading = Reading.ENDED
        self._due = inf

    # Answering

    def _advance(self) -> None:
        """Begin the next complete request, if none is being answered."""
        if self._advancing:
            return
        self._advancing = True
        try:
            queue = self._queue
            while queue and self._current is None and not self._paused and queue[0].complete():
                exchange = self._current = queue.popleft()
                if self._parser is not None:
                    self._parser.message_consumed()
                self._listener.handle(exchange)
        finally:
            self._advancing = False
        if self._buffer_paused and len(self._queue) <= PIPELINE // 2:
            self._refill()

    def _refill(self) -> None:
        """Parse what the parser held back when the queue was full."""
        self._buffer_paused = False
        self.data_received(b"")
        if not self._buffer_paused and not self._reading_paused:
            self._resume_transport_reading()

    def answer(self, exchange: Exchange, response: Response) -> None:
        """Write the answer of the exchange being worked on, and go on with the next."""
        self._current = None
        transport = self.transport
        if transport is None or transport.is_closing():
            return
        listener = self._listener
        close = exchange.close or (listener.draining and not self._queue)
        if close:
            tail = listener.tail_closing
        elif exchange.http_1_0:
            tail = listener.tail_kept
        else:
            tail = listener.tail
        if exchange.message.method == "HEAD":
            transport.write(response.head + tail)
        else:
            transport.write(b"".join((response.head, tail, response.body)))
        self._used = True
        if close:
            self._close_after_answer()
            return
        if not self._queue and self._reading is Reading.NOTHING:
            self._due = self._loop.time() + listener.settings.idle_seconds
        if not self._advancing:
            self._advance()

    def stream(self, exchange: Exchange, head: bytes) -> Stream | None:
        """Begin an answer that goes on, the last on this connection; None when the client has gone."""
        transport = self.transport
        if transport is None or transport.is_closing():
            return None
        chunked = exchange.message.version >= HttpVersion11
        coding = b"Transfer-Encoding: chunked\r\n" if chunked else b""
        transport.write(head + coding + self._listener.tail_closing)
        self._queue.clear()
        self._reading = Reading.ENDED
        self._due = inf
        self._stream = Stream(self, transport, chunked, self._listener.settings.follow_bytes)
        self._stream.silent_since = self.time()
        return self._stream

    def stream_ended(self) -> None:
        """All of the answer that goes on is written."""
        self._stream = None
        self._current = None
        self.close()

    def time(self) -> float:
        """The loop's clock."""
        return self._loop.time()

    def _close_after_answer(self) -> None:
        self._queue.clear()
        self._reading = Reading.ENDED
        transport = self.transport
        if transport is None:
            return
        if transport.can_write_eof() and not self._heard_all:
            transport.write_eof()
            self._due = self._loop.time() + LINGER
            self._buffer_paused = False
            self._resume_transport_reading()
        else:
            transport.close()

    # What the listener calls

    def sweep(self, now: float) -> None:
        """End what is overdue."""
        if self._stalled <= now:
            self._check_progress()
        elif self._stream is not None:
            self._stream.sweep(now, self._listener.settings.heartbeat_seconds)
        elif self._due <= now:
            settings = self._listener.settings
            if self._reading is Reading.HEAD:
                limit = f"The headers must arrive within {settings.header_seconds:g} s."
                self._fail(Refusal(REQUEST_TIMEOUT, limit))
            elif self._reading is Reading.BODY:
                limit = f"The body must arrive within {settings.body_seconds:g} s."
                self._fail(Refusal(REQUEST_TIMEOUT, limit))
            else:
                self.close()

    def _expect_progress(self) -> None:
        if self.transport is not None:
            self._unsent = self.transport.get_write_buffer_size()
            self._stalled = self._loop.time() + self._listener.settings.body_seconds

    def _check_progress(self) -> None:
        """A client may be slow to read a long answer, but it may not stand still."""
        if self.transport is None or self.transport.get_write_buffer_size() > self._unsent - PROGRESS:
            self.abort()
        else:
            self._expect_progress()

    def drain(self, now: float) -> None:
        """The server is stopping: an idle connection ends, at once or, when it was made or used a moment ago,
        after giving its client time to notice; closing under a request on its way would reset it."""
        if self._current is None and not self._queue and self._reading is Reading.NOTHING:
            settings = self._listener.settings
            whole = settings.idle_seconds if self._used else settings.header_seconds
            if self._due > now + whole - DRAIN:
                self._due = now + DRAIN
            else:
                self.close()

    def close(self) -> None:
        if self.transport is not None:
            self.transport.close()

    def abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()
