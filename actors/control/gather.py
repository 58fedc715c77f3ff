"""A worker's facts, gathered from its parts: all from memory, in one go on the loop."""

import heapq
import os
import socket
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version

from actors.control.facts import ContextFacts, EntityFacts, QuarantineFacts, ShardFacts, WorkerFacts
from actors.control.view_facts import view_facts
from actors.entity import Entity
from actors.identity import Identity
from actors.recovery import EntityKey, Recovery
from actors.region import Region
from actors.shard import Shard
from actors.views.projections import Projections

SLOWEST = 10
"""Entities with the most waiting that are told per context."""
QUARANTINED = 100
"""Quarantined entities that are told per context; the others are counted."""


class Gatherer:
    """Tells a worker's facts whenever asked. Reading entities costs about 0.1 us each."""

    def __init__(
        self,
        identity: Identity,
        roles: Iterable[str],
        regions: Mapping[str, Region],
        projections: Mapping[str, Projections],
    ) -> None:
        """``projections`` fold the views, by context."""
        self._identity = identity
        self._roles = tuple(roles)
        self._regions = regions
        self._projections = projections
        self._host = socket.gethostname()
        self._version = version("butai")
        self._started = time.monotonic()

    def facts(self, *, leaving: bool, in_flight: int, connections: int) -> WorkerFacts:
        """What there is to tell now."""
        identity = self._identity
        return WorkerFacts(
            worker=identity.worker,
            node=identity.node,
            slot=identity.slot,
            host=self._host,
            pid=os.getpid(),
            version=self._version,
            roles=self._roles,
            state="leaving" if leaving else "serving",
            uptime=round(time.monotonic() - self._started, 3),
            in_flight=in_flight,
            connections=connections,
            contexts=tuple(
                context_facts(region, self._projections.get(name)) for name, region in self._regions.items()
            ),
        )


def context_facts(region: Region, projections: Projections | None = None) -> ContextFacts:
    """What one context does on this worker."""
    waiting = [found for shard in region.shards.values() for found in _waiting(shard)]
    slowest = heapq.nlargest(SLOWEST, waiting)
    now = region.clock()
    quarantined = region.quarantined()
    return ContextFacts(
        context=region.name,
        of=region.journal.shards,
        shards=tuple(_shard_facts(shard) for _, shard in sorted(region.shards.items())),
        active=region.active,
        passivated=region.passivated,
        recovered=region.recoveries.recovered,
        failures=region.failures,
        waiting=sum(count for count, _ in waiting),
        recovering=region.recoveries.active + region.recoveries.queued,
        commit_queue=region.committer.queued,
        slowest=tuple(EntityFacts(aggregate=k[0], id=k[1], waiting=count) for count, k in slowest),
        quarantined=tuple(
            QuarantineFacts(aggregate=key[0], id=key[1], why=found.why, seconds=round(now - found.since, 3))
            for key, found in list(quarantined.items())[:QUARANTINED]
        ),
        quarantines=len(quarantined),
        trouble=region.trouble(),
        views=view_facts(projections) if projections is not None else (),
        views_trouble=projections.store_trouble if projections is not None else "",
    )


def _shard_facts(shard: Shard) -> ShardFacts:
    return ShardFacts(
        shard=shard.number,
        epoch=shard.epoch,
        state=str(shard.state),
        seq=shard.committed,
        active=shard.active,
    )


def _waiting(shard: Shard) -> Iterator[tuple[int, EntityKey]]:
    """How many wait for each entity that somebody waits for."""
    for key, found in shard.entities.items():
        if isinstance(found, Entity):
            mailbox = found.address.mailbox
            if mailbox is not None:
                yield (len(mailbox) if isinstance(mailbox, deque) else 1), key
        elif isinstance(found, Recovery) and found.waiting:
            yield len(found.waiting), key
