"""What the gateway leaves to the garbage collector: nothing, so that it need not look often."""

import asyncio
import gc
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from actors.journal.memory import MemoryJournal
from actors.manifest import load
from actors.region import open_region
from actors.settings import GatewaySettings, Settings
from actors.stage import Stage
from gateway.server import Gateway

OPEN = b'{"capacity":16,"time_zone":"UTC","opens":"00:00","closes":"24:00"}'
COMMAND = (
    b"POST /booking/spaces/%%d HTTP/1.1\r\nHost: a\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
)


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    stage, settings = Stage(), Settings(gateway=GatewaySettings(bind="127.0.0.1:0"))
    region = await open_region(load(["contexts.booking"])["booking"], MemoryJournal(4), stage, settings, "me")
    gateway = Gateway(settings.gateway, {"booking": region}, dict)
    gateway.start()
    yield gateway
    await gateway.stop(1.0)
    await region.drain(1.0)
    await region.close()
    stage.shutdown()


async def exchange(gateway: Gateway, requests: list[bytes], connections: int) -> None:
    for _ in range(connections):
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        for request in requests:
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
        writer.close()
        await writer.wait_closed()
    await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    "requests",
    [
        [b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"],
        [b"GET /booking/spaces/nowhere HTTP/1.1\r\nHost: a\r\n\r\n"] * 3,
        [COMMAND % len(OPEN) % number + OPEN for number in (1, 2, 1)],
        [b"GET /booking/spaces/1/events HTTP/1.1\r\nHost: a\r\n\r\n"] * 3,
        [b"DELETE /nowhere HTTP/1.1\r\nHost: a\r\n\r\n"],
    ],
    ids=["probe", "absent", "commands", "history", "unknown path"],
)
async def test_requests_and_connections_leave_no_cycles_behind(
    gateway: Gateway, requests: list[bytes]
) -> None:
    await exchange(gateway, requests, 3)
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        await exchange(gateway, requests, 10)
        gc.collect()
        ours = Counter(
            type(found).__name__
            for found in gc.garbage
            if type(found).__module__.split(".")[0] in ("gateway", "actors", "aiohttp", "contexts")
        )
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
    assert ours == Counter()
