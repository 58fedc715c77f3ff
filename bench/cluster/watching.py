"""Looking at a cluster as its operator does."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

from actors.control.access import NoAccess
from actors.control.operator import Refused, Survey
from actors.settings import Settings
from gateway.operating import Cluster, NotDone, cluster

CONTEXT = "booking"
CLUSTER = "bench"
"""What those clusters are called that are asked."""
PERIOD = 0.1
"""Seconds between two looks: each costs everyone a message."""
PATIENCE = 60.0


class Unsettled(Exception):
    """The cluster did not become what it should, or could not be asked; one line."""


@contextlib.asynccontextmanager
async def watched(settings: Settings) -> AsyncIterator[Cluster]:
    """An operator's connection. Raises Unsettled."""
    try:
        async with cluster(settings, progress=False) as found:
            yield found
    except (NoAccess, Refused, NotDone, OSError, TimeoutError) as error:
        raise Unsettled(f"the cluster could not be asked: {error}") from error


async def settled(operator: Cluster, workers: int) -> Survey:
    """The cluster once so many workers serve, each its share of the shards. Raises Unsettled."""
    deadline = time.monotonic() + PATIENCE
    while True:
        found = await operator.survey()
        counts = [len(owned_by(found, worker.worker)) for worker in found.workers]
        if found.settled() and len(counts) == workers and max(counts) - min(counts) <= 1:
            return found
        if time.monotonic() > deadline:
            raise Unsettled(f"not settled within {PATIENCE:g} s: shards per worker {counts}")
        await asyncio.sleep(PERIOD)


def owned_by(survey: Survey, worker: str) -> list[int]:
    """The shards of ``CONTEXT`` that a worker serves."""
    return [owned.shard for owned in survey.shards() if (owned.context, owned.owner) == (CONTEXT, worker)]
