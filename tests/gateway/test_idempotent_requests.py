"""Case 32: the key alone must not select the answer."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from contexts.vocabulary import Principal
from gateway import commands
from tests.gateway.serving import Served, request, serving, until

BOARD = "/notes/boards/b1"
NOTE = {"note": "n1", "text": "x"}


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with serving() as served:
        await served.request("POST", BOARD, {"title": "plans"})
        yield served


async def version(served: Served) -> int:
    return int((await served.request("GET", BOARD)).json["version"])


async def test_a_retry_gets_the_first_answer_again(served: Served) -> None:
    first = await served.request("POST", f"{BOARD}/notes", NOTE, Idempotency_Key='"k"')
    again = await served.request("POST", f"{BOARD}/notes", NOTE, Idempotency_Key='"k"')
    assert (first.status, first.body) == (again.status, again.body)
    assert first.headers["location"] == again.headers["location"]
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert await version(served) == 2


async def test_quotes_do_not_make_another_key(served: Served) -> None:
    await served.request("POST", f"{BOARD}/notes", NOTE, Idempotency_Key="k")
    again = await served.request("POST", f"{BOARD}/notes", NOTE, Idempotency_Key='"k"')
    assert again.headers["idempotency-replayed"] == "true"


async def test_white_space_and_order_do_not_make_another_payload(served: Served) -> None:
    await served.request("POST", f"{BOARD}/notes", NOTE, Idempotency_Key="k")
    raw = b'{ "text": "x",\n "note": "n1", "weight": 1 }'
    how = {"Content_Type": "application/json", "Idempotency_Key": "k"}
    again = await served.request("POST", f"{BOARD}/notes", raw=raw, **how)
    assert again.headers["idempotency-replayed"] == "true"


async def test_another_payload_under_the_same_key_is_refused(served: Served) -> None:
    await served.request("POST", f"{BOARD}/notes", NOTE, Idempotency_Key="k")
    other = await served.request("POST", f"{BOARD}/notes", {**NOTE, "text": "y"}, Idempotency_Key="k")
    assert (other.status, other.problem) == (422, "idempotency-key-reused")
    assert await version(served) == 2


async def test_the_same_key_on_another_path_is_another_key(served: Served) -> None:
    await served.request("POST", "/notes/boards/b2", {"title": "plans"})
    for path in (f"{BOARD}/notes", "/notes/boards/b2/notes"):
        reply = await served.request("POST", path, NOTE, Idempotency_Key="k")
        assert (reply.status, "idempotency-replayed" in reply.headers) == (201, False)


async def test_the_same_key_of_another_user_is_another_key(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    for subject, note in (("ada", "n1"), ("bob", "n2")):
        monkeypatch.setattr(commands, "principal", lambda exchange, s=subject: Principal(s))
        reply = await served.request("POST", f"{BOARD}/notes", {**NOTE, "note": note}, Idempotency_Key="k")
        assert reply.status == 201
        assert reply.json["events"][0]["data"]["by"] == subject


async def test_ten_in_parallel_have_one_effect_and_one_answer(served: Served) -> None:
    served.journal.hold()
    clients = [await served.connect() for _ in range(10)]
    for client in clients:
        await client.send(request("POST", f"{BOARD}/notes", NOTE, Idempotency_Key="k"))
    await until(lambda: served.journal.held)
    served.journal.let_go()
    replies = await asyncio.gather(*(client.read() for client in clients))
    assert {(reply.status, reply.body) for reply in replies} == {(201, replies[0].body)}
    assert await version(served) == 2


@pytest.mark.parametrize("key", ["", '""', '"a', "a b", "a,b", "é", "x" * 256, '"a\\b"'])
async def test_what_is_no_key_is_a_bad_request(served: Served, key: str) -> None:
    reply = await served.request("POST", f"{BOARD}/notes", NOTE, Idempotency_Key=key)
    assert (reply.status, reply.problem) == (400, "invalid-header")


async def test_a_repeated_key_header_is_a_bad_request(served: Served) -> None:
    client = await served.connect()
    data = request("POST", f"{BOARD}/notes", NOTE, Idempotency_Key="a")
    await client.send(data.replace(b"Host: test", b"Host: test\r\nIdempotency-Key: b"))
    assert (await client.read()).problem == "invalid-header"
