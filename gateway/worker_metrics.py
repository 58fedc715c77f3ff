"""What goes on inside a worker, for Prometheus: every queue, every kind of failure."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from actors.cluster import Cluster
from actors.region import Region
from actors.stage import Stage

Figure = tuple[str, str, Callable[[Region], float]]

GAUGES: tuple[Figure, ...] = (
    ("butai_entities_active", "Entities in memory.", lambda r: r.active),
    ("butai_entities_quarantined", "Entities that wait for an operator.", lambda r: len(r.quarantined())),
    ("butai_recoveries_active", "Entities being replayed.", lambda r: r.recoveries.active),
    ("butai_recoveries_waiting", "Entities waiting to be replayed.", lambda r: r.recoveries.queued),
    ("butai_commit_queue_events", "Decided events waiting for their commit.", lambda r: r.committer.queued),
)
COUNTERS: tuple[Figure, ...] = (
    ("butai_entities_passivated", "Entities that left memory.", lambda r: r.passivated),
    ("butai_entity_failures", "Failures of entities or of their replay.", lambda r: r.failures),
    ("butai_commits", "Group commits.", lambda r: r.committer.commits),
    ("butai_events_committed", "Events made durable.", lambda r: r.committer.events),
    ("butai_commit_failures", "Commits after which nothing was written.", lambda r: r.committer.failures),
)


class RegionCollector(Collector):
    """Each context's figures, labelled with its name."""

    def __init__(self, regions: Mapping[str, Region]) -> None:
        self._regions = regions

    def collect(self) -> Iterator[Metric]:
        for kind, figures in ((GaugeMetricFamily, GAUGES), (CounterMetricFamily, COUNTERS)):
            for name, what, read in figures:
                family = kind(name, what, labels=("context",))
                for context, region in self._regions.items():
                    family.add_metric((context,), read(region))
                yield family


class ClusterCollector(Collector):
    """How this worker gets on with the others."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def collect(self) -> Iterator[Metric]:
        cluster = self._cluster
        connected = float(cluster.connection.connected)
        yield GaugeMetricFamily("butai_bus_connected", "1 while the bus is reachable.", connected)
        yield GaugeMetricFamily("butai_members", "Workers that are there.", len(cluster.membership.members))
        owned = GaugeMetricFamily(
            "butai_shards", "Shards on this worker, by state.", labels=("context", "state")
        )
        away = GaugeMetricFamily("butai_asks_away", "Asks at other workers.", labels=("context",))
        retries = CounterMetricFamily("butai_ask_retries", "Asks that were sent again.", labels=("context",))
        for name, region in cluster.regions.items():
            states = Counter(str(shard.state) for shard in region.shards.values())
            for state, count in sorted(states.items()):
                owned.add_metric((name, state), count)
            router = cluster.routers[name]
            away.add_metric((name,), router.away)
            retries.add_metric((name,), router.retries)
        yield from (owned, away, retries)
        yield GaugeMetricFamily("butai_asks_taken", "Asks of other workers.", cluster.courier.taken)
        unreadable = cluster.courier.unreadable.total() + cluster.membership.unreadable
        yield CounterMetricFamily("butai_bus_unreadable", "Messages that could not be read.", unreadable)


class StageCollector(Collector):
    """The actor system's figures."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def collect(self) -> Iterator[Metric]:
        counters = self._stage.counters
        yield GaugeMetricFamily("butai_stage_actors", "Actors that live.", counters.actors)
        yield GaugeMetricFamily("butai_stage_messages_waiting", "Messages in mailboxes.", counters.pending)
        yield GaugeMetricFamily("butai_stage_wakeups_waiting", "Wakeups not due yet.", counters.wakeups)
        yield CounterMetricFamily("butai_stage_messages", "Messages handled.", counters.messages)
        yield CounterMetricFamily(
            "butai_stage_dead_letters", "Messages nobody received.", counters.dead_letters
        )
        yield CounterMetricFamily(
            "butai_stage_refused", "Messages refused by full mailboxes.", counters.refused
        )
        yield CounterMetricFamily("butai_stage_failures", "Exceptions of handlers.", counters.failures)
