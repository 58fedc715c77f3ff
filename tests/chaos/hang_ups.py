"""Clients that hang up right after they have sent a whole command."""

import asyncio
import random
import socket
import struct

from tests.chaos.clients import Call
from tests.chaos.history import History

LONGEST = 0.05
"""Seconds between the end of the body and the hang-up, at most."""
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER, so that closing sends a reset instead of an orderly end."""


async def hang_up(host: str, port: int, call: Call, history: History, rng: random.Random) -> None:
    """Send the command on a connection of its own, and leave without reading, 0 to 50 ms later; every
    second time with a reset. It is recorded as a request without an answer."""
    _, writer = await asyncio.open_connection(host, port)
    call.invoke("hung up", history)
    body = call.body or b""
    head = (
        f"{call.method} {call.path} HTTP/1.1\r\nHost: {host}\r\nIdempotency-Key: {call.key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body)
    await writer.drain()
    await asyncio.sleep(rng.uniform(0, LONGEST))
    if rng.random() < 0.5:
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()
