"""What a follower is sent before its answer has begun."""

import asyncio

from gateway.stream import Stream


class Opening:
    """Keeps what a follower is sent before its answer has begun: nothing, or very little."""

    def __init__(self) -> None:
        self._kept: list[bytes] = []
        self._stream: Stream | None = None
        self._opened = asyncio.Event()
        self._ended: str | None = None

    def opened(self, stream: Stream) -> None:
        """From here on it goes to the stream."""
        for message in self._kept:
            stream.send(message)
        self._kept.clear()
        self._stream = stream
        self._opened.set()
        if self._ended is not None:
            stream.end(self._ended)

    def send(self, message: bytes) -> bool:
        """See ``following.port.Sink``."""
        if self._stream is not None:
            return self._stream.send(message)
        self._kept.append(message)
        return True

    async def room(self) -> None:
        """See ``following.port.Sink``."""
        await self._opened.wait()
        if self._stream is not None:
            await self._stream.room()

    def end(self, why: str) -> None:
        """See ``following.port.Sink``."""
        if self._stream is None:
            self._ended = why
        else:
            self._stream.end(why)
