"""A real node and a real bus, around workers that only pretend to own shards.

Each says that it serves its part of the shards of those who live, so that the operator's commands can be
tested by themselves. The generations of its one view are in a file that stands for a store: a worker looks
there when it is told to, and never by itself."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.gateway.running import CLEAN, command_line

WORKER = """
import asyncio, json, os, signal, sys
from pathlib import Path
import msgspec
from actors import lifeline, reports
from actors.control.facts import ContextFacts, QuarantineFacts, ShardFacts, ViewFacts, WorkerFacts
from actors.control.messages import Begun, Done, Failed, LookAtViews, PauseView, RebuildView
from actors.control.worker import Control
from actors.fabric.connection import Access, connect
from actors.identity import Assignment

lifeline.tie(int(sys.argv[1]))
report = int(sys.argv[2])
identity = msgspec.json.decode(lifeline.read_line(0), type=Assignment).identity
lifeline.watch(0)
here = Path(__file__).parent
if (here / "refuse").exists():
    reports.send(report, reports.Refusal(message="no room on the stage"))
    sys.exit(78)
mine = here / "alive" / identity.worker
quarantined = [QuarantineFacts(aggregate="space", id="maple", why="it fails", seconds=1.0)]

def lives(file):
    try:
        state = (Path("/proc") / file.read_text() / "stat").read_text().rpartition(")")[2].split()[0]
        return state not in "ZX"
    except OSError:
        return False

store = here / "generations"
views = []

def look():
    views[:] = [
        ViewFacts(view="diary", generation=number, fingerprint="0" * 16, live=live, paused=paused,
                  foldable=True, folded=folded, lag=10 - folded, seconds=0.0, waiting=0)
        for number, live, paused, folded in json.loads(store.read_text())]

async def change(ask):
    number, live, paused, folded = json.loads(store.read_text())[-1]
    match ask:
        case PauseView(paused=paused):
            store.write_text(json.dumps([(number, live, paused, folded)]))
            reply = Done()
        case RebuildView() if (here / "rival").exists():
            store.write_text(json.dumps([(number, live, paused, folded), (number + 2, False, paused, 0)]))
            reply = Begun(number + 1)
        case RebuildView() if (here / "slow").exists():
            store.write_text(json.dumps([(number, live, paused, folded), (number + 1, False, paused, 4)]))
            reply = Begun(number + 1)
        case RebuildView():
            store.write_text(json.dumps([(number + 1, True, paused, folded)]))
            reply = Begun(number + 1)
    look()
    return reply

def handle(ask):
    match ask:
        case LookAtViews():
            look()
            return Done()
        case PauseView() | RebuildView():
            return change(ask)
        case _:
            return Failed("it is not parked")

def facts():
    alive = sorted(file.name for file in mine.parent.iterdir() if lives(file))
    shards = [n for n in range(8) if alive[n % len(alive)] == identity.worker]
    context = ContextFacts(
        context="rooms", of=8, active=1, passivated=2, recovered=3, failures=0, waiting=0, recovering=0,
        commit_queue=0, views=tuple(views), quarantined=tuple(quarantined), quarantines=len(quarantined),
        shards=tuple(ShardFacts(shard=n, epoch=1, state="open", seq=n, active=0) for n in shards))
    return WorkerFacts(
        worker=identity.worker, node=identity.node, slot=identity.slot, host="here", pid=os.getpid(),
        version="1", roles=("actors",), state="serving", uptime=1.0, in_flight=0, connections=0,
        contexts=(context,))

def release(context, aggregate, id):
    if (context, aggregate, id) != ("rooms", "space", "maple") or not quarantined:
        return False
    quarantined.clear()
    return True

async def live():
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    connection = await connect(Access(urls=identity.bus, token=identity.token), identity.worker)
    control = Control(connection, identity, facts, release, handle)
    mine.parent.mkdir(exist_ok=True)
    look()
    mine.write_text(str(os.getpid()))
    await control.start()
    reports.send(report, reports.Ready(address="127.0.0.1:1", contexts=("rooms",), journal="none"))
    await stop.wait()
    mine.unlink()
    await control.stop()
    await connection.close()

asyncio.run(live())
"""

NODE = """
import asyncio, sys
from actors import logs
from actors.node import Node
from actors.settings import GatewaySettings, Settings
logs.configure("text")
settings = Settings(gateway=GatewaySettings(bind="127.0.0.1:0"), workers=int(sys.argv[1]))
asyncio.run(Node(settings, lambda _: print("ready", flush=True), "understudy").run())
"""


class Troupe:
    """A node whose workers are all ready. ``folder`` is where its data lies, and where commands are run."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self.process = process
        self.folder = folder

    def children(self, kind: str = "understudy") -> list[int]:
        """Pids of the node's children whose command line holds ``kind``."""
        pid = self.process.pid
        found = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        return [child for child in found if kind in command_line(child)]

    def log(self) -> str:
        return (self.folder / "log").read_text()


@contextmanager
def troupe(folder: Path, workers: int) -> Iterator[Troupe]:
    """Gone at the end, whatever happens."""
    (folder / "understudy.py").write_text(WORKER)
    (folder / "generations").write_text("[[1, true, false, 10]]")
    root = Path(__file__).parents[2]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", NODE, str(workers)],
            cwd=folder,
            env={**CLEAN, "PYTHONPATH": f"{folder}{os.pathsep}{root}"},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )
    assert process.stdout is not None
    try:
        if not select.select([process.stdout], [], [], 20.0)[0] or process.stdout.readline() != "ready\n":
            raise AssertionError(f"not ready: {(folder / 'log').read_text()}")
        yield Troupe(process, folder)
        process.send_signal(signal.SIGTERM)
        process.wait(20)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
