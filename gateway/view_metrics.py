"""How a worker's views are, for Prometheus."""

from collections.abc import Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from actors.control.facts import ViewFacts
from actors.control.view_facts import view_facts
from actors.views.projections import Projections

LABELS = ("context", "view")


class ViewCollector(Collector):
    """Each view's figures, labelled with its context and name; of shards, those of this worker."""

    def __init__(self, projections: Mapping[str, Projections]) -> None:
        self._projections = projections

    def collect(self) -> Iterator[Metric]:
        yield from self._counters()
        yield from self._gauges()
        trouble = GaugeMetricFamily(
            "butai_views_unreachable", "1 while views' store or journal cannot be used.", labels=("context",)
        )
        for context, projections in self._projections.items():
            trouble.add_metric((context,), float(bool(projections.store_trouble)))
        yield trouble

    def _counters(self) -> Iterator[Metric]:
        folded = CounterMetricFamily("butai_view_events_folded", "Events folded.", labels=LABELS)
        failures = CounterMetricFamily(
            "butai_view_failures", "Attempts at events that could not be folded.", labels=LABELS
        )
        for context, projections in self._projections.items():
            for view in projections.foldings:
                tally = projections.pump.tallies[view]
                folded.add_metric((context, view), tally.folded)
                failures.add_metric((context, view), tally.failures)
        yield from (folded, failures)

    def _gauges(self) -> Iterator[Metric]:
        def gauge(name: str, what: str) -> GaugeMetricFamily:
            return GaugeMetricFamily(f"butai_view_{name}", what, labels=LABELS)

        lag = gauge("lag_events", "Events committed and not folded into what answers.")
        behind = gauge("seconds_behind", "For how long the oldest of them has been waiting.")
        parked = gauge("shards_parked", "Shards that wait for an operator.")
        paused = gauge("paused", "1 while an operator has halted the view.")
        waiting = gauge("rows_waiting", "Events in memory that wait to be folded.")
        progress = gauge("rebuild_progress", "The part that is folded of a generation being built, 0 to 1.")
        for context, projections in self._projections.items():
            for view, generations in _by_view(projections).items():
                labels = (context, view)
                live = [one for one in generations if one.live]
                lag.add_metric(labels, sum(one.lag for one in live))
                behind.add_metric(labels, max((one.seconds for one in live), default=0.0))
                parked.add_metric(labels, sum(one.parks for one in generations))
                paused.add_metric(labels, float(any(one.paused for one in generations)))
                waiting.add_metric(labels, sum(one.waiting for one in generations))
                for one in generations:
                    if not one.live:
                        progress.add_metric(labels, _progress(one))
        yield from (lag, behind, parked, paused, waiting, progress)


def _by_view(projections: Projections) -> dict[str, list[ViewFacts]]:
    found: dict[str, list[ViewFacts]] = {view: [] for view in projections.foldings}
    for facts in view_facts(projections):
        if facts.view in found:
            found[facts.view].append(facts)
    return found


def _progress(facts: ViewFacts) -> float:
    whole = facts.folded + facts.lag
    return facts.folded / whole if whole else 1.0
