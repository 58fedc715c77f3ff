"""A client that costs little: one connection, one request under way, no more of HTTP than that takes."""

import asyncio
from urllib.parse import urlsplit

FAILURES = (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError)
"""What goes wrong between a client and a server that is being killed."""


class Client:
    """Connects when it is needed, and anew after whatever went wrong."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._port = parts.port or 80
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, body: bytes, seconds: float) -> int:
        """The status of the answer; raises one of ``FAILURES`` when there is none within ``seconds``."""
        try:
            async with asyncio.timeout(seconds):
                return await self._post(path, body)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Cut the connection, if there is one."""
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None

    async def _post(self, path: str, body: bytes) -> int:
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port)
        reader, writer = self._streams
        writer.write(
            f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        status, length, stays = parse_head(await reader.readuntil(b"\r\n\r\n"))
        await reader.readexactly(length)
        if not stays:
            self.close()
        return status


def parse_head(head: bytes) -> tuple[int, int, bool]:
    """Status, length of the body, and whether the connection stays; EOFError if it is none we know."""
    line, *headers = head.decode("latin-1").lower().split("\r\n")
    words = line.split()
    if len(words) < 2 or not words[1].isdecimal():
        raise EOFError(f"no answer: {line!r}")
    fields = dict(header.split(":", 1) for header in headers if ":" in header)
    length = fields.get("content-length", "0").strip()
    return int(words[1]), int(length), fields.get("connection", "").strip() != "close"
