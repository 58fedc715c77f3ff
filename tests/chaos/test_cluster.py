"""Every promise holds in a cluster of three nodes, whatever befalls its processes, servers and cables."""

import asyncio
import random
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.chaos.cluster.cluster import clustered
from tests.chaos.cluster.mishaps import Mishap, Mishaps
from tests.chaos.cluster.place import Branches, Impossible
from tests.chaos.cluster.trial import Trial
from tests.chaos.conftest import Tell
from tests.chaos.load import Plan

MINUTES = 10.0
PATIENT = "node.hang_seconds=60"
"""One node lets a stopped worker come back, whose late word must be void; the others end it."""
SNAPSHOTS = "entities.snapshot_every=10"


async def test_no_promise_is_broken_by_what_befalls_three_nodes(
    tmp_path: Path, seed: int, tell: Tell
) -> None:
    plan = Plan(seed=seed, commands=20_000, spaces=500, pause=0.1)
    async with clustered(tmp_path, (2, 1, 1), SNAPSHOTS) as cluster:
        trial = Trial(cluster, plan)
        mishaps = Mishaps(cluster, trial.chronicle, trial.rng, short=True)
        script = [
            mishaps.worker_killed,
            mishaps.node_killed,
            mishaps.node_stopped,
            mishaps.worker_drained,
            mishaps.nats_killed,
            mishaps.postgres_killed,
        ]
        trial.rng.shuffle(script)

        async def one_after_the_other() -> None:
            for mishap in script:
                await trial.pause(0.2, 1.0)
                await trial.suffer(mishap)

        await trial.run(one_after_the_other)
        await trial.judge(tell)


def branches(folder: Path, tell: Tell) -> Branches | None:
    """Networks that can be cut, where this machine lets us make them."""
    try:
        return Branches(folder)
    except Impossible as reason:
        tell(f"no cable is cut: {reason}")
        return None


def draw(rng: random.Random, mishaps: Mishaps, pairs: bool) -> list[list[Mishap]]:
    """All of them, in an order drawn by lot."""
    sudden = rng.sample(mishaps.sudden, k=len(mishaps.sudden))
    turns = [[each] for each in mishaps.attended]
    while sudden:
        together = [sudden.pop()]
        if pairs and sudden and rng.random() < 0.5:
            together.append(sudden.pop())
        turns.append(together)
    rng.shuffle(turns)
    return turns


@pytest.mark.chaos
async def test_no_promise_is_broken_in_ten_minutes_of_mishaps(tmp_path: Path, seed: int, tell: Tell) -> None:
    plan = Plan(seed=seed, commands=1_000_000, spaces=500, pause=0.25)
    with ExitStack() as stack:
        grown = branches(tmp_path, tell)
        if grown is not None:
            stack.enter_context(closing(grown))
        async with clustered(tmp_path, (2, 2, 2), SNAPSHOTS, first=[PATIENT], branches=grown) as cluster:
            trial = Trial(cluster, plan)
            mishaps = Mishaps(cluster, trial.chronicle, trial.rng, short=False)
            end = trial.history.now() + MINUTES * 60

            async def rounds() -> None:
                """Each kind in every round; in later rounds sometimes two at once."""
                later = False
                while trial.history.now() < end:
                    for together in draw(trial.rng, mishaps, pairs=later):
                        await trial.pause(0.5, 4.0)
                        await asyncio.gather(*(trial.suffer(each) for each in together))
                        if trial.history.now() > end:
                            break
                    later = True

            await trial.run(rounds)
            await trial.judge(tell)
