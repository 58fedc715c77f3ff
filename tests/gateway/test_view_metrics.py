"""The figures of views, read as Prometheus reads them, of projections that fold."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from actors.views.port import ViewsUnavailable
from gateway.metrics import Exposition
from gateway.view_metrics import ViewCollector
from tests.actors.control.viewing import Viewing, until, viewing


def figures(worker: Viewing) -> dict[tuple[str, str], float]:
    """By name without its prefix, and view."""
    text = Exposition([ViewCollector({"guestbook": worker.projections})]).render().decode()
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            assert sample.labels["context"] == "guestbook"
            found[sample.name.removeprefix("butai_"), sample.labels.get("view", "")] = sample.value
    return found


async def test_a_worker_shows_how_each_view_is() -> None:
    async with viewing(attempts=2) as worker:
        before = figures(worker)
        names = {name for name, view in before if view == "pages"}
        assert names == {
            "view_events_folded_total",
            "view_failures_total",
            "view_lag_events",
            "view_seconds_behind",
            "view_shards_parked",
            "view_paused",
            "view_rows_waiting",
        }
        assert set(before.values()) == {0.0}
        for line in ("one", "break fold", "three"):
            await worker.write("ada", line)
        await until(lambda: figures(worker)["view_shards_parked", "pages"])
        await worker.folded()
        found = figures(worker)
        assert found["view_events_folded_total", "pages"] == 1
        assert found["view_events_folded_total", "sums"] == 3
        assert found["view_failures_total", "pages"] == 2
        assert found["view_failures_total", "sums"] == 0
        assert found["view_lag_events", "pages"] == 2
        assert found["view_lag_events", "sums"] == 0
        assert found["view_shards_parked", "sums"] == 0
        assert found["view_seconds_behind", "pages"] > 0
        assert found["view_seconds_behind", "sums"] == 0
        assert found["views_unreachable", ""] == 0


async def test_a_paused_view_and_one_that_is_built_are_seen() -> None:
    async with viewing(attempts=1) as worker:
        for line in ("one", "two", "three", "break fold"):
            await worker.write("ada", line)
        await until(lambda: figures(worker)["view_shards_parked", "pages"])
        await worker.projections.rebuild("pages")
        await until(lambda: figures(worker)["view_shards_parked", "pages"] == 2)
        assert figures(worker)["view_rebuild_progress", "pages"] == 0.75
        await worker.projections.pause("pages", True)
        await until(lambda: figures(worker)["view_paused", "pages"])
        assert figures(worker)["view_paused", "sums"] == 0


async def test_a_store_that_is_away_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    async with viewing() as worker:

        async def away(store: object) -> None:
            raise ViewsUnavailable("the disk is full")

        monkeypatch.setattr(type(worker.projections.store), "generations", away)
        worker.projections.changed()
        await until(lambda: figures(worker)["views_unreachable", ""])
        assert worker.projections.trouble() == "views cannot be looked at: the disk is full"
        monkeypatch.undo()
        worker.projections.changed()
        await until(lambda: not figures(worker)["views_unreachable", ""])
