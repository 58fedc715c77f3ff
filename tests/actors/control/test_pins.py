"""Pins on a real bus, and what they mean for placement."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.control.pins import Pins, lasting_place, resolve
from actors.fabric.connection import Access, Connection, connect
from actors.fabric.server import EmbeddedServer


@pytest.fixture
async def connection(tmp_path: Path) -> AsyncIterator[Connection]:
    server = EmbeddedServer(tmp_path / "nats", "stage")
    await server.start()
    connection = await connect(Access(urls=server.urls, token=server.token), "test")
    yield connection
    await connection.close()
    await server.stop()


async def becomes(pins: Pins, expected: list[tuple[str, int, str]]) -> bool:
    async with asyncio.timeout(5.0):
        while pins.all() != expected:
            await asyncio.sleep(0.005)
    return True


async def test_pins_are_heard_by_all_and_known_to_newcomers(connection: Connection) -> None:
    first, second = Pins(connection, "stage"), Pins(connection, "stage")
    await first.open()
    await second.open()
    heard: list[int] = []
    second.on_change.append(lambda: heard.append(1))
    await first.pin("rooms", 3, "a1ae0f16-0")
    await first.pin("rooms", 4, "a1ae0f16")
    assert await becomes(second, [("rooms", 3, "a1ae0f16-0"), ("rooms", 4, "a1ae0f16")])
    assert len(heard) == 2
    assert second.of("rooms") == {3: "a1ae0f16-0", 4: "a1ae0f16"}
    assert await second.unpin("rooms", 3)
    assert not await second.unpin("rooms", 9)
    assert await becomes(first, [("rooms", 4, "a1ae0f16")])
    newcomer = Pins(connection, "stage")
    await newcomer.open()
    assert newcomer.all() == [("rooms", 4, "a1ae0f16")]
    for pins in (first, second, newcomer):
        await pins.close()


@pytest.mark.parametrize(
    ("context", "place"), [("rooms.x", "a"), ("rooms", "a.b"), ("rooms", ""), ("*", "a")]
)
async def test_what_can_be_no_pin_is_refused(context: str, place: str, connection: Connection) -> None:
    with pytest.raises(ValueError, match="cannot be pinned"):
        await Pins(connection, "stage").pin(context, 1, place)


async def test_a_strangers_entries_are_passed_over(connection: Connection) -> None:
    pins = Pins(connection, "stage")
    await pins.open()
    for key, value in (("rooms", b"a"), ("rooms.x", b"a"), ("rooms.1", b"\xff\x00"), ("rooms.2", b"a" * 65)):
        connection.publish(f"$KV.butai-stage-pins.{key}", value)
    await pins.pin("rooms", 5, "a")
    assert await becomes(pins, [("rooms", 5, "a")])
    await pins.close()


def test_a_pin_to_a_worker_is_kept_for_its_slot() -> None:
    assert lasting_place("a1ae0f16-0-e20e-1") == "a1ae0f16-0"
    assert lasting_place("a1ae0f16-0") == "a1ae0f16-0"
    assert lasting_place("a1ae0f16") == "a1ae0f16"


@given(st.dictionaries(st.integers(0, 63), st.sampled_from(["a", "a-0", "a-1-x-7", "b", "b-9", "c"])))
def test_a_pin_leads_to_a_worker_in_its_place_or_nowhere(pins: dict[int, str]) -> None:
    workers = ["a-0-x-1", "a-1-x-7", "a-10-x-8", "b-0-y-1"]
    found = resolve(pins, workers)
    assert found == resolve(pins, reversed(workers))
    for shard, place in pins.items():
        if place in ("b-9", "c"):
            assert shard not in found
        else:
            assert found[shard] == place or found[shard].startswith(f"{place}-")
