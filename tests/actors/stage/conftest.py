"""A stage that stands on its own: no loop runs, time is virtual, and ``settle`` lets actors work."""

import asyncio
from collections.abc import Iterator

import pytest

from actors.clock import VirtualClock
from actors.stage import Stage


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


@pytest.fixture
def stage(loop: asyncio.AbstractEventLoop, clock: VirtualClock) -> Iterator[Stage]:
    stage = Stage(loop, clock=clock, mailbox=10)
    yield stage
    stage.shutdown()
