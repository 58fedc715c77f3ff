"""Answers requests on subjects: whatever arrives gets exactly one reply, and none can end the answering."""

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from actors.control.messages import Ask, Failed, NotUnderstood, Reply, decode_request, encode_reply

if TYPE_CHECKING:
    # It takes a third of a second to load, which a node spends once its workers serve.
    from nats.aio.msg import Msg

    from actors.fabric.connection import Connection

log = logging.getLogger(__name__)


class Responder:
    """Gives each request to ``handle``, which answers at once; runs from ``start`` to ``stop``."""

    def __init__(
        self, connection: "Connection", subjects: Sequence[str], handle: Callable[[Ask], Reply]
    ) -> None:
        self._connection = connection
        self._subjects = subjects
        self._handle = handle
        self._subscriptions: list[Any] = []

    async def start(self) -> None:
        """Take requests; raises Unreachable or TimeoutError."""
        for subject in self._subjects:
            self._subscriptions.append(await self._connection.subscribe(subject, self._receive))

    async def stop(self) -> None:
        """Take no more requests."""
        for subscription in self._subscriptions:
            await subscription.unsubscribe()
        self._subscriptions.clear()

    async def _receive(self, message: "Msg") -> None:
        if not message.reply:
            return
        try:
            reply = self._handle(decode_request(message.data))
        except NotUnderstood as error:
            reply = Failed(str(error))
        except Exception as error:
            log.exception("a request could not be answered")
            reply = Failed(f"it failed: {type(error).__name__}: {error}")
        try:
            self._connection.publish(message.reply, encode_reply(reply, self._connection.largest))
        except OSError as error:
            # Who asked hears nothing, and asks again.
            log.warning("an answer could not be sent", extra={"fields": {"error": str(error)}})
