"""A worker's one link to NATS: made with a deadline, kept up for ever, never buffering without bound.

nats-py reconnects by itself while its connection can be mended. Some errors of the server make it close for
good instead (an authorization that ended, a limit of connections): then a new client takes its place and all
subscriptions move to it. What is published while the link is down is refused at once, because whoever asks
another worker must know whether anything was sent.
"""

import asyncio
import logging
import random
import ssl
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import msgspec
import nats.errors
from nats.aio.client import Client, Server
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from actors.cancellation import end

logger = logging.getLogger(__name__)

CONNECT_SECONDS = 2.0
"""How long one attempt may take."""
BACKOFF = 0.02
"""Seconds before the second attempt to reconnect; doubled each time, and half of it drawn by lot."""
BACKOFF_LIMIT = 1.0
PING_SECONDS = 2
"""Between two signs of life; a link that misses two of them is made anew."""
PENDING = 16 * 1024 * 1024
"""Bytes that wait for the socket at most; more are refused."""
SUBSCRIBED_MESSAGES = 4096
SUBSCRIBED_BYTES = 64 * 1024 * 1024
"""What waits for a handler at most; more is dropped, which is logged."""
CLOSE_SECONDS = 2.0

Handler = Callable[[Msg], Awaitable[None]]


class Unreachable(OSError):
    """The bus cannot be reached now, or takes no more; nothing was sent."""


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """Where NATS is and what opens it."""

    urls: tuple[str, ...]
    token: str | None = None
    credentials: str | None = None
    """A file with a user's JWT and seed, as NATS' own tools write it."""
    ca: str | None = None
    """A file of certificates to trust instead of the system's."""
    certificate: str | None = None
    """A file with the client's certificate chain; ``key`` is its private key's."""
    key: str | None = None

    def options(self) -> dict[str, Any]:
        """For nats-py. Raises Unreachable for files that cannot be used, in one line."""
        options: dict[str, Any] = {"servers": list(self.urls)}
        if self.token is not None:
            options["token"] = self.token
        if self.credentials is not None:
            if not Path(self.credentials).is_file():
                raise Unreachable(f"fabric.credentials: {self.credentials} is no file")
            options["user_credentials"] = self.credentials
        if self.ca is not None or self.certificate is not None:
            try:
                context = ssl.create_default_context(cafile=self.ca)
                if self.certificate is not None:
                    context.load_cert_chain(self.certificate, self.key)
            except (OSError, ssl.SSLError) as error:
                raise Unreachable(f"the bus's TLS files cannot be used: {error}") from error
            options["tls"] = context
        return options


class Connection:
    """Made by ``connect``; everything runs on its loop."""

    def __init__(self, access: Access, name: str) -> None:
        self.connected = False
        self.since = asyncio.get_running_loop().time()
        """When ``connected`` last changed, on the loop's clock."""
        self.trouble = ""
        """The latest error, while not connected."""
        self.refused = 0
        """Messages that were not sent because the link was down or full."""
        self.on_change: list[Callable[[bool], object]] = []
        """Called with ``connected`` when it has changed."""
        self._access = access
        self._name = name
        self._loop = asyncio.get_running_loop()
        self._client = Client()
        self._handlers: list[_Subscribed] = []
        self._closing = False
        self._lost = asyncio.Event()
        self._outgoing: deque[tuple[str, bytes, str]] = deque()
        self._outgoing_bytes = 0
        self._wake: asyncio.Future[None] | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._working: set[asyncio.Task[None]] = set()

    # Up and down -----------------------------------------------------------------------------------------

    async def open(self, deadline: float) -> None:
        """Connect within ``deadline`` seconds; raises Unreachable."""
        self._access.options()
        end, attempt = self._loop.time() + deadline, 0
        while not await self._attempt(end - self._loop.time()):
            left = end - self._loop.time()
            if left <= 0:
                servers = ", ".join(map(_public, self._access.urls))
                raise Unreachable(f"{servers}: {self.trouble or 'no answer'}")
            await asyncio.sleep(min(_delay(attempt), left))
            attempt += 1
        self._tasks = [
            self._loop.create_task(self._keep(), name="fabric: keep the connection"),
            self._loop.create_task(self._write(), name="fabric: write"),
        ]
        for task in self._tasks:
            task.add_done_callback(self._ended)

    async def close(self) -> None:
        """Send what waits, then disconnect; within ``CLOSE_SECONDS``."""
        self._closing = True
        try:
            if self.connected:
                await self.settle(CLOSE_SECONDS)
        except (TimeoutError, Unreachable):
            logger.warning("the bus did not take what was left", extra={"fields": {"bus": self._name}})
        await end(*self._tasks)
        await self._close_client()
        self._changed(False)

    async def _connect(self) -> None:
        client = self._client = Client()

        async def down() -> None:
            if client is self._client:
                self._changed(False)

        async def up() -> None:
            if client is self._client:
                self._changed(True)

        async def closed() -> None:
            if client is self._client and not self._closing:
                self._changed(False)
                self._lost.set()

        await client.connect(
            **self._access.options(),
            name=self._name,
            error_cb=self._note,
            disconnected_cb=down,
            reconnected_cb=up,
            closed_cb=closed,
            # Or the first attempt goes on for ever, and cannot even be cancelled.
            allow_reconnect=False,
            connect_timeout=CONNECT_SECONDS,  # type: ignore[arg-type]
            max_reconnect_attempts=-1,
            reconnect_time_wait=BACKOFF,  # type: ignore[arg-type]
            reconnect_to_server_handler=_next_server,
            ping_interval=PING_SECONDS,
            max_outstanding_pings=2,
            # 0: nothing is kept for later while the link is down. The bound while it is up is ours.
            pending_size=0,
            # Our own subjects are made of checked parts.
            skip_subject_validation=True,
        )
        client.options["allow_reconnect"] = True
        for handler in self._handlers:
            await handler.subscribe(client)
        self._changed(True)

    async def _keep(self) -> None:
        """Put a new client in the place of one that has closed for good."""
        while True:
            await self._lost.wait()
            self._lost.clear()
            attempt = 0
            while not self.connected:
                await asyncio.sleep(_delay(attempt))
                attempt += 1
                await self._attempt(CONNECT_SECONDS)

    async def _attempt(self, seconds: float) -> bool:
        try:
            await self._within(self._connect(), min(seconds, CONNECT_SECONDS))
        except (OSError, TimeoutError, nats.errors.Error) as error:
            self.trouble = self.trouble or str(error) or type(error).__name__
            await self._close_client()
            return False
        return True

    async def _close_client(self) -> None:
        client, self._client = self._client, Client()
        try:
            await self._within(client.close(), CLOSE_SECONDS)
        except (OSError, TimeoutError, nats.errors.Error) as error:
            logger.debug("closing the connection to the bus", exc_info=error)

    async def _within(self, work: Coroutine[Any, Any, None], seconds: float) -> None:
        """Do it within ``seconds``, or raise TimeoutError. nats-py swallows cancellations here and there, so
        that a timeout around it may never come back."""
        task = self._loop.create_task(work)
        self._working.add(task)
        task.add_done_callback(self._worked)
        try:
            done, _ = await asyncio.wait({task}, timeout=max(0.0, seconds))
        except asyncio.CancelledError:
            task.cancel()
            raise
        if not done:
            task.cancel()
            raise TimeoutError(f"not done within {seconds:g} s")
        task.result()

    def _worked(self, task: "asyncio.Task[None]") -> None:
        self._working.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.debug("connecting or closing failed", exc_info=task.exception())

    def _ended(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and not self._closing:
            logger.critical("the fabric's own task ended", exc_info=task.exception())
            self._changed(False)

    def _changed(self, connected: bool) -> None:
        if connected == self.connected:
            return
        self.connected = connected
        self.since = self._loop.time()
        fields = {"bus": self._name, "servers": [_public(url) for url in self._access.urls]}
        if connected:
            self.trouble = ""
            logger.info("connected to the bus", extra={"fields": fields})
        else:
            # Whoever asked is told that it is gone; it must not arrive later all the same.
            self._outgoing.clear()
            self._outgoing_bytes = 0
            if not self._closing:
                logger.warning("the bus is away", extra={"fields": fields | {"error": self.trouble}})
        for call in list(self.on_change):
            call(connected)

    async def _note(self, error: Exception) -> None:
        if isinstance(error, nats.errors.SlowConsumerError):
            logger.error("messages were dropped: their handler is too slow", extra={"fields": {"on": error}})
        elif self.connected:
            self.trouble = str(error) or type(error).__name__
            logger.warning("the bus reports", extra={"fields": {"error": self.trouble}})
        else:
            # While it reconnects each attempt reports; the first was logged.
            self.trouble = str(error) or type(error).__name__

    # Sending and receiving -------------------------------------------------------------------------------

    @property
    def client(self) -> Client:
        """nats-py's client of this moment; another one after a loss for good."""
        return self._client

    @property
    def largest(self) -> int:
        """Bytes of a message at most."""
        return int(self._client.max_payload)

    def publish(self, subject: str, data: bytes, reply: str = "") -> None:
        """Send in this turn of the loop or the next; raises Unreachable if it certainly will not be sent.

        That it was sent does not mean that it arrives."""
        if not self.connected or self._closing:
            self.refused += 1
            raise Unreachable(f"the bus is away: {self.trouble}")
        if self._outgoing_bytes + self._client.pending_data_size + len(data) > PENDING:
            self.refused += 1
            raise Unreachable(f"{PENDING} bytes wait for the bus already")
        self._outgoing.append((subject, data, reply))
        self._outgoing_bytes += len(data)
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    async def _write(self) -> None:
        outgoing = self._outgoing
        while True:
            if not outgoing:
                self._wake = self._loop.create_future()
                await self._wake
            while outgoing:
                subject, data, reply = outgoing.popleft()
                self._outgoing_bytes -= len(data)
                try:
                    await self._client.publish(subject, data, reply)
                except (nats.errors.Error, OSError) as error:
                    # The link went down a moment ago; those who wait for an answer are told by that.
                    logger.debug("a message was not sent", exc_info=error)

    async def request(self, subject: str, data: bytes, seconds: float, headers: Any = None) -> Msg:
        """One reply within ``seconds``; raises Unreachable, TimeoutError or NoRespondersError."""
        if not self.connected or self._closing:
            raise Unreachable(f"the bus is away: {self.trouble}")
        try:
            return await self._client.request(subject, data, timeout=seconds, headers=headers)
        except nats.errors.NoRespondersError:
            raise
        except (nats.errors.TimeoutError, TimeoutError) as error:
            raise TimeoutError(f"no reply within {seconds:g} s") from error
        except nats.errors.Error as error:
            raise Unreachable(str(error) or type(error).__name__) from error

    async def subscribe(self, subject: str, handler: Handler) -> "_Subscribed":
        """Give each message on ``subject`` to ``handler``, one after the other, for as long as this lives.

        The server knows of it when this returns. Raises Unreachable or TimeoutError."""
        subscribed = _Subscribed(self, subject, handler)
        self._handlers.append(subscribed)
        if self.connected:
            await subscribed.subscribe(self._client)
            await self.settle()
        return subscribed

    async def settle(self, seconds: float = CONNECT_SECONDS) -> None:
        """Return when the server has handled all that was sent before. Raises Unreachable or TimeoutError."""
        try:
            async with asyncio.timeout(seconds):
                # The client's own flush overtakes what still waits for its writer.
                while self._outgoing or self._client.pending_data_size:  # noqa: ASYNC110 - has a deadline
                    await asyncio.sleep(0 if self.connected else 0.01)
                await self._client.flush(timeout=seconds)  # type: ignore[arg-type]
        except (TimeoutError, nats.errors.TimeoutError, nats.errors.FlushTimeoutError) as error:
            raise TimeoutError(f"the bus did not answer within {seconds:g} s") from error
        except nats.errors.Error as error:
            raise Unreachable(str(error) or type(error).__name__) from error


class _Subscribed:
    """A subscription that outlives the client it was made on."""

    def __init__(self, connection: Connection, subject: str, handler: Handler) -> None:
        self._connection = connection
        self._subject = subject
        self._handler = handler
        self._subscription: Subscription | None = None

    async def subscribe(self, client: Client) -> None:
        self._subscription = await client.subscribe(
            self._subject,
            cb=self._handle,
            pending_msgs_limit=SUBSCRIBED_MESSAGES,
            pending_bytes_limit=SUBSCRIBED_BYTES,
        )

    async def _handle(self, message: Msg) -> None:
        try:
            await self._handler(message)
        except Exception:
            # A message must not end the subscription, nor the connection, of all others.
            logger.exception("a message could not be handled", extra={"fields": {"on": self._subject}})

    async def unsubscribe(self) -> None:
        """Receive nothing more."""
        if self in self._connection._handlers:
            self._connection._handlers.remove(self)
        if self._subscription is not None:
            try:
                await self._subscription.unsubscribe()
            except nats.errors.Error as error:
                logger.debug("unsubscribing", exc_info=error)


async def connect(access: Access, name: str, deadline: float = 5.0) -> Connection:
    """A connection that is up; raises Unreachable."""
    connection = Connection(access, name)
    await connection.open(deadline)
    return connection


def _delay(attempt: int) -> float:
    return float(min(BACKOFF * 2.0 ** min(attempt, 30), BACKOFF_LIMIT) * random.uniform(0.5, 1.0))


def _next_server(servers: list[Server], info: dict[str, Any]) -> tuple[Server, float]:
    """The server that has failed least, after a pause that grows with its failures."""
    server = min(servers, key=lambda one: one.reconnects)
    return server, 0.0 if server.reconnects == 0 else _delay(server.reconnects - 1)


def _public(url: str) -> str:
    """A URL without what opens it."""
    scheme, separator, rest = url.rpartition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"


__all__: Sequence[str] = ("Access", "Connection", "Handler", "Msg", "Unreachable", "connect")
