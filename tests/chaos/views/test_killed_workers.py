"""The worker is killed in the middle of folding, again and again: in the end every view is a fresh replay of
the journal, byte for byte."""

import asyncio
import os
import random
import signal
from pathlib import Path

import pytest

from tests.chaos.conftest import Tell
from tests.chaos.gateways import only
from tests.chaos.history import History
from tests.chaos.kills import kill_during, moments
from tests.chaos.load import Load, Plan
from tests.chaos.views.backing import assert_a_replay, caught_up, served
from tests.chaos.views.replay import booking
from tests.gateway.running import Running, running

KILLS = 20
CATCH_UP_SECONDS = 20.0
LATEST = 0.01
"""Seconds after an acceptance, the time that its folding takes: a kill comes at any moment of it."""


async def kill_while_folding(node: Running, plan: Plan, kills: int) -> None:
    """Run the plan; at moments drawn by lot, the worker dies."""
    loop, rng = asyncio.get_running_loop(), random.Random(f"{plan.seed}/folding")

    def kill() -> None:
        for worker in node.workers():
            os.kill(worker, signal.SIGKILL)

    def soon() -> None:
        loop.call_later(rng.uniform(0.0, LATEST), kill)

    load = Load(plan, History(), only(lambda: node.url))
    await load.open()
    async with asyncio.timeout(300), asyncio.TaskGroup() as group:
        group.create_task(load.run())
        at = moments(plan.seed, plan.commands, kills)
        group.create_task(kill_during(load, at, soon))


async def survives(kind: str, folder: Path, plan: Plan, kills: int, tell: Tell) -> None:
    """Kill, wait for the views, stop the node, compare."""
    context = booking()
    async with served(kind, folder) as backing:
        with running(folder, *backing.words) as node:
            await kill_while_folding(node, plan, kills)
            took = await caught_up(backing, context, CATCH_UP_SECONDS)
            assert await asyncio.to_thread(node.stop) == 0, node.log.read_text()
        events, documents = await assert_a_replay(backing, context)
    tell(
        f"seed {plan.seed}, {kind}: {kills} kills, {events} events, {documents} documents and tombstones,"
        f" caught up within {took:.2f} s"
    )


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_views_are_a_replay_when_the_worker_was_killed_while_it_folded(
    kind: str, tmp_path: Path, seed: int, tell: Tell
) -> None:
    await survives(kind, tmp_path, Plan(seed=seed, commands=800), 2, tell)


@pytest.mark.chaos
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_views_are_a_replay_when_the_worker_was_killed_twenty_times_while_it_folded(
    kind: str, tmp_path: Path, seed: int, tell: Tell
) -> None:
    await survives(kind, tmp_path, Plan(seed=seed, commands=12_000), KILLS, tell)
