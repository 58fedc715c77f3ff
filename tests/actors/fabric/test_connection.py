import asyncio
import contextlib
import logging
import os
import signal
from pathlib import Path

import pytest

from actors.fabric import connection as module
from actors.fabric.connection import Access, Msg, Unreachable, connect
from actors.fabric.server import EmbeddedServer
from tests.actors.fabric.conftest import Connect
from tests.actors.fabric.waiting import until


async def test_messages_arrive_in_order(connecting: Connect) -> None:
    one, other = await connecting("w1"), await connecting("w2")
    heard: list[bytes] = []

    async def hear(message: Msg) -> None:
        heard.append(message.data)

    await other.subscribe("to.other", hear)
    for number in range(500):
        one.publish("to.other", b"%d" % number)
    await until(lambda: len(heard) == 500)
    assert heard == [b"%d" % number for number in range(500)]


async def test_the_server_knows_a_subscription_when_it_was_made(connecting: Connect) -> None:
    one, other = await connecting("w1"), await connecting("w2")

    async def hear(message: Msg) -> None:
        other.publish(message.reply, b"here")

    for number in range(30):
        await other.subscribe(f"to.other.{number}", hear)
        assert (await one.request(f"to.other.{number}", b"", 5.0)).data == b"here"


async def test_a_handler_that_fails_does_not_end_its_subscription(
    connecting: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    one = await connecting("w1")
    heard: list[bytes] = []

    async def hear(message: Msg) -> None:
        if message.data == b"bad":
            raise RuntimeError("a bug")
        heard.append(message.data)

    subscription = await one.subscribe("greetings", hear)
    one.publish("greetings", b"bad")
    one.publish("greetings", b"good")
    await until(lambda: heard == [b"good"])
    assert "could not be handled" in caplog.text
    await subscription.unsubscribe()
    one.publish("greetings", b"unheard")
    await one.settle()
    assert heard == [b"good"]


async def test_while_the_link_is_down_everything_is_refused_at_once_and_nothing_is_kept(
    connecting: Connect, server: EmbeddedServer
) -> None:
    one = await connecting("w1")
    changes: list[bool] = []
    one.on_change.append(changes.append)
    since = one.since
    await server.stop()
    await until(lambda: not one.connected)
    assert changes == [False]
    assert one.since > since
    with pytest.raises(Unreachable):
        one.publish("greetings", b"")
    with pytest.raises(Unreachable):
        await one.request("greetings", b"", 1.0)
    assert one.refused == 1


async def test_a_client_that_closed_for_good_is_replaced_with_its_subscriptions(connecting: Connect) -> None:
    one = await connecting("w1")
    heard: list[bytes] = []

    async def hear(message: Msg) -> None:
        heard.append(message.data)

    await one.subscribe("greetings", hear)
    first = one.client
    # What nats-py does when the server reports an error that it takes for final.
    await first.close()
    await until(lambda: one.connected)
    assert one.client is not first
    one.publish("greetings", b"hello")
    await until(lambda: heard == [b"hello"])


async def test_what_waits_for_a_server_that_reads_nothing_is_bounded(
    connecting: Connect, server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PENDING", 1_000_000)
    one = await connecting("w1")
    assert server.pid is not None
    os.kill(server.pid, signal.SIGSTOP)
    try:
        # Ours is a megabyte; the sockets take some more.
        sent = 0
        while one.refused == 0 and sent < 200:
            with contextlib.suppress(Unreachable):
                one.publish("greetings", b"x" * 100_000)
            sent += 1
            await asyncio.sleep(0)
        assert sent < 200
        assert one.connected
    finally:
        os.kill(server.pid, signal.SIGCONT)


async def test_a_server_that_is_not_there_is_told_within_the_deadline_and_without_secrets() -> None:
    url = "nats://token-in-url@127.0.0.1:1"
    with pytest.raises(Unreachable, match=r"nats://127\.0\.0\.1:1: ") as failed:
        await connect(Access(urls=(url,)), "w1", deadline=0.3)
    assert "token-in-url" not in str(failed.value)


async def test_the_log_names_no_secret(server: EmbeddedServer, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        url = server.urls[0].replace("nats://", f"nats://{server.token}@")
        connection = await connect(Access(urls=(url,)), "w1")
        await connection.close()
    fields = [str(getattr(record, "fields", "")) + record.getMessage() for record in caplog.records]
    assert any("connected to the bus" in line for line in fields)
    assert not any(server.token in line for line in fields)


@pytest.mark.parametrize("files", [{"credentials": "missing"}, {"ca": "missing"}, {"certificate": "missing"}])
async def test_files_that_cannot_be_used_are_named_in_a_line(files: dict[str, str], tmp_path: Path) -> None:
    missing = {key: str(tmp_path / name) for key, name in files.items()}
    with pytest.raises(Unreachable) as failed:
        await connect(Access(urls=("tls://127.0.0.1:1",), **missing), "w1", deadline=0.3)
    assert "\n" not in str(failed.value)
