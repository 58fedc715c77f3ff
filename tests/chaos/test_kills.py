"""Every promise holds while what serves is killed under load."""

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from tests.chaos.checker import Evidence, check, report
from tests.chaos.faults import describe
from tests.chaos.gateways import only
from tests.chaos.history import History
from tests.chaos.kills import Aftermath, Strike, kill_during, kill_worker, moments, outage
from tests.chaos.load import Load, Plan
from tests.chaos.stored import stored
from tests.gateway.running import Running, alive, eventually, running

LONGEST_OUTAGE = 15.0
"""Seconds; far above what is usual, to find what hangs and not what is slow."""

Tell = Callable[[str], None]


async def load_and_kill(
    plan: Plan, kills: int, url: str, strike: Strike, aftermath: Aftermath | None = None
) -> tuple[History, list[float]]:
    """Run the plan and the kills together; the history, and when each kill was."""
    history = History()
    load = Load(plan, history, only(lambda: url))
    await load.open()
    async with asyncio.timeout(300), asyncio.TaskGroup() as group:
        group.create_task(load.run())
        at = moments(plan.seed, plan.commands, kills)
        killing = group.create_task(kill_during(load, at, strike, aftermath))
    return history, killing.result()


async def judge(history: History, journal: Path, killed: list[float], seed: int, tell: Tell) -> None:
    """Find no fault and no endless outage; say what was seen."""
    rows = await stored(journal)
    evidence = Evidence(history.operations, rows, history.origin)
    faults = check(evidence)
    told = journal.parent.parent / "faults"
    told.write_text("\n\n".join(describe(fault) for fault in faults))
    assert not faults, f"seed {seed}, all in {told}: {report(evidence, faults)}"
    over = max(operation.done for operation in history.operations if operation.answer is not None)
    outages = [outage(history, begin, end) for begin, end in pairwise([*killed, over])]
    unanswered = sum(operation.answer is None for operation in history.operations)
    replayed = sum(o.answer is not None and o.answer.replayed for o in history.operations)
    shown = ", ".join(f"{seconds:.2f}" for seconds in outages)
    tell(
        f"seed {seed}: {len(history)} requests, {unanswered} unanswered, {replayed} replayed,"
        f" {len(rows)} events, {len(killed)} kills; nobody served for (s): {shown}"
    )
    assert unanswered > 0, "no kill met a request"
    assert max(outages) < LONGEST_OUTAGE, shown


async def kill_workers(folder: Path, plan: Plan, kills: int, tell: Tell, *limits: str) -> None:
    """``limits`` are settings, ``key=value``."""
    with running(folder, *(word for limit in limits for word in ("--set", limit))) as node:
        strike = partial(kill_worker, node)
        history, killed = await load_and_kill(plan, kills, node.url, strike)
        assert await asyncio.to_thread(node.stop) == 0, node.log.read_text()
    await judge(history, folder / "data" / "booking.sqlite", killed, plan.seed, tell)


async def test_no_promise_is_broken_by_a_killed_worker(tmp_path: Path, seed: int, tell: Tell) -> None:
    limits = ("entities.snapshot_every=10", "entities.active=64")
    await kill_workers(tmp_path, Plan(seed=seed, commands=1_000), 2, tell, *limits)


@pytest.mark.chaos
async def test_no_promise_is_broken_by_five_killed_workers(tmp_path: Path, seed: int, tell: Tell) -> None:
    await kill_workers(tmp_path, Plan(seed=seed, commands=10_000), 5, tell)


@pytest.mark.chaos
async def test_no_promise_is_broken_by_killed_workers_where_every_limit_is_met(
    tmp_path: Path, seed: int, tell: Tell
) -> None:
    limits = (
        "entities.active=1",
        "entities.snapshot_every=3",
        "entities.recoveries=1",
        "entities.mailbox=2",
        "commits.queue=8",
        "commits.batch=4",
    )
    await kill_workers(tmp_path, Plan(seed=seed, commands=5_000), 5, tell, *limits)


async def kill_node(folder: Path, plan: Plan, tell: Tell) -> None:
    """Kill the node and let another begin on its data and port, as whoever supervises it would."""
    with ExitStack() as stack:
        first = stack.enter_context(running(folder))
        second: list[Running] = []

        worker = first.worker()

        async def replace() -> None:
            await asyncio.to_thread(first.process.wait)
            assert await asyncio.to_thread(eventually, lambda: not alive(worker)), "an orphan is left"
            again = running(folder, "--set", f"gateway.bind={first.host}:{first.port}")
            second.append(await asyncio.to_thread(stack.enter_context, again))

        history, killed = await load_and_kill(plan, 1, first.url, first.process.kill, replace)
        assert await asyncio.to_thread(second[0].stop) == 0, second[0].log.read_text()
    await judge(history, folder / "data" / "booking.sqlite", killed, plan.seed, tell)


async def test_no_promise_is_broken_by_a_killed_node(tmp_path: Path, seed: int, tell: Tell) -> None:
    await kill_node(tmp_path, Plan(seed=seed, commands=600), tell)


@pytest.mark.chaos
async def test_no_promise_is_broken_by_a_node_killed_under_longer_load(
    tmp_path: Path, seed: int, tell: Tell
) -> None:
    await kill_node(tmp_path, Plan(seed=seed, commands=5_000), tell)
