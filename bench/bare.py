"""The measure of all ratios: the least an aiohttp server does for a JSON request. ``python -m bench.bare``.

It serves until its standard input ends, so that it cannot outlive whoever started it.
"""

import asyncio
import sys

import uvloop
from aiohttp import web

ANSWER = {
    "version": 2,
    "position": "booking/17:42",
    "events": [
        {
            "version": 2,
            "type": "Reserved",
            "at": "2030-01-01T00:00:00.000000Z",
            "data": {
                "reservation": "r1",
                "guest": "ada",
                "guests": 4,
                "start": "2030-01-01T00:00:00Z",
                "end": "2030-01-01T01:00:00Z",
            },
        }
    ],
}
"""As large as the answer to a command."""


async def answer(request: web.Request) -> web.Response:
    """Decode the body and answer."""
    await request.json()
    return web.json_response(ANSWER)


async def serve() -> None:
    """Serve on a free port of loopback, told on standard output."""
    app = web.Application()
    app.add_routes([web.post("/", answer)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sys.stdout.write(f"ready http://127.0.0.1:{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    end = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(end), sys.stdin)
    await end.read()
    await runner.cleanup()


if __name__ == "__main__":
    uvloop.run(serve())
