"""The listening socket, its connections, the requests in flight; a periodic sweep ends what is overdue."""

import asyncio
import logging
import time
from collections.abc import Callable
from email.utils import formatdate

from actors.settings import GatewaySettings
from gateway import backlog
from gateway.connection import Connection
from gateway.exchange import Exchange
from gateway.metrics import Recorder
from gateway.problems import EXPIRED, INTERNAL_ERROR, OUTCOME_UNKNOWN, Refusal
from gateway.responses import Response

log = logging.getLogger("butai.gateway")

TICK = 0.05
"""Seconds between two looks at the deadlines of requests; one timer for all costs less than one each."""
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
        self.tail = self.tail_closing = self.tail_kept = b""
        self._dispatch = dispatch
        self._unmatched = unmatched
        self._server: asyncio.Server | None = None
        self._sweep: asyncio.Task[None] | None = None
        self._empty = asyncio.Event()
        self._adoptions: list[asyncio.Task[object]] = []
        self.port = 0

    async def start(self, host: str, port: int, *, shared: bool = False) -> None:
        """Listen; OSError when the address cannot be had. With ``shared`` other processes may listen there
        too, and the kernel spreads the connections."""
        loop = asyncio.get_running_loop()
        self._stamp()
        self._server = await loop.create_server(
            lambda: Connection(self, loop), host, port, backlog=1024, reuse_port=shared or None
        )
        self.port = self._server.sockets[0].getsockname()[1]
        self._sweep = loop.create_task(self._sweeping(loop), name="gateway-sweep")

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
        loop = asyncio.get_running_loop()
        if self._server is not None:
            for waiting in backlog.close(self._server):
                adoption = loop.connect_accepted_socket(lambda: Connection(self, loop), waiting)
                self._adoptions.append(loop.create_task(adoption))
        now = loop.time()
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
        if self._server is not None:
            self._server.close()
