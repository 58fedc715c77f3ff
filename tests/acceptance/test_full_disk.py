"""The journal's disk takes no more: commands are refused, what is committed is still read, and when it takes
writes again all goes on without a restart."""

import contextlib
import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.client import Client, client_of
from tests.acceptance.theatre import SPACE, playing, reservation, until
from tests.gateway.running import Running, eventually

SIZE = 4 * 1024 * 1024


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True, text=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own at ``data``."""
    data = tmp_path / "data"
    data.mkdir()
    try:
        mount("-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(data))
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no file system can be mounted here: {error}")
    try:
        yield data
    finally:
        subprocess.run(["umount", "--lazy", str(data)], check=True)


@pytest.fixture
def server(small_disk: Path) -> Iterator[Running]:
    with playing(small_disk.parent) as node:
        yield node


def fill(disk: Path) -> Path:
    """Take all the space that is left."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    return filler


async def book_until_full(client: Client, path: str) -> list[int]:
    """The numbers of the reservations that were acknowledged before one was refused."""
    acknowledged = []
    for number in range(1, 4000):
        reply = await client.post(f"{path}/reservations", reservation(number, guest="a" * 200))
        if reply.status == 201:
            acknowledged.append(number)
            continue
        assert (reply.status, reply.problem) == (507, "journal-full")
        return acknowledged
    raise AssertionError("the disk is never full")


def booked(events: list[dict[str, Any]]) -> list[str]:
    """Which reservations a history tells of, in order."""
    return [event["data"]["reservation"] for event in events if event["type"] == "Reserved"]


async def test_a_full_disk_refuses_commands_until_there_is_space_again(
    client: Client, server: Running, small_disk: Path
) -> None:
    path = "/booking/spaces/cellar"
    (await client.post(path, SPACE)).accepted()
    filler = fill(small_disk)
    acknowledged = await book_until_full(client, path)

    for number in (5000, 5001):
        refused = await client.post(f"{path}/reservations", reservation(number))
        assert (refused.status, refused.problem) == (507, "journal-full")
    state = await client.get(path)
    assert state.status == 200
    assert state.version == 1 + len(acknowledged)
    assert list(state.json["state"]["reservations"]) == [f"r{number}" for number in acknowledged]
    assert (await client.get(f"{path}?version=1")).status == 200
    red = await client.get("/readyz")
    assert (red.status, red.problem) == (503, "not-ready")
    assert "booking: no space left for the journal" in red.detail
    assert (await client.get("/healthz")).status == 200
    worker = server.worker()

    filler.unlink()
    again = await client.post(f"{path}/reservations", reservation(5000))
    assert again.accepted().version == state.version + 1

    async def ready() -> bool:
        return (await client.get("/readyz")).status == 200

    await until(ready)
    assert server.worker() == worker, "it did not restart"

    os.kill(worker, 9)
    assert eventually(server.serves)
    async with client_of(server.url) as anew:
        events = await anew.history(path)
    assert booked(events) == [f"r{number}" for number in (*acknowledged, 5000)]
    assert [event["version"] for event in events] == list(range(1, len(events) + 1))


@contextlib.contextmanager
def no_writes(worker: int) -> Iterator[None]:
    """A limit on file sizes makes each of the process's writes fail, as a read-only disk does."""
    soft, hard = resource.prlimit(worker, resource.RLIMIT_FSIZE)
    resource.prlimit(worker, resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.prlimit(worker, resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_disk_that_takes_no_writes_refuses_commands_until_it_does(shared_server: Running) -> None:
    path = "/booking/spaces/archive"
    async with client_of(shared_server.url) as client:
        (await client.post(path, SPACE)).accepted()
        first = (await client.post(f"{path}/reservations", reservation(1), Idempotency_Key="k1")).accepted()
        before = await client.get(path)
        worker = shared_server.worker()
        with no_writes(worker):
            for _ in range(3):
                refused = await client.post(f"{path}/reservations", reservation(2), Idempotency_Key="k2")
                assert (refused.status, refused.problem) == (507, "journal-full")
                assert (await client.get(path)).body == before.body
            again = await client.post(f"{path}/reservations", reservation(1), Idempotency_Key="k1")
            assert again.body == first.body
            assert (await client.get("/readyz")).problem == "not-ready"
        second = await client.post(f"{path}/reservations", reservation(2), Idempotency_Key="k2")
        assert second.accepted().version == 3
        assert "Idempotency-Replayed" not in second.headers
        assert booked(await client.history(path)) == ["r1", "r2"]
        assert (await client.get("/readyz")).status == 200
        assert shared_server.worker() == worker


async def test_a_server_that_gets_no_commands_finds_out_by_itself_that_the_disk_is_well(
    shared_server: Running,
) -> None:
    """What is not ready is sent nothing: readiness that waits for a command waits for ever."""
    async with client_of(shared_server.url) as client:
        path = "/stagehand/props/broom"
        with no_writes(shared_server.worker()):
            assert (await client.post(path, {"where": "corner"})).problem == "journal-full"
            assert (await client.get("/readyz")).problem == "not-ready"

        async def ready() -> bool:
            return (await client.get("/readyz")).status == 200

        await until(ready)
        assert (await client.post(path, {"where": "corner"})).accepted().version == 1
