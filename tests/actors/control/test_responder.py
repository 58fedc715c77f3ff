"""The responder on a real bus: answers that take time hold up no others, and are bounded in every way."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from actors.control.messages import (
    Ask,
    Begun,
    Done,
    Failed,
    LookAtViews,
    PauseView,
    RebuildView,
    Reply,
    Status,
    Work,
    decode_reply,
    encode,
)
from actors.control.responder import WORKS, Responder
from actors.fabric.connection import Access, Connection, connect
from actors.fabric.server import EmbeddedServer

SUBJECT = "butai.stage.control.worker.w"


@pytest.fixture
async def connection(tmp_path: Path) -> AsyncIterator[Connection]:
    server = EmbeddedServer(tmp_path / "nats", "stage")
    await server.start()
    connection = await connect(Access(urls=server.urls, token=server.token), "test")
    yield connection
    await connection.close()
    await server.stop()


class Slow:
    """Answers at once, fails, or waits for the gate."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.begun = 0
        self.given_up = 0

    def handle(self, ask: Ask) -> Reply | Work:
        match ask:
            case RebuildView():
                return self.work()
            case PauseView():
                return self.fail()
            case _:
                return Done()

    async def work(self) -> Reply:
        self.begun += 1
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        return Begun(self.begun)

    async def fail(self) -> Reply:
        raise RuntimeError("a bug")


async def ask(connection: Connection, request: Ask) -> Reply:
    return decode_reply((await connection.request(SUBJECT, encode(request), 5.0)).data)


REBUILD = RebuildView(context="c", view="v")


async def test_what_takes_time_holds_up_no_other_answer(connection: Connection) -> None:
    slow = Slow()
    responder = Responder(connection, (SUBJECT,), slow.handle)
    await responder.start()
    first = asyncio.ensure_future(ask(connection, REBUILD))
    assert await ask(connection, Status()) == Done()
    assert await ask(connection, PauseView(context="c", view="v", paused=True)) == Failed(
        "it failed: RuntimeError: a bug"
    )
    assert not first.done()
    slow.gate.set()
    assert await first == Begun(1)
    await responder.stop()


async def test_only_so_much_is_worked_on_at_once_and_facts_are_told_all_the_same(
    connection: Connection,
) -> None:
    slow = Slow()
    responder = Responder(connection, (SUBJECT,), slow.handle)
    await responder.start()
    asks = [asyncio.ensure_future(ask(connection, REBUILD)) for _ in range(WORKS + 1)]
    done, going = await asyncio.wait(asks, timeout=5.0, return_when=asyncio.FIRST_COMPLETED)
    assert [task.result() for task in done] == [
        Failed(f"{WORKS} requests are being worked on, ask again later")
    ]
    assert await ask(connection, LookAtViews(context="c")) == Done()
    slow.gate.set()
    assert {type(await task) for task in going} == {Begun}
    assert slow.begun == WORKS
    await responder.stop()


async def test_what_takes_too_long_is_given_up_and_told(connection: Connection) -> None:
    slow = Slow()
    responder = Responder(connection, (SUBJECT,), slow.handle, seconds=0.05)
    await responder.start()
    assert await ask(connection, REBUILD) == Failed("it was not done within 0.05 s, and may yet be")
    assert slow.given_up == 1
    await responder.stop()


async def test_the_end_gives_up_what_is_being_done(connection: Connection) -> None:
    slow = Slow()
    responder = Responder(connection, (SUBJECT,), slow.handle)
    await responder.start()
    waiting = asyncio.ensure_future(ask(connection, REBUILD))
    async with asyncio.timeout(5.0):
        while not slow.begun:
            await asyncio.sleep(0.005)
    await responder.stop()
    assert slow.given_up == 1
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
