"""The node with real worker processes that are small enough to misbehave on purpose."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors import restarts
from actors.fabric.connection import Access, Msg, connect
from actors.fabric.membership import death_notice
from actors.identity import Assignment
from actors.journal.data_directory import DataDirectory
from actors.journal.port import DataDirectoryInUse
from actors.node import Node, NodeFailed
from actors.reports import Ready
from actors.settings import GatewaySettings, NodeSettings, Settings
from actors.worker_process import WorkerRefused, describe
from tests.gateway.running import alive, eventually

BEGIN = """
import os, signal, sys, time
from pathlib import Path
from actors import lifeline, reports
lifeline.tie(int(sys.argv[1]))
settings = lifeline.read_line(0)
lifeline.watch(0)
report = int(sys.argv[2])
here = Path(__file__).parent
def ready(address="127.0.0.1:4321"):
    reports.send(report, reports.Ready(address=address, contexts=("rooms",), journal="none"))
def serve():
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    ready()
    time.sleep(60)
"""

DRIVER = """
import asyncio, sys
from actors.node import Node
from actors.settings import GatewaySettings, Settings
settings = Settings(gateway=GatewaySettings(bind="127.0.0.1:0"), workers=int(sys.argv[1]))
asyncio.run(Node(settings, lambda _: print("ready", flush=True), "stand_in").run())
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Writes the module that the node runs as its worker; returns the folder it lies in."""
    root = Path(__file__).parents[2]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{root}")

    def write(body: str) -> Path:
        (tmp_path / "stand_in.py").write_text(BEGIN + body)
        return tmp_path

    return write


def quick(**node: float) -> Settings:
    stated = {"backoff": 0.01, "backoff_limit": 0.01, **node}
    return Settings(
        node=msgspec.convert(stated, NodeSettings), gateway=GatewaySettings(bind="127.0.0.1:0", grace=10.0)
    )


def children(pid: int, kind: str = "stand_in") -> list[int]:
    """The node's workers, or its children of another kind."""
    found = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [child for child in found if kind in Path(f"/proc/{child}/cmdline").read_text()]


def assignments(folder: Path) -> list[Assignment]:
    """What the workers were told, in the order of their starts."""
    return [
        msgspec.json.decode(line, type=Assignment)
        for line in (folder / "assignments").read_bytes().splitlines()
    ]


@pytest.fixture
def driver() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a node of its own process around the stand-in and waits until that is ready."""
    started: list[subprocess.Popen[str]] = []

    def start(workers: int = 1) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", DRIVER, str(workers)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


async def test_a_worker_that_refuses_to_start_ends_the_node_at_once(stand_in: Callable[[str], Path]) -> None:
    folder = stand_in("""
(here / "starts").open("a").write("x")
reports.send(report, reports.Refusal(message="port 80: taken"))
sys.exit(78)
""")
    with pytest.raises(WorkerRefused, match="port 80: taken"):
        await Node(quick(), lambda _: None, "stand_in").run()
    assert (folder / "starts").read_text() == "x"


async def test_a_worker_that_refuses_what_has_worked_before_is_tried_again(
    stand_in: Callable[[str], Path],
) -> None:
    stand_in("""
starts = len((here / "starts").read_text()) if (here / "starts").exists() else 0
(here / "starts").open("a").write("x")
if starts == 1:
    reports.send(report, reports.Refusal(message="port: taken for a moment"))
    sys.exit(78)
ready()
if starts == 0:
    sys.exit(70)
serve()
""")
    readies: asyncio.Queue[Ready] = asyncio.Queue(8)
    node = asyncio.create_task(Node(quick(), readies.put_nowait, "stand_in").run())
    for _ in range(2):
        await asyncio.wait_for(readies.get(), 10)
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(node, 10)


async def test_a_node_gives_up_when_its_worker_dies_too_often(stand_in: Callable[[str], Path]) -> None:
    folder = stand_in("""
(here / "starts").open("a").write("x")
ready()
reports.send(report, reports.Failure(message="the journal's thread died: disk on fire"))
sys.exit(70)
""")
    with pytest.raises(
        NodeFailed, match="died 3 times, the last time of: the journal's thread died: disk on fire"
    ):
        await Node(quick(restarts=2), lambda _: None, "stand_in").run()
    assert (folder / "starts").read_text() == "xxx"


async def test_a_killed_worker_is_replaced_at_the_same_address(stand_in: Callable[[str], Path]) -> None:
    folder = stand_in("""
(here / "assignments").open("ab").write(settings)
(here / "pid").write_text(str(os.getpid()))
serve()
""")
    readies: asyncio.Queue[Ready] = asyncio.Queue(8)
    node = asyncio.create_task(Node(quick(), readies.put_nowait, "stand_in").run())
    pids = []
    for _ in range(3):
        await asyncio.wait_for(readies.get(), 10)
        pids.append(int((folder / "pid").read_text()))
        os.kill(pids[-1], signal.SIGKILL)
    await asyncio.wait_for(readies.get(), 10)
    assert len({assignment.settings.gateway.bind for assignment in assignments(folder)}) == 1
    assert len({assignment.identity.worker for assignment in assignments(folder)}) == 4
    assert len(set(pids)) == 3
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(node, 10)
    assert not any(alive(pid) for pid in [*pids, int((folder / "pid").read_text())])


async def test_a_worker_that_is_never_ready_is_killed(
    stand_in: Callable[[str], Path],
) -> None:
    folder = stand_in("""
(here / "pid").write_text(str(os.getpid()))
time.sleep(60)
""")
    with pytest.raises(NodeFailed, match=r"the worker could not start: not ready within 1 s"):
        await Node(quick(start_seconds=1.0), lambda _: None, "stand_in").run()
    assert not alive(int((folder / "pid").read_text()))


async def test_a_first_worker_that_dies_before_it_is_ready_ends_the_node(
    stand_in: Callable[[str], Path],
) -> None:
    stand_in("sys.exit(3)")
    with pytest.raises(NodeFailed, match="the worker could not start: exit status 3"):
        await Node(quick(), lambda _: None, "stand_in").run()


async def test_a_report_without_sense_does_not_harm_the_node(stand_in: Callable[[str], Path]) -> None:
    stand_in("""
os.write(report, b"hello\\n{}\\n")
reports.send(report, reports.Refusal(message="after all"))
""")
    with pytest.raises(WorkerRefused, match="after all"):
        await Node(quick(), lambda _: None, "stand_in").run()


async def test_a_worker_that_ignores_the_signal_is_killed_after_the_grace(
    stand_in: Callable[[str], Path],
) -> None:
    folder = stand_in("""
(here / "pid").write_text(str(os.getpid()))
signal.signal(signal.SIGTERM, signal.SIG_IGN)
ready()
time.sleep(60)
""")
    settings = msgspec.structs.replace(quick(), gateway=GatewaySettings(bind="127.0.0.1:0", grace=0.2))
    with pytest.raises(NodeFailed, match=r"did not stop within 0\.2 s and was killed"):
        await Node(settings, lambda _: os.kill(os.getpid(), signal.SIGTERM), "stand_in").run()
    assert not alive(int((folder / "pid").read_text()))


async def test_the_second_request_to_stop_reaches_the_worker_as_a_second_signal(
    stand_in: Callable[[str], Path],
) -> None:
    folder = stand_in("""
seen = []
def stop(*_):
    seen.append(1)
    (here / "seen").write_text(str(len(seen)))
    if len(seen) == 2:
        os._exit(0)
signal.signal(signal.SIGTERM, stop)
ready()
while True:
    time.sleep(60)
""")
    node = asyncio.create_task(Node(quick(), lambda _: os.kill(os.getpid(), signal.SIGINT), "stand_in").run())

    assert await asyncio.to_thread(eventually, (folder / "seen").exists)
    assert not node.done()
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.wait_for(node, 10)
    assert (folder / "seen").read_text() == "2"


def test_the_worker_dies_with_a_node_that_was_killed(
    stand_in: Callable[[str], Path], driver: Callable[..., subprocess.Popen[str]]
) -> None:
    stand_in("serve()")
    node = driver()
    (worker,) = children(node.pid)
    node.kill()
    assert eventually(lambda: not alive(worker), 2.0)


def test_the_worker_dies_by_the_pipe_alone_while_it_is_busy(
    stand_in: Callable[[str], Path], driver: Callable[..., subprocess.Popen[str]]
) -> None:
    stand_in("""
import ctypes
ctypes.CDLL(None).prctl(lifeline.PR_SET_PDEATHSIG, 0)
ready()
while True:
    pass
""")
    node = driver()
    (worker,) = children(node.pid)
    node.kill()
    assert eventually(lambda: not alive(worker), 2.0)


def test_a_worker_whose_node_is_already_gone_does_not_begin(tmp_path: Path) -> None:
    program = "from actors import lifeline; lifeline.tie(1 << 22); print('alive')"
    ended = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, check=False)
    assert (ended.returncode, ended.stdout) == (1, b"")


async def test_ready_is_told_once_when_all_workers_are(stand_in: Callable[[str], Path]) -> None:
    folder = stand_in("""
(here / "assignments").open("ab").write(settings)
serve()
""")
    readies: asyncio.Queue[Ready] = asyncio.Queue(8)
    settings = msgspec.structs.replace(quick(), workers=3)
    node = asyncio.create_task(Node(settings, readies.put_nowait, "stand_in").run())
    await asyncio.wait_for(readies.get(), 10)
    told = [assignment.identity for assignment in assignments(folder)]
    assert sorted(identity.slot for identity in told) == [0, 1, 2]
    assert len({identity.worker for identity in told}) == 3
    assert len({(identity.node, identity.bus, identity.token) for identity in told}) == 1
    assert all(identity.company == 3 and identity.token for identity in told)
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(node, 10)
    assert readies.empty()


async def test_one_of_three_workers_is_replaced_by_one_that_knows_it_has_ended(
    stand_in: Callable[[str], Path],
) -> None:
    folder = stand_in("""
(here / "assignments").open("ab").write(settings)
serve()
""")
    readies: asyncio.Queue[Ready] = asyncio.Queue(8)
    settings = msgspec.structs.replace(quick(), workers=3)
    node = asyncio.create_task(Node(settings, readies.put_nowait, "stand_in").run())
    await asyncio.wait_for(readies.get(), 10)
    before = children(os.getpid())
    os.kill(before[1], signal.SIGKILL)
    await asyncio.wait_for(readies.get(), 10)
    after = children(os.getpid())
    assert {before[0], before[2]} < set(after)
    assert len(after) == 3
    told = [assignment.identity for assignment in assignments(folder)]
    assert [identity.company for identity in told] == [3, 3, 3, 0]
    (ended,) = told[3].ended
    assert ended in {identity.worker for identity in told[:3]}
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(node, 10)


async def test_when_one_worker_cannot_be_kept_alive_the_others_may_finish(
    stand_in: Callable[[str], Path],
) -> None:
    folder = stand_in("""
import json
slot = json.loads(settings)["identity"]["slot"]
if slot == 1:
    ready()
    time.sleep(0.2)
    sys.exit(70)
def finish(*_):
    (here / f"finished-{slot}").touch()
    os._exit(0)
signal.signal(signal.SIGTERM, finish)
ready()
time.sleep(60)
""")
    settings = msgspec.structs.replace(quick(restarts=1), workers=2)
    with pytest.raises(NodeFailed, match=r"gave up: the worker died 2 times, .* exit status 70"):
        await Node(settings, lambda _: None, "stand_in").run()
    assert (folder / "finished-0").exists()


async def test_a_death_is_told_to_the_cluster_at_once(stand_in: Callable[[str], Path]) -> None:
    folder = stand_in("""
(here / "assignments").open("ab").write(settings)
serve()
""")
    readies: asyncio.Queue[Ready] = asyncio.Queue(8)
    node = asyncio.create_task(Node(quick(), readies.put_nowait, "stand_in").run())
    await asyncio.wait_for(readies.get(), 10)
    (assignment,) = assignments(folder)
    identity = assignment.identity
    connection = await connect(Access(urls=identity.bus, token=identity.token), "test")
    deaths: asyncio.Queue[bytes] = asyncio.Queue(8)

    async def hear(message: Msg) -> None:
        deaths.put_nowait(message.data)

    subject, notice = death_notice(identity.cluster, [identity.worker])
    await connection.subscribe(subject, hear)
    (worker,) = children(os.getpid())
    os.kill(worker, signal.SIGKILL)
    assert await asyncio.wait_for(deaths.get(), 10) == notice
    await connection.close()
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(node, 10)


async def test_a_bus_of_others_is_not_started(stand_in: Callable[[str], Path]) -> None:
    folder = stand_in("""
(here / "assignments").open("ab").write(settings)
serve()
""")
    settings = msgspec.structs.replace(quick(), bus="nats://127.0.0.1:1, tls://127.0.0.1:2")
    readies: asyncio.Queue[Ready] = asyncio.Queue(8)
    node = asyncio.create_task(Node(settings, readies.put_nowait, "stand_in").run())
    await asyncio.wait_for(readies.get(), 10)
    (assignment,) = assignments(folder)
    assert assignment.identity.bus == ("nats://127.0.0.1:1", "tls://127.0.0.1:2")
    assert assignment.identity.token is None
    assert children(os.getpid(), "nats-server") == []
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(node, 10)


def test_the_data_is_free_only_when_the_workers_are_gone(stand_in: Callable[[str], Path]) -> None:
    stand_in("")
    with DataDirectory(Path("data")) as held:
        child = subprocess.Popen(["sleep", "60"], pass_fds=(held.descriptor,))
    try:
        with pytest.raises(DataDirectoryInUse):
            DataDirectory(Path("data"))
    finally:
        child.kill()
        child.wait()
    DataDirectory(Path("data")).close()


def test_ctrl_c_in_a_terminal_stops_node_and_worker_in_order(
    stand_in: Callable[[str], Path], driver: Callable[..., subprocess.Popen[str]]
) -> None:
    stand_in("serve()")
    node = driver()
    (worker,) = children(node.pid)
    os.killpg(node.pid, signal.SIGINT)
    assert node.wait(10) == 0
    assert not alive(worker)


def ignores(pid: int, number: signal.Signals) -> bool:
    (mask,) = re.findall(r"SigIgn:\s*([0-9a-f]+)", Path(f"/proc/{pid}/status").read_text())
    return bool(int(mask, 16) >> (number - 1) & 1)


def test_a_closed_terminal_ends_a_node_unless_nohup_said_otherwise(
    stand_in: Callable[[str], Path], driver: Callable[..., subprocess.Popen[str]]
) -> None:
    stand_in("serve()")
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        deaf = driver()
        assert ignores(deaf.pid, signal.SIGHUP)
        deaf.terminate()
        assert deaf.wait(10) == 0
    finally:
        signal.signal(signal.SIGHUP, former)
    node = driver()
    assert not ignores(node.pid, signal.SIGHUP)
    node.send_signal(signal.SIGHUP)
    assert node.wait(10) == 0


@given(st.integers(1, 200), st.integers(0, 200))
def test_restarts_are_immediate_then_slower_then_refused(count: int, limit: int) -> None:
    settings = NodeSettings(restarts=limit)
    delays = [
        restarts.delay([float(i) * 0.01 for i in range(1, n + 1)], settings) for n in range(1, count + 1)
    ]
    allowed = [delay for delay in delays if delay is not None]
    assert len(allowed) == min(count, limit)
    assert allowed == sorted(allowed)
    assert allowed[:1] in ([], [0.0])
    assert all(delay <= settings.backoff_limit for delay in allowed)


def test_deaths_outside_the_window_are_forgotten() -> None:
    settings = NodeSettings(restarts=1, window=60.0)
    assert restarts.delay([0.0, 60.0, 120.0], settings) == 0.0
    assert restarts.delay([0.0, 59.9], settings) is None


def test_an_exit_status_is_told_in_words() -> None:
    assert [describe(status) for status in (3, -9, -99)] == [
        "exit status 3",
        "killed by SIGKILL",
        "killed by signal 99",
    ]
