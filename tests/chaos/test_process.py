"""Processes are stopped, continued and ended with all that they have started, and never a stranger."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.cluster.process import Held, Process, Tree, children, eventually
from tests.gateway.running import alive
from tests.ports import LOWEST_PORT, free_port

PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print("born", flush=True)
time.sleep(60)
"""


@pytest.fixture
def parent(tmp_path: Path) -> Iterator[Process]:
    process = Process([sys.executable, "-c", PARENT], tmp_path / "parent.out", tmp_path)
    yield process
    process.kill()


def state(pid: int) -> str:
    """``T``: stopped; ``S``: it sleeps."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


async def test_a_tree_is_stopped_continued_and_killed_as_a_whole(parent: Process) -> None:
    assert await eventually(lambda: "born" in parent.said(), 10.0)
    pids = [parent.pid, *children(parent.pid)]
    assert len(pids) == 2
    tree = Tree.frozen(parent.pid)
    assert await eventually(lambda: {state(pid) for pid in pids} == {"T"}, 5.0)
    tree.signal(signal.SIGCONT)
    tree.close()
    assert await eventually(lambda: {state(pid) for pid in pids} == {"S"}, 5.0)
    parent.kill()
    assert parent.status == -signal.SIGKILL
    assert await eventually(lambda: not any(alive(pid) for pid in pids), 5.0)
    parent.kill()


async def test_a_handle_of_a_process_that_has_ended_signals_nobody(parent: Process) -> None:
    held = Held(parent.pid)
    parent.kill()
    assert not held.signal(signal.SIGCONT)
    held.close()
    held.close()
    with pytest.raises(ProcessLookupError):
        Held(parent.pid)


def test_what_an_earlier_process_said_is_not_this_ones(tmp_path: Path) -> None:
    output = tmp_path / "two.out"
    for word in ("one", "two"):
        process = Process([sys.executable, "-c", f"print({word!r})"], output, tmp_path)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert process.said().strip() == word
        assert process.status == 0
    assert output.read_text().split() == ["one", "two"]


def test_a_free_port_is_not_one_that_connections_take() -> None:
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert free_port() < max(lowest, LOWEST_PORT + 1_000)
