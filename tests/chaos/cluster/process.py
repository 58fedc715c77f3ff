"""A real process with all that it starts: ended by process id, and never a stranger in its place."""

import asyncio
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

PR_SET_PDEATHSIG = 1
LOOK_SECONDS = 0.02
"""Between two looks at something that is waited for."""
_libc = ctypes.CDLL(None, use_errno=True)


def _end_with_parent() -> None:
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


async def eventually(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether it becomes true in time, looked at without holding up the loop."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        await asyncio.sleep(LOOK_SECONDS)
    return True


def children(pid: int) -> list[int]:
    """The living processes that ``pid`` has started; none when it has ended."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


class Held:
    """A process that may end at any time: its id may then be another's, but this handle still means it."""

    def __init__(self, pid: int) -> None:
        """Raises ProcessLookupError when it has ended."""
        self.pid = pid
        self._handle = os.pidfd_open(pid)

    def signal(self, number: signal.Signals) -> bool:
        """Whether it was there to get the signal."""
        try:
            signal.pidfd_send_signal(self._handle, number)
        except ProcessLookupError:
            return False
        return True

    def close(self) -> None:
        """Hold it no more. May be called again."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


class Tree:
    """A process and all that it had started when this was made."""

    def __init__(self, pid: int) -> None:
        self._held: list[Held] = []
        self._hold(pid)

    def _hold(self, pid: int) -> None:
        try:
            self._held.append(Held(pid))
        except ProcessLookupError:
            return
        for child in children(pid):
            self._hold(child)

    @classmethod
    def frozen(cls, pid: int) -> "Tree":
        """All of it stopped, the root first, so that nothing is started unseen."""
        root = Held(pid)
        root.signal(signal.SIGSTOP)
        root.close()
        tree = cls(pid)
        tree.signal(signal.SIGSTOP)
        return tree

    def signal(self, number: signal.Signals) -> None:
        """To each that lives."""
        for held in self._held:
            held.signal(number)

    def close(self) -> None:
        """Hold nothing any more."""
        for held in self._held:
            held.close()


class Process:
    """One process of ours. It dies with the thread that started it: start it from the main one."""

    def __init__(
        self,
        command: Sequence[str],
        output: Path,
        folder: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """What it says on stdout goes to ``output``, on stderr to the file ``log`` beside."""
        self.output = output
        self.log = output.with_suffix(".log")
        self._said = output.stat().st_size if output.exists() else 0
        with output.open("ab") as stdout, self.log.open("ab") as stderr:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def status(self) -> int | None:
        """How it ended; None while it runs."""
        return self._process.poll()

    def said(self) -> str:
        """What this one has written to stdout."""
        with self.output.open("rb") as stream:
            stream.seek(self._said)
            return stream.read().decode(errors="replace")

    def terminate(self) -> None:
        """Ask it alone to end; nothing happens when it has."""
        self._process.terminate()

    def kill(self) -> None:
        """End it and all that it has started, at once; return when it is gone."""
        if self._process.poll() is None:
            tree = Tree.frozen(self.pid)
            tree.signal(signal.SIGKILL)
            tree.close()
            self._process.wait()

    async def ended(self, seconds: float) -> int | None:
        """Its status once it ends, or None when it does not in time."""
        await eventually(lambda: self._process.poll() is not None, seconds)
        return self._process.poll()
