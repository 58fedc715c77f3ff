"""Whoever follows is sent everything from a position on, each event once, in the order of its shard."""

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from actors.following.following import Following
from actors.following.port import AheadOfJournal, Followed, TooManyFollowers
from actors.journal.memory import MemoryJournal
from actors.journal.port import JournalUnavailable
from actors.messages import Ask
from actors.positions import parse_position
from actors.region import Region, open_region, shard_of
from actors.settings import Settings
from actors.stage import Stage
from actors.views.conditions import ALWAYS, Compare
from actors.views.memory import MemoryViews
from actors.views.projections import Projections
from contexts.vocabulary import ANONYMOUS
from tests.actors.views.guestbook import Write, manifest

SHARDS = 4


class Plain:
    """Messages that a test can read."""

    def event(self, id: str, event: Followed) -> bytes:
        return f"{id} {event.position} {event.aggregate}/{event.id}@{event.version} {event.type}".encode()

    def changed(self, id: str, key: str, document: bytes) -> bytes:
        return f"{id} {key} ".encode() + document

    def removed(self, id: str, key: str) -> bytes:
        return f"{id} {key} removed".encode()


class Client:
    """Takes so many messages, then no more."""

    def __init__(self, takes: int = 1_000_000) -> None:
        self.messages: list[str] = []
        self.ended = ""
        self._takes = takes

    def send(self, message: bytes) -> bool:
        if len(self.messages) >= self._takes:
            return False
        self.messages.append(message.decode())
        return True

    async def room(self) -> None:
        await asyncio.sleep(0)

    def end(self, why: str) -> None:
        self.ended = why

    @property
    def places(self) -> list[tuple[int, int]]:
        """Which events came, as (shard, sequence)."""
        return [
            next(iter(parse_position(message.split()[1], "guestbook", SHARDS).items()))
            for message in self.messages
        ]

    @property
    def last(self) -> dict[int, int]:
        """The position to come again with."""
        return parse_position(self.messages[-1].split()[0], "guestbook", SHARDS)


class Desk:
    """A region with everything that follows it."""

    def __init__(self) -> None:
        self.journal = MemoryJournal(SHARDS)
        self.stage = Stage()
        self.region: Region
        self.views: Projections
        self.following: Following

    async def open(self, limit: int = 100) -> None:
        loop = asyncio.get_running_loop()
        self.region = await open_region(manifest(), self.journal, self.stage, Settings(), "tester")
        self.views = Projections(self.region, MemoryViews(), Settings().views, loop.time)
        await self.views.open()
        self.following = Following(self.region, self.views, Plain(), limit)
        self.following.open()

    async def close(self) -> None:
        await self.following.close()
        await self.views.close()
        await self.region.close()
        self.stage.shutdown()

    async def write(self, id: str, line: str = "x") -> None:
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[object] = loop.create_future()
        self.region.tell(Ask("book", id, Write(line), loop.time() + 5, answered.set_result, ANONYMOUS))
        await asyncio.wait_for(answered, 5)

    async def heads(self) -> dict[int, int]:
        return await self.journal.heads()


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    desk = Desk()
    await desk.open()
    yield desk
    await desk.close()


async def until(client: Client, count: int) -> None:
    async with asyncio.timeout(5):
        while len(client.messages) < count:
            await asyncio.sleep(0.001)


async def test_from_now_on_only_what_happens_next_is_sent(desk: Desk) -> None:
    await desk.write("a")
    client = Client()
    await desk.following.context(None, client)
    await desk.write("a")
    await until(client, 1)
    shard = shard_of("book", "a", SHARDS)
    assert client.places == [(shard, 2)]
    assert client.messages[0].endswith("book/a@2 Written")


async def test_from_the_beginning_on_everything_is_sent(desk: Desk) -> None:
    for number in range(30):
        await desk.write(f"b{number % 7}")
    client = Client()
    await desk.following.context({}, client)
    await until(client, 30)
    assert client.last == await desk.heads()
    await desk.write("b0")
    await until(client, 31)
    assert len(set(client.places)) == 31


@pytest.mark.parametrize("seed", range(30))
async def test_however_often_a_follower_comes_again_each_event_is_sent_once_in_order(
    desk: Desk, seed: int
) -> None:
    drawn = random.Random(seed)
    got: list[tuple[int, int]] = []
    after: dict[int, int] = {}
    client = Client()
    follower = None
    for _ in range(60):
        for _ in range(drawn.randint(0, 4)):
            await desk.write(f"b{drawn.randint(0, 9)}")
        if follower is None:
            client = Client(drawn.choice([3, 10, 1_000]))
            follower = await desk.following.context(after, client)
        for _ in range(drawn.randint(0, 10)):
            await asyncio.sleep(0)
        if drawn.random() < 0.3:
            follower.close()
        if follower.closed:
            got += client.places
            after = client.last if client.messages else after
            follower = None
    if follower is not None:
        follower.close()
        got += client.places
        after = client.last if client.messages else after
    last = Client()
    await desk.following.context(after, last)
    heads = await desk.heads()
    await until(last, sum(heads.values()) - len(got))
    got += last.places
    for shard, head in heads.items():
        assert [seq for s, seq in got if s == shard] == list(range(1, head + 1))


@pytest.mark.parametrize("seed", range(10))
async def test_an_entity_is_followed_alone(desk: Desk, seed: int) -> None:
    drawn = random.Random(seed)
    shard = shard_of("book", "b1", SHARDS)
    after, got = 0, 0
    for _ in range(10):
        for _ in range(drawn.randint(0, 5)):
            await desk.write(f"b{drawn.randint(0, 2)}")
        client = Client(drawn.choice([2, 1_000]))
        follower = await desk.following.entity("book", "b1", after, client)
        for _ in range(drawn.randint(0, 5)):
            await desk.write(f"b{drawn.randint(0, 2)}")
        follower.close()
        got += len(client.messages)
        after = client.last[shard] if client.messages else after
    client = Client()
    await desk.following.entity("book", "b1", after, client)
    versions = len(await desk.journal.history("book", "b1", 0, 1_000))
    await until(client, versions - got)
    await desk.write("b1")
    await until(client, versions - got + 1)
    assert client.messages[-1].endswith(f"book/b1@{versions + 1} Written")


async def test_documents_come_as_they_are_once_their_event_is_folded(desk: Desk) -> None:
    client = Client()
    await desk.following.documents("pages", ALWAYS, None, lambda document: document, None, client)
    await desk.write("a", "hello")
    await until(client, 1)
    assert '"lines":["hello"]' in client.messages[0]
    await desk.write("a", "tear")
    await until(client, 2)
    assert client.messages[1].endswith("a removed")
    assert client.last == await desk.heads()


async def test_documents_that_do_not_meet_the_condition_are_not_sent(desk: Desk) -> None:
    client = Client()
    mine = Compare("name", "==", "mine")
    await desk.following.documents("pages", mine, None, lambda document: b"masked", None, client)
    for id in ("other", "mine", "other"):
        await desk.write(id, "hello")
    await desk.write("other", "tear")
    await desk.write("mine", "tear")
    await until(client, 2)
    assert [message.split(maxsplit=1)[1] for message in client.messages] == ["mine masked", "mine removed"]


async def test_documents_are_resumed_without_gap_or_repeat(desk: Desk) -> None:
    for number in range(20):
        await desk.write(f"b{number}", "hello")
    first = Client(8)
    await desk.following.documents("pages", ALWAYS, None, lambda document: document, {}, first)
    await until(first, 8)
    second = Client()
    await desk.following.documents("pages", ALWAYS, None, lambda document: document, first.last, second)
    await until(second, 12)
    keys = [message.split()[1] for message in first.messages + second.messages]
    assert sorted(keys) == sorted({f"b{number}" for number in range(20)})


async def test_a_position_ahead_of_the_journal_is_refused(desk: Desk) -> None:
    await desk.write("a")
    with pytest.raises(AheadOfJournal):
        await desk.following.context({shard_of("book", "a", SHARDS): 2}, Client())
    assert desk.following.followers == 0


async def test_followers_are_limited_and_a_place_is_free_again(desk: Desk) -> None:
    await desk.following.close()
    desk.following = Following(desk.region, desk.views, Plain(), 1)
    desk.following.open()
    first = await desk.following.context(None, Client())
    with pytest.raises(TooManyFollowers):
        await desk.following.context(None, Client())
    first.close()
    await desk.following.context(None, Client())


async def test_one_who_takes_nothing_is_given_up_and_others_go_on(desk: Desk) -> None:
    slow, quick = Client(1), Client()
    await desk.following.context(None, slow)
    await desk.following.context(None, quick)
    for _ in range(3):
        await desk.write("a")
    await until(quick, 3)
    assert len(slow.messages) == 1
    assert desk.following.followers == 1


async def test_a_journal_that_fails_for_a_while_loses_nothing(desk: Desk) -> None:
    client = Client()
    await desk.following.context(None, client)
    desk.journal.fail_read(JournalUnavailable("away"))
    await desk.write("a")
    await desk.write("a")
    await until(client, 2)
    assert [seq for _, seq in client.places] == [1, 2]


async def test_at_the_end_all_are_told(desk: Desk) -> None:
    clients = [Client(), Client(), Client()]
    await desk.following.context(None, clients[0])
    await desk.following.context({}, clients[1])
    await desk.following.documents("pages", ALWAYS, None, lambda document: document, {}, clients[2])
    await desk.following.close()
    assert {client.ended for client in clients} == {"the worker is shutting down"}
    assert desk.following.followers == 0
