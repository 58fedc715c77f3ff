"""Documents by key for all who ask in one turn of the loop: one read of the store, one task, one position.

A document by itself costs the store little; what costs is to ask it."""

import asyncio
import logging
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from actors.views.conditions import Condition
from actors.views.port import Reading, Wanted
from gateway.exchange import Exchange
from gateway.problems import INTERNAL_ERROR, Refusal
from gateway.reading import Reader

log = logging.getLogger("butai.gateway")

LARGEST = 256
"""Documents of one read."""
AT_ONCE = 2
"""Reads of one view at a time; meanwhile the next one gathers."""


class Asked(NamedTuple):
    """Somebody waits for a document."""

    exchange: Exchange
    key: str
    visible: Condition


class Answers(Protocol):
    """Makes the answer to one who asked."""

    def __call__(self, exchange: Exchange, document: bytes | None, position: bytes) -> None:
        """``position`` are lines of the answer's head; raises Refusal."""


class Gathering:
    """Of one view."""

    def __init__(self, reader: Reader, view: str, answers: Answers) -> None:
        self._reader = reader
        self._view = view
        self._answers = answers
        self._waiting: list[Asked] = []
        self._soon = False
        self._reads: set[asyncio.Task[None]] = set()

    def ask(self, asked: Asked) -> None:
        """It is answered before its deadline passes, or by that."""
        waiting = self._waiting
        waiting.append(asked)
        if len(waiting) > LARGEST and waiting[0].exchange.answered:
            # Those whose deadline has passed while the store does not answer are forgotten: what waits is
            # bounded by the requests in flight.
            self._waiting = [one for one in waiting if not one.exchange.answered]
        if not self._soon and len(self._reads) < AT_ONCE:
            self._soon = True
            asyncio.get_running_loop().call_soon(self._read)

    def _read(self) -> None:
        self._soon = False
        batch, self._waiting = self._waiting[:LARGEST], self._waiting[LARGEST:]
        batch = [one for one in batch if not one.exchange.answered]
        if not batch:
            return
        task = asyncio.get_running_loop().create_task(self._answer(batch), name=f"read {self._view}")
        self._reads.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._reads.discard(task)
        if self._waiting and not self._soon:
            self._soon = True
            asyncio.get_running_loop().call_soon(self._read)

    async def _answer(self, batch: Sequence[Asked]) -> None:
        keys: dict[Condition, dict[str, None]] = {}
        for one in batch:
            keys.setdefault(one.visible, {})[one.key] = None
        wanted = [
            Wanted(self._view, tuple(of_one), visible, limit=len(of_one)) for visible, of_one in keys.items()
        ]
        try:
            async with asyncio.timeout_at(max(one.exchange.deadline for one in batch)):
                reading = await self._reader.read(wanted)
        except TimeoutError:
            return  # all have been answered by their deadlines
        except Refusal as refused:
            for one in batch:
                one.exchange.refuse(refused)
            return
        except Exception:
            log.exception("documents of %s could not be read", self._view)
            for one in batch:
                one.exchange.refuse(Refusal(INTERNAL_ERROR))
            return
        self._tell(batch, list(keys), reading)

    def _tell(self, batch: Sequence[Asked], conditions: Sequence[Condition], reading: Reading) -> None:
        position = self._reader.headers(reading.standings)
        found = {
            condition: {one.key: one.document for one in page.found}
            for condition, page in zip(conditions, reading.pages, strict=True)
        }
        for one in batch:
            exchange = one.exchange
            try:
                self._answers(exchange, found[one.visible].get(one.key), position)
            except Refusal as refused:
                exchange.refuse(refused)
            except Exception:
                log.exception("%s %s failed", exchange.method, exchange.path)
                exchange.refuse(Refusal(INTERNAL_ERROR))
