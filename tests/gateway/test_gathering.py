"""Documents that are asked for while the store is busy are read together, and nobody waits for ever."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from actors.views.port import Reading, ViewsUnavailable, Wanted
from gateway.gathering import AT_ONCE, LARGEST
from tests.gateway import library
from tests.gateway.serving import PATIENCE, Reply, Served, serving, until


class Held:
    """A store whose reads wait."""

    def __init__(self, served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
        store = served.views["library"].store
        self.read: Any = store.read
        self.gate = asyncio.Event()
        self.reads: list[Sequence[Wanted]] = []
        self.error: Exception | None = None
        monkeypatch.setattr(store, "read", self._held)

    async def _held(self, wanted: Sequence[Wanted]) -> Reading:
        self.reads.append(wanted)
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        reading: Reading = await self.read(wanted)
        return reading


async def shelve(served: Served, count: int) -> None:
    for number in range(count):
        card = {"title": f"T{number}", "author": "a"}
        reply = await served.request("POST", f"/library/books/b{number}", card)
        at = {"Read_After": reply.json["position"]}
        assert (await served.request("GET", f"/library/cards/b{number}", **at)).status == 200


def asking(served: Served, count: int, **headers: str) -> "list[asyncio.Task[Reply]]":
    return [
        asyncio.ensure_future(served.request("GET", f"/library/cards/b{number}", **headers))
        for number in range(count)
    ]


async def test_what_is_asked_while_the_store_is_busy_is_read_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with serving(library.context) as served:
        await shelve(served, 20)
        held = Held(served, monkeypatch)
        tasks = asking(served, 22)
        await until(lambda: served.gateway.in_flight == 22)
        assert len(held.reads) <= AT_ONCE
        held.gate.set()
        replies = await asyncio.wait_for(asyncio.gather(*tasks), PATIENCE)
        assert [reply.json.get("title") for reply in replies[:20]] == [f"T{number}" for number in range(20)]
        assert [reply.status for reply in replies[20:]] == [404, 404]
        assert len(held.reads) <= AT_ONCE + 1
        assert sum(len(one.keys or ()) for wanted in held.reads for one in wanted) == 22


async def test_a_store_that_fails_fails_all_who_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(library.context) as served:
        held = Held(served, monkeypatch)
        held.gate.set()
        for error, status, problem in (
            (ViewsUnavailable("it is locked"), 503, "views-unavailable"),
            (RuntimeError("a bug in the store"), 500, "internal-error"),
        ):
            held.error = error
            replies = await asyncio.gather(*asking(served, 5))
            assert {(reply.status, reply.problem) for reply in replies} == {(status, problem)}


async def test_a_store_that_never_answers_holds_nobody_beyond_the_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with serving(library.context, gateway={"deadline": 0.2}) as served:
        await shelve(served, 1)
        held = Held(served, monkeypatch)
        for _ in range(2):
            replies = await asyncio.gather(*asking(served, 5))
            assert {(reply.status, reply.problem) for reply in replies} == {(503, "expired")}
        held.gate.set()
        (reply,) = await asyncio.gather(*asking(served, 1))
        assert reply.json["title"] == "T0"


async def test_more_than_one_read_holds_is_read_by_several(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(library.context) as served:
        held = Held(served, monkeypatch)
        count = LARGEST + 50
        tasks = asking(served, count)
        await until(lambda: served.gateway.in_flight == count)
        held.gate.set()
        replies = await asyncio.wait_for(asyncio.gather(*tasks), PATIENCE)
        assert {reply.status for reply in replies} == {404}
        assert max(len(one.keys or ()) for wanted in held.reads for one in wanted) <= LARGEST
