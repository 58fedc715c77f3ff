"""What the gateway leaves to the garbage collector: nothing, so that it need not look often."""

import asyncio
import gc
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from actors.manifest import load
from gateway.server import Gateway
from tests.gateway import library
from tests.gateway.serving import serving

OPEN = b'{"capacity":16,"time_zone":"UTC","opens":"00:00","closes":"24:00"}'
COMMAND = (
    b"POST /booking/spaces/%%d HTTP/1.1\r\nHost: a\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
)


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with serving(load(["contexts.booking"])["booking"].context, library.context) as served:
        card = {"title": "Emma", "author": "austen", "due": "2027-03-01T00:00:00Z"}
        reply = await served.request("POST", "/library/books/b1", card)
        seen = {"Read_After": reply.json["position"]}
        for path in ("cards/b1", "loans/b1"):
            assert (await served.request("GET", f"/library/{path}", **seen)).status == 200
        yield served.gateway


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
        [
            b"GET /library/%s HTTP/1.1\r\nHost: a\r\n\r\n" % path
            for path in (b"cards/b1", b"loans/b1", b"cards/b2")
        ],
        [b"GET /library/cards/b1 HTTP/1.1\r\nHost: a\r\nRead-After: library/0:0\r\n\r\n"] * 3,
        [b"GET /library/%s HTTP/1.1\r\nHost: a\r\n\r\n" % path for path in (b"cards?limit=1", b"cards?x=1")],
        [
            b"GET /library/authors/%s HTTP/1.1\r\nHost: a\r\n\r\n" % path
            for path in (b"a/count", b"secret/count")
        ],
        [b"GET /library/authors/austen/due.ics HTTP/1.1\r\nHost: a\r\n\r\n"] * 2,
    ],
    ids=[
        *("probe", "absent", "commands", "history", "unknown path"),
        *("documents", "fresh documents", "finds", "questions", "calendars"),
    ],
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
