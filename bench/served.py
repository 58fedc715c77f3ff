"""The servers under load, each a process of its own that is started, told ready and stopped."""

import contextlib
import os
import re
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bench import process

START = 60.0
STOP = 30.0
ROOT = Path(__file__).parent.parent
BUTAI = Path(sys.executable).with_name("butai")
WORKER = "gateway.worker"
"""In a worker's command line."""


class ServerFailed(Exception):
    """A server did not start, or did not stop well."""


class Server:
    """A running server: where it listens, and the processes whose time and memory count."""

    def __init__(self, url: str, pids: Sequence[int], ready_seconds: float) -> None:
        self.url = url
        self.pids = tuple(pids)
        self.ready_seconds = ready_seconds
        """From the start of the process to the line that says it is ready."""

    def cpu_seconds(self) -> float:
        """Used so far, by all threads."""
        return sum(map(process.cpu_seconds, self.pids))

    def rss(self) -> int:
        """Resident bytes."""
        return sum(map(process.rss, self.pids))


class Node(Server):
    """A running node; its workers are what counts."""

    def __init__(self, url: str, pid: int, ready_seconds: float) -> None:
        self.pid = pid
        super().__init__(url, self.workers(), ready_seconds)

    def workers(self) -> list[int]:
        """The workers that it has now; raises ProcessGone."""
        return [child for child in process.children(self.pid) if WORKER in process.command_line(child)]

    def everyone(self) -> list[int]:
        """The node and all that it has started: workers, an embedded bus; raises ProcessGone."""
        return [self.pid, *process.children(self.pid)]

    def lose(self) -> None:
        """Have no process of it left, without a word to anyone."""
        everyone = self.everyone()
        # The node first: it would tell of its workers' deaths.
        for pid in everyone:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def bare() -> Iterator[Server]:
    """The bare handler of ``bench.bare``."""
    command = [sys.executable, "-m", "bench.bare"]
    with _running(command, None) as (child, url, seconds):
        yield Server(url, [child.pid], seconds)


@contextlib.contextmanager
def butai(
    data: Path, log: Path, sets: Mapping[str, object] | None = None, mortal: bool = False
) -> Iterator[Node]:
    """``butai up`` with the sample's contexts on a free port; what it logs goes to ``log``. Unless it is
    ``mortal`` it must not end by itself."""
    settings = {"gateway.bind": "127.0.0.1:0", "data": data, **(sets or {})}
    command = [str(BUTAI), "up"]
    for key, value in settings.items():
        command += ["--set", f"{key}={value}"]
    with _running(command, log, mortal) as (child, url, seconds):
        node = Node(url, child.pid, seconds)
        wanted = int(str(settings.get("workers", 1)))
        if len(node.pids) != wanted:
            raise ServerFailed(f"the node has {len(node.pids)} workers instead of {wanted}{_tail(log)}")
        yield node


@contextlib.contextmanager
def _running(
    command: list[str], log: Path | None, mortal: bool = False
) -> Iterator[tuple["subprocess.Popen[str]", str, float]]:
    """A child in a process group of its own, so that Ctrl-C reaches us alone and we end it in order."""
    began = time.perf_counter()
    with contextlib.ExitStack() as stack:
        errors = stack.enter_context(log.open("a")) if log else None
        child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            bufsize=1,
            process_group=0,
            cwd=ROOT,
        )
        stack.callback(_end, child)
        url = _ready(child, log)
        yield child, url, time.perf_counter() - began
        if child.poll() is not None:
            if mortal:
                return
            raise ServerFailed(f"{command[0]} ended by itself with status {child.returncode}{_tail(log)}")
        _stop(child, log)


def _ready(child: "subprocess.Popen[str]", log: Path | None) -> str:
    """The URL in the line that says it is ready; empty if it tells none."""
    assert child.stdout is not None
    deadline = time.monotonic() + START
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while selector.select(max(0.0, deadline - time.monotonic())):
            line = child.stdout.readline()
            if not line:
                raise ServerFailed(f"the server ended before it was ready{_tail(log)}")
            if "ready" in line:
                # A node that only owns shards listens nowhere.
                found = re.search(r"http://[\w.:\[\]]+", line)
                return found[0] if found else ""
    raise ServerFailed(f"the server was not ready within {START:g} s{_tail(log)}")


def _stop(child: "subprocess.Popen[str]", log: Path | None) -> None:
    """Ask it to stop; raises ServerFailed unless it does so well and in time."""
    assert child.stdin is not None
    child.stdin.close()
    child.terminate()
    try:
        status = child.wait(STOP)
    except subprocess.TimeoutExpired as error:
        raise ServerFailed(f"the server did not stop within {STOP:g} s{_tail(log)}") from error
    if status not in (0, -15):
        raise ServerFailed(f"the server stopped with status {status}{_tail(log)}")


def _end(child: "subprocess.Popen[str]") -> None:
    """Whatever happened, leave no process. A node's worker dies with its node."""
    # A second Ctrl-C must not cut this short; it takes STOP seconds at most.
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(STOP)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        for stream in (child.stdin, child.stdout):
            if stream is not None:
                stream.close()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _tail(log: Path | None) -> str:
    lines = log.read_text().splitlines()[-5:] if log and log.exists() else []
    return ": " + " | ".join(lines) if lines else ""
