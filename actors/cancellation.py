"""Waiting for the first of several, and ending tasks that may miss the first word of it."""

import asyncio
import logging
from collections.abc import Awaitable
from typing import Any

log = logging.getLogger(__name__)

AGAIN = 0.1
"""Seconds between two words."""
ATTEMPTS = 20


async def end(*tasks: "asyncio.Task[Any] | None") -> None:
    """Cancel these tasks, again and again until they are done, and keep what they raise to themselves.

    Before Python 3.12 ``asyncio.wait_for`` drops a cancellation that arrives in the same turn of the loop as
    its result, and nats-py swallows some too: a task that goes round in a loop would then go on for ever, and
    whoever waits for it with it."""
    going = {task for task in tasks if task is not None}
    for _ in range(ATTEMPTS):
        for task in going:
            task.cancel()
        if going:
            done, going = await asyncio.wait(going, timeout=AGAIN)
            for task in done:
                if not task.cancelled() and (error := task.exception()) is not None:
                    log.debug("a task ended with an error", exc_info=error)
        if not going:
            return
    log.error("tasks do not end", extra={"fields": {"tasks": [task.get_name() for task in going]}})


async def first(*waits: Awaitable[Any], seconds: float | None = None) -> "set[asyncio.Task[Any]]":
    """Wait until one of these is done, or for so long; the others are given up. Those that are done."""
    tasks: list[asyncio.Task[Any]] = [asyncio.ensure_future(wait) for wait in waits]
    try:
        done, _ = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return done
