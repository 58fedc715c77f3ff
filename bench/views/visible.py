"""From the answer to a command to its being visible in a view, while the worker is half busy."""

import asyncio
import threading
import time
from pathlib import Path

import aiohttp

from bench import served, spaces, wrk
from bench.cluster import Extent, Tell
from bench.cluster.costs import SPACES
from bench.views.costs import VIEWED
from bench.wrk import CONNECTIONS, Load

PROBE = "probe"


def measure(folder: Path, extent: Extent, tell: Tell) -> dict[str, list[float]]:
    """Milliseconds from a command's answer to that of a GET with its position in ``Read-After``."""
    probes = extent.count(100, 1_000, 1_000)
    with served.butai(folder / "data", folder / "node.log", VIEWED) as butai:
        spaces.post_all(butai.url, spaces.opened("spread", SPACES) + spaces.opened(PROBE, 1))
        full = wrk.run(butai.url, Load("reserve", SPACES, "spread"), extent.seconds)
        # Each connection pauses after an answer for as long as makes the whole half as fast.
        pause = 2e3 * CONNECTIONS / full.rate - full.p50 / 1e3
        half = Load("reserve", SPACES, "spread", pause=max(1, round(pause)))
        load = _Beside(butai.url, half, extent.seconds * 4 + probes * 0.02, full.next)
        found = asyncio.run(_probe(butai.url, probes))
        seen = load.end()
    tell(f"full {full.rate:,.0f}/s, while probed {seen.rate:,.0f}/s")
    return {"visible": found}


class _Beside:
    """A load that goes on while something else is measured."""

    def __init__(self, url: str, load: Load, seconds: float, first: int) -> None:
        self._seen: list[wrk.Slice] = []
        self._thread = threading.Thread(target=self._run, args=(url, load, seconds, first))
        self._thread.start()
        time.sleep(1.0)  # until it is at its pace

    def _run(self, url: str, load: Load, seconds: float, first: int) -> None:
        self._seen.append(wrk.run(url, load, seconds, first))

    def end(self) -> wrk.Slice:
        """Wait for its end; raises LoadFailed when it failed."""
        self._thread.join()
        if not self._seen:
            raise wrk.LoadFailed("the load beside the probes failed")
        return self._seen[0]


async def _probe(url: str, probes: int) -> list[float]:
    times = []
    async with aiohttp.ClientSession(url) as session:
        for number in range(probes):
            times_of = {"start": minute(number), "end": minute(number + 1)}
            body = spaces.RESERVATION | {"reservation": f"r{number}"} | times_of
            async with session.post(f"/booking/spaces/{PROBE}0/reservations", json=body) as answer:
                position = (await answer.json())["position"]
            began = time.perf_counter()
            headers = {"Read-After": position}
            async with session.get(f"/booking/latest/{PROBE}0", headers=headers) as answer:
                latest = await answer.json()
            times.append((time.perf_counter() - began) * 1e3)
            if latest["reservation"] != f"r{number}":
                raise wrk.LoadFailed(f"r{number} was answered and not visible: {latest}")
    return times


def minute(number: int) -> str:
    """The n-th minute of 2030."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(1_893_456_000 + 60 * number))
