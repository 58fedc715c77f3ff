"""The two servers that several nodes share: NATS and PostgreSQL, each killed and come back with its data."""

import asyncio
import json
import shutil
import signal
import time
from pathlib import Path

from actors.fabric.envelope import SIZE
from actors.fabric.server import binary
from tests.actors.journal.postgres.server import Server
from tests.chaos.cluster.place import Place
from tests.chaos.cluster.process import LOOK_SECONDS, Process
from tests.ports import free_port

READY_SECONDS = 30.0


class Nats:
    """One server without a password: it is reached from its own place alone."""

    def __init__(self, folder: Path, place: Place) -> None:
        self._folder = folder
        self._place = place
        self._process: Process | None = None
        self.port = free_port()
        self.url = f"nats://{place.address}:{self.port}"
        lines = [
            f'listen: "{place.address}:{self.port}"',
            f"max_payload: {SIZE}",
            f"max_pending: {8 * SIZE}",
            f"jetstream {{ store_dir: {json.dumps(str(folder / 'nats'))} }}",
        ]
        (folder / "nats.conf").write_text("\n".join(lines) + "\n")

    async def start(self) -> None:
        """Until it takes connections."""
        command = [str(binary()), "--config", str(self._folder / "nats.conf")]
        with self._place.inside():
            process = self._process = Process(command, self._folder / "nats.out", self._folder)
        end = time.monotonic() + READY_SECONDS
        while not await asyncio.to_thread(self._greets):
            if process.status is not None or time.monotonic() > end:
                raise RuntimeError(f"NATS did not start, see {process.log}")
            await asyncio.sleep(LOOK_SECONDS)

    def _greets(self) -> bool:
        with self._place.socket() as probe:
            probe.settimeout(1.0)
            try:
                probe.connect((self._place.address, self.port))
                return probe.recv(5) == b"INFO "
            except OSError:
                return False

    def kill(self) -> None:
        """At once. May be called again."""
        if self._process is not None:
            self._process.kill()


class Postgres:
    """One server; its folder is its own, since it does not run as root."""

    def __init__(self, folder: Path, place: Place) -> None:
        self._server = Server.make()
        self._place = place
        self._kept = folder / "postgres.log"
        self._server.port = free_port()
        self._server.host = place.address
        self._server.settings["log_min_messages"] = "warning"
        self.url = self._server.url()
        if place.address != "127.0.0.1":
            with (self._server.data / "pg_hba.conf").open("a") as rules:
                rules.write("host all all 10.77.0.0/24 trust\n")

    async def start(self) -> None:
        """Until it takes connections. The backends of one that was killed may still hold its memory: then it
        ends at once, and is started again."""
        end = time.monotonic() + READY_SECONDS
        while True:
            with self._place.inside():
                self._server.launch()
            while self._server.runs:
                if self._server.is_ready():
                    return
                await asyncio.sleep(LOOK_SECONDS)
            if time.monotonic() > end:
                raise RuntimeError(f"PostgreSQL did not start, see {self._kept}")
            self._keep_log()
            await asyncio.sleep(LOOK_SECONDS)

    async def kill(self, how: signal.Signals) -> None:
        """SIGKILL to the first process, or SIGQUIT: as if it had crashed."""
        await asyncio.to_thread(self._server.stop, how)
        self._keep_log()

    def _keep_log(self) -> None:
        with self._kept.open("ab") as kept:
            kept.write((self._server.folder / "log").read_bytes())

    def remove(self) -> None:
        """Stop it, keep its log and forget its data."""
        self._server.stop(signal.SIGQUIT)
        if (self._server.folder / "log").exists():
            self._keep_log()
        # Backends of one that was killed may still write a last file.
        shutil.rmtree(self._server.folder, ignore_errors=True)
