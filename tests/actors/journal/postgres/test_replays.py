"""Many replays are few queries, and none waits for ever."""

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest

from actors.journal.port import JournalUnavailable, Row, Snapshot
from actors.journal.postgres.replays import Replays
from tests.actors.journal.conformance import row


class Store:
    """Answers the queries of replays as a server would; every entity has one event."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []
        self.error: Exception | None = None

    async def read(self, name: str, *arguments: Any) -> list[Any]:
        ids = arguments[1]
        self.asked.append((name, len(ids)))
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        return [] if name == "snapshots_of" else [Record(n, id) for n, id in enumerate(ids)]


class Record(tuple[Any, ...]):
    def __new__(cls, n: int, id: str) -> "Record":
        return super().__new__(cls, (n, *row(1, 1, id, 1)))

    def __getitem__(self, key: Any) -> Any:
        return 1 if key == "version" else super().__getitem__(key)


def ids(snapshot: Snapshot | None, rows: Iterable[Row]) -> list[str]:
    return [one.id for one in rows]


async def test_replays_asked_for_in_one_turn_share_their_queries() -> None:
    store = Store()
    replays = Replays(store.read, "booking", 1)
    futures = [replays.submit("space", f"{n}", ids, from_snapshot=n % 2 == 0) for n in range(100)]
    assert await asyncio.gather(*futures) == [[f"{n}"] for n in range(100)]
    assert store.asked == [("snapshots_of", 32), ("events_of", 64), ("snapshots_of", 18), ("events_of", 36)]
    await replays.close()


async def test_a_failed_query_reaches_everyone_who_waited_for_it_and_nobody_else() -> None:
    store = Store()
    replays = Replays(store.read, "booking", 1)
    store.error = JournalUnavailable("away")
    futures = [replays.submit("space", f"{n}", ids, from_snapshot=True) for n in range(3)]
    outcomes = await asyncio.gather(*futures, return_exceptions=True)
    assert outcomes == [store.error] * 3
    store.error = None
    assert await replays.submit("space", "x", ids, from_snapshot=True) == ["x"]
    await replays.close()


async def test_a_replay_that_nobody_waits_for_any_more_disturbs_no_other() -> None:
    replays = Replays(Store().read, "booking", 1)
    one, other = (replays.submit("space", id, ids, from_snapshot=True) for id in "xy")
    one.cancel()
    assert await other == ["y"]
    await replays.close()


async def test_too_many_waiting_replays_are_refused_at_once() -> None:
    replays = Replays(Store().read, "booking", 1)
    futures = [replays.submit("space", "x", ids, from_snapshot=False) for _ in range(8_192)]
    with pytest.raises(JournalUnavailable, match="waiting already"):
        replays.submit("space", "x", ids, from_snapshot=False)
    assert await asyncio.gather(*futures) == [["x"]] * 8_192
    await replays.close()
