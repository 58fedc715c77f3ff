"""What a worker computes when one of many has come or gone: who owns which shard now."""

import time
from pathlib import Path

from actors.fabric.members import VERSION, Member, View
from actors.placement import Candidate, placement
from gateway.worker import settle_memory

WORKERS = 200
SHARDS = 1_024
CONTEXT = "booking"


def member(number: int) -> Member:
    """A worker of a node of four, as it describes itself."""
    node = f"{number // 4:08x}"
    return Member(
        version=VERSION,
        id=f"{node}-{number % 4}-a1b2-{number}",
        node=node,
        host=f"host{number // 4}",
        address="10.0.0.1:8080",
        roles=("gateway", "actors"),
        contexts=(CONTEXT, "venue"),
        capacity=1,
        state="active",
        release="1",
        beat=1,
    )


async def measure(folder: Path, quick: bool) -> dict[str, list[float]]:
    """Milliseconds from the word that a member has died to the owners of all shards. Every time another one
    dies and a new one comes, so that nothing could have been kept from the time before."""
    settle_memory()
    view = View()
    members = [member(number) for number in range(WORKERS)]
    for each in members:
        view.beat(each, 0.0)
    times: list[float] = []
    for number in range(10 if quick else 50):
        view.beat(member(WORKERS + number), 0.0)
        began = time.perf_counter()
        view.died(members[number].id)
        candidates = [
            Candidate(each.id, each.capacity)
            for each in view.members.values()
            if each.state == "active" and "actors" in each.roles and CONTEXT in each.contexts
        ]
        owners = placement(candidates, SHARDS, CONTEXT)
        times.append((time.perf_counter() - began) * 1e3)
        if len(candidates) != WORKERS or set(owners) != {each.id for each in candidates}:
            raise RuntimeError(f"{len(set(owners))} of {len(candidates)} members own shards")
    return {"placement": times}
