"""A real ``butai up`` for tests: started in a folder of its own, on a free port, stopped by its pid."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

BUTAI = (sys.executable, "-m", "gateway.command_line")
CLEAN = {key: value for key, value in os.environ.items() if not key.startswith("BUTAI_")}
SPACE = {"capacity": 16, "time_zone": "Asia/Tokyo", "opens": "00:00", "closes": "24:00"}


def butai(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [*BUTAI, *arguments],
        cwd=folder,
        env={**CLEAN, "COLUMNS": "120", "TERM": "dumb", **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def alive(pid: int) -> bool:
    """Whether the process runs; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def command_line(pid: int) -> str:
    """Empty once the process has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def eventually(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Whether it becomes true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)
    return False


class Running:
    """A node that has said that it is ready."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self.process = process
        self.log = log
        self.ready = self._ready_line()
        self.url = self.ready.partition(" at ")[2].partition(" ")[0]
        self.host, _, port = self.url.removeprefix("http://").rpartition(":")
        self.port = int(port)

    def _ready_line(self) -> str:
        stdout = self.process.stdout
        assert stdout is not None
        if not select.select([stdout], [], [], 20.0)[0]:
            raise AssertionError(f"not ready: {self.log.read_text()}")
        line = stdout.readline()
        assert " is ready at " in line, self.log.read_text()
        return line

    def worker(self) -> int:
        """The only worker's pid."""
        (worker,) = self.workers()
        return worker

    def workers(self) -> list[int]:
        """The workers' pids."""
        return self.children("gateway.worker")

    def children(self, kind: str) -> list[int]:
        """Pids of the node's children whose command line holds ``kind``."""
        pid = self.process.pid
        found = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        return [child for child in found if kind in command_line(child)]

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """One request on a connection of its own: status and decoded body. OSError as it comes."""
        connection = HTTPConnection(self.host, self.port, timeout=10)
        try:
            payload = None if body is None else json.dumps(body)
            sent = {"Content-Type": "application/json"} if payload else {}
            connection.request(method, path, payload, {**sent, **headers})
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        is_json = (response.getheader("Content-Type") or "").partition(";")[0].endswith("json")
        return response.status, json.loads(content) if content and is_json else content

    def serves(self) -> bool:
        """Whether it is ready, asked now."""
        try:
            return self.call("GET", "/readyz")[0] == 200
        except OSError:
            return False

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end; its exit status."""
        self.process.send_signal(number)
        return self.process.wait(30)


@contextmanager
def running(folder: Path, *arguments: str, **environment: str) -> Iterator[Running]:
    """``butai up`` on a free port, with its data in ``folder``; gone at the end, whatever happens."""
    log = folder / "log"
    command = [*BUTAI, "up", "--set", "gateway.bind=127.0.0.1:0", *arguments]
    with log.open("a") as stderr:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**CLEAN, **environment},
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            start_new_session=True,
        )
    try:
        yield Running(process, log)
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
