"""Workers and nodes that share a cluster, each in the part that it was given."""

import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.theatre import SPACE
from tests.chaos.cluster.cluster import NAME, Cluster, clustered
from tests.chaos.cluster.node import Node
from tests.chaos.cluster.place import Place
from tests.chaos.cluster.process import eventually
from tests.chaos.cluster.servers import Nats
from tests.gateway.running import alive, butai, running
from tests.gateway.running import eventually as polled


def begin(cluster: Cluster, name: str, *settings: str) -> Node:
    """Another node, of one worker, with settings of its own; it is not waited for."""
    node = cluster.add(name, 1, *settings)
    node.launch()
    return node


async def shares(cluster: Cluster, context: str) -> Counter[str]:
    """How many shards of a context each worker serves."""
    found = await cluster.survey()
    assert found["not_open"] == []
    return Counter(shard["owner"] for shard in found["shards"] if shard["context"] == context)


async def test_shards_are_even_over_the_workers_of_three_nodes(tmp_path: Path) -> None:
    async with clustered(tmp_path, (4, 1, 1)) as cluster:
        for context in ("venue", "booking"):
            counts = await shares(cluster, context)
            assert len(counts) == 6
            assert sorted(counts.values()) == [10, 10, 11, 11, 11, 11]
        assert len({owner.split("-")[0] for owner in counts}) == 3


async def test_each_node_plays_the_part_it_was_given(tmp_path: Path) -> None:
    """One only answers HTTP, one owns only the shards of booking, one those of all."""
    async with clustered(tmp_path, ()) as cluster:
        edge = begin(cluster, "edge", "node.roles=[gateway]")
        rooms = begin(cluster, "rooms", "node.roles=[actors]", "node.contexts=[booking]")
        whole = begin(cluster, "whole", "node.capacity=3")
        await edge.ready()
        await whole.ready()
        assert await eventually(lambda: "is ready without a gateway" in rooms.running.said(), 30.0)
        rooms.up = True
        assert await cluster.settled(20.0)
        for name in (f"s{number}" for number in range(8)):
            assert edge.ask("POST", f"/booking/spaces/{name}", SPACE)[0] in (200, 201)
            assert whole.ask("GET", f"/booking/spaces/{name}")[0] == 200
        assert sorted((await shares(cluster, "booking")).values()) == [16, 48]
        assert list((await shares(cluster, "venue")).values()) == [64]
        with pytest.raises(OSError):
            rooms.ask("GET", "/healthz")


async def test_a_gateway_without_actors_is_up_and_says_that_it_is_not_ready(tmp_path: Path) -> None:
    async with clustered(tmp_path, ()) as cluster:
        edge = begin(cluster, "edge", "node.roles=[gateway]")
        await edge.ready()
        status, told = edge.ask("GET", "/readyz")
        assert status == 503
        assert "no worker serves its shards" in str(told)
        status, problem = edge.ask("GET", "/booking/spaces/s1")
        assert (status, problem["type"]) == (503, "/problems/moved")


async def test_a_second_node_with_a_journal_of_its_own_is_refused(tmp_path: Path) -> None:
    nats = Nats(tmp_path, Place())
    await nats.start()
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    shared = ("--set", f"cluster={NAME}", "--set", f"bus={nats.url}")
    try:
        with running(first, *shared):
            refused = butai(second, "up", *shared, "--set", "gateway.bind=127.0.0.1:0")
        assert refused.returncode == 1
        assert refused.stdout == ""
        (line,) = [line for line in refused.stderr.splitlines() if line.startswith("butai: journal: ")]
        assert line.endswith("(sqlite serves one node)")
    finally:
        nats.kill()


def test_a_worker_that_hangs_is_killed_and_its_shards_answer_elsewhere(tmp_path: Path) -> None:
    with running(tmp_path, "--set", "workers=2", "--set", "node.hang_seconds=1") as node:
        spaces = [f"/booking/spaces/s{number}" for number in range(16)]
        for space in spaces:
            assert node.call("POST", space, SPACE)[0] in (200, 201)
        hung = node.workers()[0]
        os.kill(hung, signal.SIGSTOP)
        answers: Counter[int] = Counter()

        def all_answer() -> bool:
            statuses = [_status(node.call, space) for space in spaces]
            answers.update(statuses)
            return set(statuses) == {200}

        assert polled(lambda: not alive(hung), 10.0)
        assert polled(all_answer, 10.0)
        assert polled(lambda: len(node.workers()) == 2 and node.serves(), 10.0)
        assert "no sign of life for 1 s" in node.log.read_text()
        assert node.stop() == 0


def _status(call: Any, path: str) -> int:
    try:
        status: int = call("GET", path)[0]
    except OSError:
        return 0
    return status
