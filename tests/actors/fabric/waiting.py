"""Waiting with a deadline, for what real processes do."""

import asyncio
from collections.abc import Callable


async def until(happened: Callable[[], object], seconds: float = 10.0) -> None:
    """Return as soon as ``happened()`` is true; raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not happened():
            await asyncio.sleep(0.002)
