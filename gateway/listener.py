"""The listening socket, its connections, the requests in flight; a periodic sweep ends what is overdue."""

import asyncio
import logging
import socket
import time
from collections.abc import Callable, Sequence
from email.utils import formatdate

from actors.settings import GatewaySettings
from gateway.connection import Connection
from gateway.exchange import Exchange
from gateway.metrics import Recorder
from gateway.problems import EXPIRED, INTERNAL_ERROR, OUTCOME_UNKNOWN, Refusal
from gateway.responses import Response

log = logging.getLogger("butai.gateway")

TICK = 0.05
"""Seconds between two looks at the deadlines of requests; one timer for all costs less than one each."""
BACKLOG = 1024
"""Connections that may wait to be accepted."""
AT_ONCE = 32
"""Connections that are accepted in one turn of the loop."""
PAUSE = 1.0
"""Seconds without accepting, when the process has no descriptors left."""
SWEEP_TICKS = 5
"""Ticks between two looks at the connections."""

Dispatch = Callable[[Exchange], None]


class Listener:
    """Owns the socket, the connections and the sweep; ``dispatch`` gets each complete request."""

    def __init__(self, settings: GatewaySettings, dispatch: Dispatch, unmatched: Recorder) -> None:
        self.settings = settings
        self.draining = False
        self.connections: set[Connection] = set()
        self.in_flight: set[Exchange] = set()
        self.cut = 0
        """Streams ended because their clients were too slow."""
        self.tail = self.tail_closing = self.tail_kept = b""
        self._dispatch = dispatch
        self._unmatched = unmatched
        self._loop: asyncio.AbstractEventLoop
        self._sockets: list[socket.socket] = []
        self._sweep: asyncio.Task[None] | None = None
        self._empty = asyncio.Event()
        self._adoptions: set[asyncio.Task[object]] = set()
        self.port = 0

    def start(self, sockets: Sequence[socket.socket]) -> None:
        """Listen on bound sockets, which the node may hold too; they are closed in the end."""
        self._loop = asyncio.get_running_loop()
        self._stamp()
        self._sockets = list(sockets)
        for listening in self._sockets:
            listening.setblocking(False)
            listening.listen(BACKLOG)
            self._loop.add_reader(listening, self._accept, listening)
        self.port = self._sockets[0].getsockname()[1]
        self._sweep = self._loop.create_task(self._sweeping(self._loop), name="gateway-sweep")

    def _accept(self, listening: socket.socket, most: int = AT_ONCE) -> None:
        """Take some of the connections that wait; the rest is for the next turn."""
        for _ in range(most):
            try:
                accepted, _ = listening.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                # No descriptors are left: they wait, instead of turning the loop round and round.
                log.error("a connection cannot be accepted", extra={"fields": {"error": str(error)}})
                self._loop.remove_reader(listening)
                self._loop.call_later(PAUSE, self._accept_again, listening)
                return
            adoption = self._loop.connect_accepted_socket(lambda: Connection(self, self._loop), accepted)
            task: asyncio.Task[object] = self._loop.create_task(adoption)
            self._adoptions.add(task)
            task.add_done_callback(self._adoptions.discard)

    def _accept_again(self, listening: socket.socket) -> None:
        if not self.draining:
            self._loop.add_reader(listening, self._accept, listening)

    def failure(self) -> str | None:
        """Why deadlines are not kept any more; None while they are."""
        sweep = self._sweep
        if sweep is None or not sweep.done() or sweep.cancelled():
            return None
        return f"the sweep of deadlines has ended: {sweep.exception()!r}"

    # What connections call

    def admit(self, connection: Connection) -> bool:
        """Whether there is room for one more."""
        if len(self.connections) >= self.settings.connections:
            return False
        self.connections.add(connection)
        return True

    def dismiss(self, connection: Connection) -> None:
        self.connections.discard(connection)
        if self.draining and not self.connections:
            self._empty.set()

    def handle(self, exchange: Exchange) -> None:
        """Answer a request, now or later."""
        exchange.began = time.perf_counter()
        try:
            self._dispatch(exchange)
        except Refusal as refusal:
            exchange.refuse(refusal)
        except Exception:
            log.exception("%s %s failed", exchange.method, exchange.path)
            exchange.refuse(Refusal(INTERNAL_ERROR))

    def answered(self, exchange: Exchange, response: Response) -> None:
        """Count an answer and forget its request."""
        self.in_flight.discard(exchange)
        recorder = exchange.endpoint.recorder if exchange.endpoint is not None else self._unmatched
        recorder.count(response.status, time.perf_counter() - exchange.began)

    # Deadlines

    async def _sweeping(self, loop: asyncio.AbstractEventLoop) -> None:
        tick = 0
        while True:
            await asyncio.sleep(TICK)
            now = loop.time()
            self._expire(now)
            tick += 1
            if tick % SWEEP_TICKS == 0:
                self._stamp()
                for connection in list(self.connections):
                    connection.sweep(now)

    def _expire(self, now: float) -> None:
        overdue = [exchange for exchange in self.in_flight if exchange.deadline <= now]
        for exchange in overdue:
            ask = exchange.ask
            if exchange.on_overdue is not None:
                exchange.on_overdue()
            # Undecided by now means never decided: the entity drops what is past its deadline.
            unknown = ask is not None and ask.command is not None and ask.decided
            exchange.refuse(Refusal(OUTCOME_UNKNOWN if unknown else EXPIRED))

    def _stamp(self) -> None:
        date = b"Date: %s\r\n\r\n" % formatdate(usegmt=True).encode()
        if date != self.tail:
            self.tail = date
            self.tail_closing = b"Connection: close\r\n" + date
            self.tail_kept = b"Connection: keep-alive\r\n" + date

    # The end

    def drain(self) -> None:
        """Take only connections that wait already, close idle ones, end every other with its next answer."""
        if self.draining:
            return
        self.draining = True
        for listening in self._sockets:
            self._loop.remove_reader(listening)
            # They would be reset, if nobody listens here after us.
            self._accept(listening, BACKLOG)
            listening.close()
        now = self._loop.time()
        for connection in list(self.connections):
            connection.drain(now)

    async def stop(self, grace: float) -> None:
        """Wait until every request is answered, at most ``grace`` seconds, then close what is left."""
        self.drain()
        await asyncio.gather(*self._adoptions, return_exceptions=True)
        if not self.connections:
            self._empty.set()
        try:
            async with asyncio.timeout(grace):
                await self._empty.wait()
        except TimeoutError:
            log.warning("%d connections are cut off after %g s", len(self.connections), grace)
        for connection in list(self.connections):
            connection.abort()
        if self._sweep is not None:
            self._sweep.cancel()
            await asyncio.gather(self._sweep, return_exceptions=True)
