"""Answers requests on subjects: whatever arrives gets exactly one reply, and none can end the answering."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from actors.cancellation import end
from actors.control.messages import Ask, Failed, NotUnderstood, Reply, Work, decode_request, encode_reply

if TYPE_CHECKING:
    # It takes a third of a second to load, which a node spends once its workers serve.
    from nats.aio.msg import Msg

    from actors.fabric.connection import Connection

log = logging.getLogger(__name__)

WORKS = 16
"""What is being done at once for operators; more is refused."""
WORK_SECONDS = 10.0
"""How long it may take."""


class Responder:
    """Gives each request to ``handle``, which answers at once or returns what is to be awaited; others are
    answered meanwhile. Runs from ``start`` to ``stop``."""

    def __init__(
        self,
        connection: "Connection",
        subjects: Sequence[str],
        handle: Callable[[Ask], Reply | Work],
        seconds: float = WORK_SECONDS,
    ) -> None:
        """``seconds`` bound what is awaited."""
        self._connection = connection
        self._subjects = subjects
        self._handle = handle
        self._seconds = seconds
        self._subscriptions: list[Any] = []
        self._works: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Take requests; raises Unreachable or TimeoutError."""
        for subject in self._subjects:
            self._subscriptions.append(await self._connection.subscribe(subject, self._receive))

    async def stop(self) -> None:
        """Take no more requests; what is being done is given up."""
        for subscription in self._subscriptions:
            await subscription.unsubscribe()
        self._subscriptions.clear()
        await end(*self._works)

    async def _receive(self, message: "Msg") -> None:
        if not message.reply:
            return
        reply: Reply | Work
        try:
            reply = self._handle(decode_request(message.data))
        except NotUnderstood as error:
            reply = Failed(str(error))
        except Exception as error:
            log.exception("a request could not be answered")
            reply = _failed(error)
        if not isinstance(reply, Coroutine):
            self._answer(message.reply, reply)
        elif len(self._works) >= WORKS:
            reply.close()
            self._answer(message.reply, Failed(f"{WORKS} requests are being worked on, ask again later"))
        else:
            work = self._work(message.reply, reply)
            task = asyncio.get_running_loop().create_task(work, name="work for an operator")
            self._works.add(task)
            task.add_done_callback(self._works.discard)

    async def _work(self, to: str, work: Work) -> None:
        try:
            async with asyncio.timeout(self._seconds):
                reply = await work
        except TimeoutError:
            reply = Failed(f"it was not done within {self._seconds:g} s, and may yet be")
        except Exception as error:
            log.exception("a request could not be answered")
            reply = _failed(error)
        self._answer(to, reply)

    def _answer(self, to: str, reply: Reply) -> None:
        try:
            self._connection.publish(to, encode_reply(reply, self._connection.largest))
        except OSError as error:
            # Who asked hears nothing, and asks again.
            log.warning("an answer could not be sent", extra={"fields": {"error": str(error)}})


def _failed(error: Exception) -> Failed:
    return Failed(f"it failed: {type(error).__name__}: {error}")
