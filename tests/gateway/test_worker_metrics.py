import re
from pathlib import Path

from tests.gateway.running import SPACE, running


def test_a_worker_shows_every_queue_and_failure_by_context(tmp_path: Path) -> None:
    with running(tmp_path) as node:
        assert node.call("POST", "/booking/spaces/maple", SPACE)[0] == 201
        status, content = node.call("GET", "/metrics")
        assert status == 200
        figures = dict(re.findall(r"^(butai_[^ ]+) ([0-9.e+]+)$", content.decode(), re.MULTILINE))
        for name in ("entities_active", "events_committed_total", "commits_total"):
            assert float(figures[f'butai_{name}{{context="booking"}}']) == 1.0
            assert float(figures[f'butai_{name}{{context="venue"}}']) == 0.0
        for name in (
            "entities_quarantined",
            "entities_passivated_total",
            "entity_failures_total",
            "recoveries_active",
            "recoveries_waiting",
            "commit_queue_events",
            "commit_failures_total",
        ):
            assert float(figures[f'butai_{name}{{context="booking"}}']) == 0.0
        assert float(figures["butai_stage_actors"]) == (2 + 3) * 64 + 1, "shards, projectors and the root"
        assert float(figures["butai_stage_messages_total"]) >= 1
        for name in ("messages_waiting", "refused_total", "failures_total"):
            assert float(figures[f"butai_stage_{name}"]) == 0.0
        assert node.stop() == 0
