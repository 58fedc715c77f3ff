"""One node of a cluster: a real ``butai up`` with a data folder and a port of its own."""

import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from tests.chaos.cluster.place import Place
from tests.chaos.cluster.process import Process, children, eventually
from tests.gateway.running import CLEAN, command_line
from tests.ports import free_port

ROOT = Path(__file__).parents[3]
BUTAI = (sys.executable, "-m", "gateway.command_line")
ENVIRONMENT = {**CLEAN, "PYTHONPATH": str(ROOT), "COLUMNS": "120", "TERM": "dumb"}
READY_SECONDS = 60.0
READY = " is ready at http://"


class Node:
    """``settings`` are ``key=value``; its output and its data lie in ``folder``."""

    def __init__(
        self, name: str, folder: Path, place: Place, port: int, workers: int, settings: Sequence[str]
    ) -> None:
        self.name = name
        self.workers_wanted = workers
        self.place = place
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.folder = folder
        self.process: Process | None = None
        self.up = False
        """It is meant to serve: whoever ends it says so first."""
        self._settings = settings

    def settings(self) -> list[str]:
        """As the command line has them."""
        own = (f"data={self.folder / 'data'}", f"gateway.bind=127.0.0.1:{self.port}")
        return [word for each in (*own, *self._settings) for word in ("--set", each)]

    def launch(self) -> None:
        """Begin to start it."""
        command = [*BUTAI, "up", "--set", f"workers={self.workers_wanted}", *self.settings()]
        self.folder.mkdir(exist_ok=True)
        with self.place.inside():
            self.process = Process(command, self.folder / "node.out", self.folder, ENVIRONMENT)

    async def ready(self, seconds: float = READY_SECONDS) -> None:
        """Wait for its word that it serves."""
        process = self.running
        spoken = await eventually(lambda: READY in process.said() or process.status is not None, seconds)
        assert spoken, f"{self.name} is not ready after {seconds:g} s, see {process.log}"
        assert process.status is None, f"{self.name} ended with {process.status}, see {process.log}"
        self.up = True

    async def start(self) -> None:
        """Start it and wait until it serves."""
        self.launch()
        await self.ready()

    @property
    def running(self) -> Process:
        """Its process; it was started."""
        assert self.process is not None
        return self.process

    def workers(self) -> list[int]:
        """The pids of its workers."""
        return [pid for pid in children(self.running.pid) if "gateway.worker" in command_line(pid)]

    def kill(self) -> None:
        """End it and its workers at once. May be called again."""
        self.up = False
        if self.process is not None:
            self.process.kill()

    def ask(self, method: str, path: str, body: Any = None, seconds: float = 10.0) -> tuple[int, Any]:
        """One request on a connection of its own: status and decoded body. OSError as it comes."""
        with self.place.socket() as connected:
            connected.settimeout(seconds)
            connected.connect(("127.0.0.1", self.port))
            connection = HTTPConnection("127.0.0.1", self.port)
            connection.sock = connected
            headers = {"Content-Type": "application/json"} if body is not None else {}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            content = response.read()
        kind = (response.getheader("Content-Type") or "").partition(";")[0]
        return response.status, json.loads(content) if kind.endswith("json") else content

    def serves(self) -> bool:
        """Whether it says that it is ready, asked now."""
        try:
            return self.ask("GET", "/readyz", seconds=2.0)[0] == 200
        except OSError:
            return False


@asynccontextmanager
async def alone(folder: Path, workers: int, *settings: str) -> AsyncIterator[Node]:
    """One that needs no server: SQLite, and a bus of its own. Gone at the end, whatever happens."""
    node = Node("solo", folder / "solo", Place(), free_port(), workers, settings)
    try:
        await node.start()
        yield node
    finally:
        node.kill()
