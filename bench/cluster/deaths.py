"""How long shards are away when their worker is killed, and when their whole node is lost."""

import asyncio
import os
import signal
from pathlib import Path

from actors.settings import Settings
from bench import served, spaces
from bench.cluster import Extent, Tell, backends
from bench.cluster.probes import probing
from bench.cluster.reserving import spaces_in
from bench.cluster.watching import CLUSTER, owned_by, settled, watched

SHARDS = Settings().shards
AMPLE = 10_000
"""Reservations that one client makes while a node is lost, at most."""
QUIET = 0.5
"""Seconds between the cluster's being settled and the next death."""
WITHOUT_PAUSE: dict[str, object] = {"node.restarts": 1_000, "node.backoff": 0.1, "node.backoff_limit": 0.1}
"""A node gives up on a worker that dies again and again; here it is meant to."""


def killed(folder: Path, extent: Extent, tell: Tell) -> dict[str, list[float]]:
    """Seconds that the shards of a killed worker are away while another of the same node lives."""
    data = folder / "data"
    with served.butai(data, folder / "node.log", WITHOUT_PAUSE | {"cluster": CLUSTER, "workers": 2}) as node:
        probed = _open(node.url)
        count = extent.count(quick=2, usual=6, large=20)
        return {
            "killed": asyncio.run(
                _kill(node.url, Settings(cluster=CLUSTER, data=str(data)), probed, count, tell)
            )
        }


async def _kill(url: str, settings: Settings, probed: dict[int, str], count: int, tell: Tell) -> list[float]:
    times: list[float] = []
    loop = asyncio.get_running_loop()
    async with watched(settings) as operator, probing(url, probed) as probes:
        for number in range(count):
            found = await settled(operator, 2)
            victim = found.workers[number % 2]
            await asyncio.sleep(QUIET)
            since = loop.time()
            os.kill(victim.pid, signal.SIGKILL)
            times.append(await probes.absence(owned_by(found, victim.worker), since))
            tell(f"worker {number + 1} of {count} killed: its shards were away for {times[-1]:.2f} s")
    return times


def lost(folder: Path, extent: Extent, tell: Tell) -> dict[str, list[float]]:
    """Seconds that the shards of a lost node are away while another node lives."""
    count = extent.count(quick=1, usual=3, large=10)
    with backends.postgres(folder) as store, backends.nats(folder / "nats") as bus:
        sets = {"cluster": CLUSTER, "bus": bus.url, "journal": store.database("butai"), "workers": 1}
        settings = Settings(cluster=CLUSTER, data=str(folder / "first"), bus=bus.url)
        with served.butai(folder / "first", folder / "first.log", sets) as first:
            probed = _open(first.url)
            times: list[float] = []
            for number in range(count):
                with served.butai(folder / "second", folder / "second.log", sets, mortal=True) as second:
                    times.append(asyncio.run(_lose(first, second, settings, probed, number * AMPLE)))
                tell(f"node {number + 1} of {count} lost: its shards were away for {times[-1]:.2f} s")
    return {"lost": times}


async def _lose(
    first: served.Node, second: served.Node, settings: Settings, probed: dict[int, str], number: int
) -> float:
    async with watched(settings) as operator, probing(first.url, probed, number) as probes:
        found = await settled(operator, 2)
        [victim] = [worker for worker in found.workers if worker.pid in second.pids]
        await asyncio.sleep(QUIET)
        since = asyncio.get_running_loop().time()
        second.lose()
        return await probes.absence(owned_by(found, victim.worker), since)


def _open(url: str) -> dict[int, str]:
    """A space in every shard, open."""
    probed = {shard: ids[0] for shard, ids in spaces_in(range(SHARDS), SHARDS).items()}
    spaces.post_all(url, [spaces.opening(space) for space in probed.values()])
    return probed
