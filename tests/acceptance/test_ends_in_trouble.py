"""A worker that ends, or begins, while its journal takes no commits."""

import asyncio
import os
import signal
from pathlib import Path

from tests.acceptance.client import Client, Reply, client_of
from tests.acceptance.theatre import CONTEXTS, ROOT, journal_of, locked, playing, until
from tests.gateway.running import Running, butai, eventually

IMPATIENT = "commits.lock_seconds=1"
PROPS = 5


async def place(client: Client, number: int) -> Reply:
    """A command whose retries have one effect."""
    path, body = f"/stagehand/props/stool{number}", {"where": "bar"}
    return await client.post(path, body, wait=20, Idempotency_Key=f"stool-{number}")


async def place_all(client: Client) -> list[asyncio.Task[Reply]]:
    """Commands that wait for their commit."""
    tasks = [asyncio.create_task(place(client, number)) for number in range(PROPS)]

    async def all_wait() -> bool:
        return await client.metric("butai_http_requests_in_flight") == PROPS

    await until(all_wait)
    return tasks


async def each_has_one_effect(server: Running) -> None:
    """Whatever became of the first tries."""
    async with client_of(server.url) as client:
        for number in range(PROPS):
            assert (await place(client, number)).accepted().version == 1
            assert len(await client.history(f"/stagehand/props/stool{number}")) == 1


async def test_a_locked_journal_keeps_no_worker_from_stopping_in_order(tmp_path: Path) -> None:
    with playing(tmp_path, IMPATIENT) as server:
        async with client_of(server.url) as client:
            (await client.post("/stagehand/props/idle", {"where": "corner"})).accepted()
            with locked(journal_of(tmp_path, "stagehand")):
                tasks = await place_all(client)
                server.process.send_signal(signal.SIGTERM)
                for reply in await asyncio.gather(*tasks):
                    assert (reply.status, reply.problem) == (503, "journal-unavailable")
                assert await asyncio.to_thread(server.process.wait, 15) == 0
    with playing(tmp_path, IMPATIENT) as server:
        await each_has_one_effect(server)


async def test_a_worker_killed_in_front_of_a_locked_journal_comes_back_when_it_is_free(
    tmp_path: Path,
) -> None:
    with playing(tmp_path, IMPATIENT) as server:
        async with client_of(server.url) as client:
            with locked(journal_of(tmp_path, "stagehand")) as locker:
                tasks = await place_all(client)
                os.kill(server.worker(), signal.SIGKILL)
                ended = await asyncio.gather(*tasks, return_exceptions=True)
                assert all(not isinstance(each, Reply) or each.status == 503 for each in ended)
                refused = "holds the journal's lock"
                assert await asyncio.to_thread(eventually, lambda: refused in server.log.read_text())
                locker.release()
        assert await asyncio.to_thread(eventually, server.serves)
        await each_has_one_effect(server)


def test_a_worker_that_cannot_have_its_journal_says_so_in_one_line(tmp_path: Path) -> None:
    file = journal_of(tmp_path, "stagehand")
    file.parent.mkdir()
    arguments = ["--set", CONTEXTS, "--set", IMPATIENT, "--set", "gateway.bind=127.0.0.1:0"]
    with locked(file):
        ended = butai(tmp_path, "up", *arguments, PYTHONPATH=str(ROOT))
    assert ended.returncode != 0
    (line,) = [
        line for line in ended.stderr.splitlines() if " INFO " not in line and "cluster.yaml" not in line
    ]
    assert "another process holds the journal's lock" in line
