"""Health, metrics and the API's page."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from gateway.metrics import BUCKETS, Exposition, Recorder
from tests.gateway.serving import Served, serving

BOARD = "/notes/boards/b1"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with serving() as served:
        yield served


class TestHealth:
    async def test_it_is_alive(self, served: Served) -> None:
        assert (await served.request("GET", "/healthz")).json == {"status": "alive"}

    async def test_it_is_ready_when_nothing_speaks_against_it(self, served: Served) -> None:
        assert (await served.request("GET", "/readyz")).json == {"status": "ready"}

    async def test_what_is_wrong_while_it_serves_all_the_same_is_noted(self, served: Served) -> None:
        served.notes["notes"] = "view titles is parked at notes/3:17 (KeyError: 'x'); shards parked: 1"
        reply = await served.request("GET", "/readyz")
        assert reply.status == 200
        assert reply.json == {"status": "ready", "notes": served.notes}
        served.reasons["notes"] = "the journal is away"
        assert (await served.request("GET", "/readyz")).status == 503

    async def test_it_says_why_it_is_not_ready(self, served: Served) -> None:
        served.reasons["notes"] = "the journal is away"
        reply = await served.request("GET", "/readyz")
        assert (reply.status, reply.problem) == (503, "not-ready")
        assert reply.json["detail"] == "notes: the journal is away"
        assert reply.headers["retry-after"] == "1"


class TestMetrics:
    async def test_requests_are_counted_by_method_route_and_status(self, served: Served) -> None:
        await served.request("POST", BOARD, {"title": "a"})
        await served.request("POST", BOARD, {"title": 1})
        await served.request("GET", "/nowhere")
        text = (await served.request("GET", "/metrics")).body.decode()
        families = {family.name: family for family in text_string_to_metric_families(text)}
        counts = {
            (s.labels["method"], s.labels["route"], s.labels["status"]): s.value
            for s in families["butai_http_requests"].samples
        }
        assert counts["POST", "/notes/boards/{board}", "201"] == 1
        assert counts["POST", "/notes/boards/{board}", "422"] == 1
        assert counts["", "", "404"] == 1
        assert families["butai_http_connections"].samples[0].value >= 1
        assert families["butai_http_requests_in_flight"].samples[0].value == 0

    def test_latencies_fall_into_their_buckets(self) -> None:
        recorder = Recorder("GET", "/x")
        for seconds in (0.0005, 0.001, 0.03, 60.0):
            recorder.count(200, seconds)
        assert recorder.buckets[0] == 2
        assert recorder.buckets[BUCKETS.index(0.05)] == 1
        assert recorder.buckets[-1] == 1

    def test_collectors_handed_in_are_shown(self) -> None:
        class Mine(Collector):
            def collect(self) -> Iterator[Metric]:
                yield GaugeMetricFamily("mine", "Mine.", 7)

        assert b"mine 7.0" in Exposition([Mine()]).render()


class TestDocs:
    async def test_the_root_leads_to_the_page(self, served: Served) -> None:
        reply = await served.request("GET", "/")
        assert (reply.status, reply.headers["location"]) == (302, "/docs")

    async def test_the_page_allows_no_script_but_ours(self, served: Served) -> None:
        reply = await served.request("GET", "/docs")
        policy = reply.headers["content-security-policy"]
        assert "script-src 'self';" in policy
        assert "default-src 'none'" in policy
        assert b"<script>" not in reply.body
        assert b"http" not in reply.body

    async def test_everything_the_page_loads_is_here(self, served: Served) -> None:
        for path in ("swagger-ui.css", "page.css", "swagger-ui-bundle.js", "page.js"):
            reply = await served.request("GET", f"/docs/{path}")
            assert (reply.status, reply.headers["x-content-type-options"]) == (200, "nosniff")
            assert int(reply.headers["content-length"]) > 50

    @pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium to load the page with")
    async def test_a_browser_shows_the_operations(self, served: Served, tmp_path: Path) -> None:
        assert CHROMIUM is not None
        browser = await asyncio.create_subprocess_exec(
            *(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
            *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
            *(f"--user-data-dir={tmp_path}", "--virtual-time-budget=8000", "--dump-dom"),
            f"{served.origin}/docs",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            output, _ = await asyncio.wait_for(browser.communicate(), 60)
        finally:
            if browser.returncode is None:
                browser.kill()
                await browser.wait()
        page = output.decode()
        assert "/notes/boards/{board}/notes" in page.replace("\u200b", "").replace("<wbr>", "")
        assert "Begin a board of notes." in page
        assert "opblock-post" in page
