"""A node that goes, or hangs, while its rooms are busy: the others serve them, and its late word is void."""

import asyncio
from pathlib import Path

import pytest

from tests.chaos.cluster.cluster import clustered
from tests.chaos.cluster.mishaps import Mishaps
from tests.chaos.cluster.trial import Trial
from tests.chaos.conftest import Tell
from tests.chaos.load import Plan

FAILOVER_SECONDS = 8.0
"""Twice the aim for a node that is lost without a word; a busy machine is not to fail this."""
DEADLINE_SECONDS = 5.5
"""A gateway's own deadline and a little more: by then it has answered, if only with 503."""
CUT_SHORT = 0.2
"""Seconds between the request to stop and the kill."""


async def test_rooms_answer_elsewhere_when_a_node_is_killed_while_it_hands_them_over(
    tmp_path: Path, seed: int, tell: Tell
) -> None:
    async with clustered(tmp_path, (1, 1)) as cluster:
        trial = Trial(cluster, Plan(seed=seed, commands=20_000, clients=20, spaces=100, pause=0.02))
        leaving, staying = cluster.nodes

        async def cut_short() -> None:
            await trial.pause(0.5, 1.0)
            trial.marks.append(("handover cut short", trial.history.now()))
            leaving.up = False
            leaving.running.terminate()
            await asyncio.sleep(CUT_SHORT)
            leaving.kill()
            trial.chronicle.tell(f"killed node {leaving.name} {CUT_SHORT:g} s after it was asked to end")
            killed = trial.history.now()
            took = await trial.reach([staying], FAILOVER_SECONDS)
            assert took < FAILOVER_SECONDS, f"all rooms are served only after {took:.1f} s"
            slowest = max(o.done - o.invoked for o in trial.history.since(killed) if o.client[0] == "v")
            assert slowest < DEADLINE_SECONDS, f"one answer took {slowest:.1f} s"
            await leaving.start()
            trial.chronicle.tell(f"node {leaving.name} serves again")

        await trial.run(cut_short)
        await trial.judge(tell)


@pytest.mark.chaos
async def test_a_node_that_hangs_under_load_is_fenced_when_it_goes_on(
    tmp_path: Path, seed: int, tell: Tell
) -> None:
    async with clustered(tmp_path, (1, 1, 1)) as cluster:
        trial = Trial(cluster, Plan(seed=seed, commands=60_000, clients=30, spaces=100, pause=0.03))
        mishaps = Mishaps(cluster, trial.chronicle, trial.rng, short=False)

        async def hang() -> None:
            for _ in range(2):
                await trial.pause(0.5, 1.0)
                hanging = asyncio.create_task(trial.suffer(mishaps.node_stopped))
                while not mishaps.victims:
                    await asyncio.sleep(0.01)
                others = [node for node in cluster.nodes if node not in mishaps.victims]
                took = await trial.reach(others, FAILOVER_SECONDS)
                assert took < FAILOVER_SECONDS, f"all rooms are served only after {took:.1f} s"
                await hanging

        await trial.run(hang)
        await trial.judge(tell)
