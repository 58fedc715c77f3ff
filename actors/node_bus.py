"""The bus as its node sees it: a server of its own that it starts and stops, or one that is there already."""

import asyncio
from pathlib import Path

from actors.fabric.server import EmbeddedServer, ServerFailed
from actors.settings import EMBEDDED, Settings

FOLDER = "nats"
"""Where the embedded server keeps its files, within the data directory."""


class NodeBus:
    """``urls`` and ``token`` hold once ``started`` is set; ``own`` tells whether the server is the node's.

    ``lock`` is the data directory's: the server holds it too, so that no other starts on the same files."""

    def __init__(self, settings: Settings, lock: int) -> None:
        self.own = settings.bus == EMBEDDED
        self.urls: tuple[str, ...] = () if self.own else settings.bus_urls()
        self.token: str | None = None
        self.started = asyncio.Event()
        self._server: EmbeddedServer | None = None
        if self.own:
            folder = Path(settings.data) / FOLDER
            self._server = EmbeddedServer(folder, settings.cluster, inherited=(lock,))

    async def start(self) -> None:
        """Have it running, if it is the node's. Raises ServerFailed."""
        if self._server is not None:
            try:
                await self._server.start()
            except OSError as error:
                raise ServerFailed(
                    f"the embedded bus cannot be started: {error.strerror or error}"
                ) from error
            self.urls, self.token = self._server.urls, self._server.token
        self.started.set()

    async def failure(self) -> None:
        """Wait until nobody keeps the server alive any more; raises ServerFailed. A bus of others never
        fails here: who uses it waits until it is back."""
        watch = self._server.failed if self._server is not None else None
        if watch is None:
            await asyncio.get_running_loop().create_future()
        else:
            await asyncio.wait({watch})
            raise ServerFailed(f"the embedded bus is not watched any more: {watch.exception()!r}")

    async def stop(self) -> None:
        """End the server, if it is the node's."""
        if self._server is not None:
            await self._server.stop()
