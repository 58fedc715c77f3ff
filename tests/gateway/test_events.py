"""Following over real sockets: resumed without gap or repeat, bounded, and ended in order."""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from contexts.vocabulary import ANONYMOUS, Principal
from gateway import events
from tests.gateway import library
from tests.gateway.serving import Client, Reply, Served, request, serving, until

CARD = {"title": "Emma", "author": "austen"}
PATIENCE = 5.0


class Stream:
    """One who follows."""

    def __init__(self, client: Client, reply: Reply) -> None:
        self.client = client
        self.reply = reply

    async def chunk(self) -> bytes:
        """The next chunk (RFC 9112, section 7.1); empty at the end."""
        reader = self.client.reader
        async with asyncio.timeout(PATIENCE):
            size = int(await reader.readline(), 16)
            data = await reader.readexactly(size)
            assert await reader.readexactly(2) == b"\r\n"
            return data

    async def message(self) -> dict[str, str]:
        """The next message that is no comment and no retry."""
        while True:
            text = (await self.chunk()).decode()
            assert text.endswith("\n\n")
            fields = dict(line.split(": ", 1) for line in text[:-2].split("\n") if ": " in line)
            if "data" in fields:
                return fields

    async def messages(self, count: int) -> list[dict[str, str]]:
        return [await self.message() for _ in range(count)]

    async def ended(self) -> bytes:
        """All chunks until the stream's end."""
        found = b""
        while data := await self.chunk():
            found += data
        return found


async def follow(served: Served, path: str, **headers: str) -> Stream:
    client = await served.connect()
    headers.setdefault("Accept", "text/event-stream")
    await client.send(request("GET", path, None, None, **headers))
    return Stream(client, await client.read())


async def put(served: Served, book: str, **card: Any) -> str:
    reply = await served.request("POST", f"/library/books/{book}", {**CARD, **card})
    return str(reply.json["position"])


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with serving(library.context, followed=True) as served:
        yield served


class TestStreams:
    async def test_a_context_is_followed_from_now_on(self, served: Served) -> None:
        await put(served, "b1")
        stream = await follow(served, "/library/events")
        assert stream.reply.status == 200
        assert stream.reply.headers["content-type"] == "text/event-stream"
        assert stream.reply.headers["cache-control"] == "no-cache, no-transform"
        assert stream.reply.headers["transfer-encoding"] == "chunked"
        assert await stream.chunk() == b"retry: 1000\n\n"
        position = await put(served, "b2", title="Persuasion")
        message = await stream.message()
        assert message["event"] == "Shelved"
        told = msgspec.json.decode(message["data"])
        assert (told["id"], told["version"], told["position"]) == ("b2", 1, position)
        assert told["data"]["title"] == "Persuasion"
        assert position.removeprefix("library/") in message["id"]

    async def test_whoever_comes_again_is_sent_what_follows(self, served: Served) -> None:
        stream = await follow(served, "/library/events")
        for number in range(5):
            await put(served, f"b{number}")
        first = await stream.messages(3)
        stream.client.close()
        for number in range(5, 8):
            await put(served, f"b{number}")
        again = await follow(served, "/library/events", Last_Event_ID=first[-1]["id"])
        rest = await again.messages(5)
        ids = [msgspec.json.decode(message["data"])["id"] for message in first + rest]
        assert sorted(ids) == [f"b{number}" for number in range(8)]

    async def test_after_in_the_query_does_as_the_header_does(self, served: Served) -> None:
        await put(served, "b1")
        stream = await follow(served, "/library/events?after=library/")
        assert (await stream.message())["event"] == "Shelved"

    async def test_an_entity_is_followed_where_its_history_is(self, served: Served) -> None:
        first = await put(served, "b1")
        await put(served, "b2")
        second = await put(served, "b1", title="Persuasion")
        stream = await follow(served, "/library/books/b1/events", Last_Event_ID=first)
        message = await stream.message()
        assert message["id"] == second
        third = await put(served, "b1", title="Emma")
        assert (await stream.message())["id"] == third
        pages = await served.request("GET", "/library/books/b1/events")
        assert len(pages.json["events"]) == 3

    async def test_an_entity_that_does_not_exist_is_not_found(self, served: Served) -> None:
        stream = await follow(served, "/library/books/b1/events")
        assert stream.reply.problem == "not-found"

    async def test_a_document_is_followed_at_its_path(self, served: Served) -> None:
        stream = await follow(served, "/library/cards/b1/events")
        await put(served, "b2")
        await put(served, "b1", title="Persuasion")
        message = await stream.message()
        assert message["event"] == "changed"
        told = msgspec.json.decode(message["data"])
        assert (told["key"], told["document"]["title"]) == ("b1", "Persuasion")
        await served.request("POST", "/library/books/b1/discard")
        message = await stream.message()
        assert (message["event"], msgspec.json.decode(message["data"])) == ("removed", {"key": "b1"})

    async def test_a_find_s_documents_are_followed_by_its_path(self, served: Served) -> None:
        stream = await follow(served, "/library/authors/eliot/cards/events")
        await put(served, "b1")
        await put(served, "b2", author="eliot")
        assert msgspec.json.decode((await stream.message())["data"])["key"] == "b2"

    async def test_head_tells_the_head_alone(self, served: Served) -> None:
        client = await served.connect()
        reply = await client.request("HEAD", "/library/events")
        assert (reply.status, reply.headers["content-type"]) == (200, "text/event-stream")
        assert (await client.request("GET", "/library/events", Accept="application/json")).status == 406

    async def test_http_1_0_is_sent_the_bare_messages(self, served: Served) -> None:
        client = await served.connect()
        await client.send(b"GET /library/events HTTP/1.0\r\nHost: a\r\n\r\n")
        assert "transfer-encoding" not in (await client.read()).headers
        await put(served, "b1")
        async with asyncio.timeout(PATIENCE):
            assert await client.reader.readuntil(b"\n\n") == b"retry: 1000\n\n"
            assert b"event: Shelved\n" in await client.reader.readuntil(b"\n\n")


class TestRefusals:
    @pytest.mark.parametrize(
        ("path", "headers", "problem", "told"),
        [
            ("/library/events", {"Last_Event_ID": "x"}, "invalid-header", "Last-Event-ID"),
            ("/library/events", {"Last_Event_ID": "venue/0:1"}, "invalid-header", "Last-Event-ID"),
            ("/library/events", {"Last_Event_ID": "library/0:9"}, "invalid-header", "Last-Event-ID"),
            ("/library/events?after=x", {}, "invalid-query", "after"),
            ("/library/events?after=library/0:9", {}, "invalid-query", "after"),
            ("/library/events?from=library/", {}, "invalid-query", "from"),
            ("/library/events", {"Accept": "application/json"}, "not-acceptable", ""),
            ("/library/cards/b1/events", {"Accept": "application/json"}, "not-acceptable", ""),
        ],
    )
    async def test_what_cannot_be_followed_is_told(
        self, served: Served, path: str, headers: dict[str, str], problem: str, told: str
    ) -> None:
        stream = await follow(served, path, **headers)
        assert stream.reply.problem == problem
        assert told in stream.reply.json.get("detail", "")

    async def test_followers_are_limited(self) -> None:
        async with serving(library.context, followed=True, gateway={"followers": 1}) as served:
            first = await follow(served, "/library/events")
            refused = await follow(served, "/library/events")
            assert (refused.reply.status, refused.reply.problem) == (503, "overloaded")
            assert "retry-after" in refused.reply.headers
            first.client.close()
            await until(lambda: served.followings["library"].followers == 0)
            assert (await follow(served, "/library/events")).reply.status == 200


class TestLife:
    async def test_a_stream_is_no_request_in_flight_and_outlives_deadlines(self) -> None:
        limits = {"in_flight": 1, "deadline": 0.1, "header_seconds": 0.1, "body_seconds": 0.1}
        async with serving(library.context, followed=True, gateway=limits) as served:
            stream = await follow(served, "/library/events")
            assert served.gateway.in_flight == 0
            metrics = await served.request("GET", "/metrics")
            assert b"butai_http_followers 1.0\n" in metrics.body
            other = await served.connect()
            async with asyncio.timeout(PATIENCE):
                # The connection that sends nothing is ended by the same sweeps that look at the stream.
                assert await other.reader.read() == b""
            await put(served, "b1")
            assert (await stream.message())["event"] == "Shelved"

    async def test_silence_is_broken_by_a_comment_with_the_position(self) -> None:
        async with serving(library.context, followed=True, gateway={"heartbeat_seconds": 0.2}) as served:
            position = await put(served, "b1")
            stream = await follow(served, "/library/events")
            assert await stream.chunk() == b"retry: 1000\n\n"
            assert await stream.chunk() == b":\nid: %s\n\n" % position.encode()

    async def test_a_client_that_does_not_read_is_cut_and_others_are_not_held_up(self) -> None:
        async with serving(library.context, followed=True, gateway={"follow_bytes": 65_536}) as served:
            slow = socket.create_connection(("127.0.0.1", served.gateway.port))
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.sendall(request("GET", "/library/events", Accept="text/event-stream"))
            await until(lambda: served.followings["library"].followers == 1)
            quick = await follow(served, "/library/events")
            await quick.chunk()
            sent = 0
            async with asyncio.timeout(60):
                while served.followings["library"].followers == 2:
                    await put(served, f"b{sent}", note="x" * 20_000)
                    await quick.message()
                    sent += 1
            slow.close()
            await put(served, "last")
            assert msgspec.json.decode((await quick.message())["data"])["id"] == "last"

    async def test_a_client_that_hangs_up_is_forgotten(self, served: Served) -> None:
        stream = await follow(served, "/library/cards/b1/events")
        assert served.followings["library"].followers == 1
        stream.client.close()
        await until(lambda: served.followings["library"].followers == 0)

    async def test_a_stopping_server_ends_streams_first(self, served: Served) -> None:
        streams = [await follow(served, path) for path in ("/library/events", "/library/cards/b1/events")]
        loop = asyncio.get_running_loop()
        began = loop.time()
        await served.gateway.stop(PATIENCE)
        assert loop.time() - began < 2
        for stream in streams:
            assert b": the server is stopping\n\n" in await stream.ended()
            assert await stream.client.reader.read() == b""

    async def test_a_long_way_is_caught_up_at_the_client_s_pace(self) -> None:
        async with serving(library.context, followed=True, gateway={"follow_bytes": 65_536}) as served:
            for number in range(1_200):
                await put(served, f"b{number % 7}", note="x" * 500)
            stream = await follow(served, "/library/events?after=library/")
            got = await stream.messages(1_200)
            places = [msgspec.json.decode(message["data"])["position"] for message in got]
            assert len(set(places)) == 1_200


class TestRules:
    async def test_what_a_rule_hides_is_not_sent(
        self, served: Served, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Case 38: nobody is sent what another reader has."""
        seen = {}
        for principal in (ANONYMOUS, Principal("ada"), Principal("eve", frozenset({"staff"}))):
            monkeypatch.setattr(events, "principal", lambda exchange, by=principal: by)
            seen[principal.subject] = await follow(served, "/library/loans/b1/events")
        await put(served, "b1", reader="ada", note="secret")
        await put(served, "b1", reader=None, note="free")
        for subject, expected in (("anonymous", 1), ("ada", 2), ("eve", 2)):
            documents = [
                msgspec.json.decode(message["data"])["document"]
                for message in await seen[subject].messages(expected)
            ]
            assert documents[-1]["reader"] is None
            if subject == "anonymous":
                assert "note" not in documents[0]
            if subject == "eve":
                assert documents[-1]["note"] == "free"


class TestNames:
    async def test_a_thing_called_events_can_still_be_reached(self) -> None:
        async with serving(library.context, followed=True) as served:
            stream = await follow(served, "/library/cards/events")
            position = await put(served, "events")
            assert msgspec.json.decode((await stream.message())["data"])["key"] == "events"
            card = await served.request("GET", "/library/cards/events", Read_After=position)
            assert card.json["book"] == "events"
