"""The guards of a connection: deadlines, limits, and an orderly end (cases 27, 28 and 30)."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.gateway.serving import Client, Served, request, serving, until

BOARD = "/notes/boards/b1"
NOTE = {"note": "n1", "text": "x"}


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with serving() as served:
        yield served


async def drip(client: Client, data: bytes) -> None:
    """Send byte by byte until the server has had enough."""
    try:
        for at in range(len(data)):
            await client.send(data[at : at + 1])
            await asyncio.sleep(0.02)
    except ConnectionError:
        pass


class TestDeadlines:
    async def test_dripping_headers_do_not_extend_their_deadline(self) -> None:
        async with serving(gateway={"header_seconds": 0.3}) as served:
            client = await served.connect()
            dripping = asyncio.create_task(drip(client, b"GET / HTTP/1.1\r\nHost: t\r\nX: " + b"x" * 10_000))
            reply = await client.read()
            assert (reply.status, reply.problem) == (408, "request-timeout")
            assert reply.headers["connection"] == "close"
            assert await client.ended() == b""
            dripping.cancel()

    async def test_a_dripping_body_does_not_extend_its_deadline(self) -> None:
        async with serving(gateway={"body_seconds": 0.3}) as served:
            client = await served.connect()
            await client.send(request("POST", BOARD, {"title": "a" * 15})[:-10])
            dripping = asyncio.create_task(drip(client, b"a" * 5))
            reply = await client.read()
            assert (reply.status, reply.problem) == (408, "request-timeout")
            assert await client.ended() == b""
            dripping.cancel()

    async def test_a_chunked_body_that_drips_ends_too(self) -> None:
        async with serving(gateway={"body_seconds": 0.3}) as served:
            client = await served.connect()
            await client.send(
                b"POST %s HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n" % BOARD.encode()
            )
            dripping = asyncio.create_task(drip(client, b"1\r\n \r\n" * 1000))
            assert (await client.read()).problem == "request-timeout"
            dripping.cancel()

    async def test_real_clients_are_served_beside_drippers_and_every_socket_is_freed(self) -> None:
        async with serving(gateway={"header_seconds": 0.5, "body_seconds": 0.5}) as served:
            drippers = [await served.connect() for _ in range(100)]
            for number, client in enumerate(drippers):
                whole = request("POST", BOARD, {"title": "a" * 15})
                await client.send(whole[:40] if number % 2 else whole[:-10])
            for number in range(20):
                path = f"/notes/boards/real{number}"
                assert (await served.request("POST", path, {"title": "a"})).status == 201
            for client in drippers:
                assert (await client.read()).status == 408
                client.close()
            await until(lambda: not served.gateway.connections)

    async def test_an_idle_connection_is_closed(self) -> None:
        async with serving(gateway={"idle_seconds": 0.2}) as served:
            client = await served.connect()
            assert (await client.request("GET", "/healthz")).status == 200
            assert await client.ended() == b""

    async def test_a_connection_that_never_speaks_is_closed(self) -> None:
        async with serving(gateway={"header_seconds": 0.2}) as served:
            assert await (await served.connect()).ended() == b""

    async def test_a_client_that_does_not_read_is_cut_off(self) -> None:
        async with serving(gateway={"body_seconds": 0.3}) as served:
            client = await served.connect()
            client.writer.transport.pause_reading()  # type: ignore[attr-defined]
            one = request("GET", "/docs/swagger-ui-bundle.js")
            client.writer.write(one * 30)
            await until(lambda: served.gateway.connections)
            await until(lambda: not served.gateway.connections)

    async def test_a_client_that_reads_slowly_is_not_cut_off(self) -> None:
        async with serving(gateway={"body_seconds": 0.3}) as served:
            client = await served.connect()
            await client.send(request("GET", "/docs/swagger-ui-bundle.js"))
            head = await client.reader.readuntil(b"\r\n\r\n")
            size = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
            while size > 0:
                size -= len(await client.reader.read(100_000))
                await asyncio.sleep(0.06)
            assert size == 0


class TestLimits:
    async def test_a_declared_body_over_the_limit_is_refused_unread(self) -> None:
        async with serving(gateway={"body_bytes": 1000}) as served:
            client = await served.connect()
            await client.send(request("POST", BOARD, raw=b" " * 1001, Content_Type="application/json")[:-500])
            reply = await client.read()
            assert (reply.status, reply.problem) == (413, "body-too-large")
            assert reply.headers["connection"] == "close"
            assert await client.ended() == b""

    async def test_a_body_at_the_limit_is_taken(self) -> None:
        async with serving(gateway={"body_bytes": 1000}) as served:
            raw = b'{"title":"a"}'.ljust(1000)
            assert (
                await served.request("POST", BOARD, raw=raw, Content_Type="application/json")
            ).status == 201

    async def test_a_chunked_body_over_the_limit_is_refused_where_it_passes_it(self) -> None:
        async with serving(gateway={"body_bytes": 1000}) as served:
            client = await served.connect()
            await client.send(
                b"POST %s HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n" % BOARD.encode()
            )
            await client.send((b"64\r\n" + b" " * 100 + b"\r\n") * 11)
            assert (await client.read()).problem == "body-too-large"

    async def test_a_body_in_one_byte_chunks_is_taken(self, served: Served) -> None:
        client = await served.connect()
        body = b'{"title":"a"}'.ljust(20_000)
        await client.send(
            b"POST %s HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n" % BOARD.encode()
        )
        await client.send(b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n")
        assert (await client.read()).status == 201

    @pytest.mark.parametrize("lines", [1, 200])
    async def test_headers_over_the_limit_are_refused(self, served: Served, lines: int) -> None:
        client = await served.connect()
        header = b"".join(b"X-%d: %s\r\n" % (n, b"x" * (20_000 // lines)) for n in range(lines))
        await client.send(b"GET / HTTP/1.1\r\nHost: t\r\n" + header + b"\r\n")
        reply = await client.read()
        assert reply.problem in ("headers-too-large", "malformed-request")
        assert await client.ended() == b""

    async def test_headers_without_an_end_are_refused(self, served: Served) -> None:
        client = await served.connect()
        for number in range(20):
            await client.send(
                b"GET / HTTP/1.1\r\nHost: t\r\n" if not number else b"X: %s\r\n" % (b"x" * 1000)
            )
        assert (await client.read()).problem == "headers-too-large"

    async def test_a_connection_over_the_cap_is_closed_at_once(self) -> None:
        async with serving(gateway={"connections": 2}) as served:
            kept = [await served.connect() for _ in range(2)]
            for client in kept:
                assert (await client.request("GET", "/healthz")).status == 200
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await (await served.connect()).request("GET", "/healthz")
            kept.pop().close()
            await until(lambda: served.gateway.connections == 1)
            assert (await served.request("GET", "/healthz")).status == 200

    async def test_who_expects_a_continue_gets_one_before_the_body(self, served: Served) -> None:
        client = await served.connect()
        head, body = request("POST", BOARD, {"title": "a"}, Expect="100-continue").split(b"\r\n\r\n")
        await client.send(head + b"\r\n\r\n")
        assert (await client.read()).status == 100
        await client.send(body)
        assert (await client.read()).status == 201

    async def test_another_expectation_fails(self, served: Served) -> None:
        client = await served.connect()
        await client.send(request("POST", BOARD, {"title": "a"}, Expect="gold")[:-5])
        assert (await client.read()).problem == "expectation-failed"


class TestMalformed:
    @pytest.mark.parametrize(
        "data",
        [
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            b"NONSENSE\r\n\r\n",
            b"GET / HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: t\r\nContent-Length: x\r\n\r\n",
            b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: t\r\nBad Header\r\n\r\n",
            b"POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        ],
    )
    async def test_what_is_no_http_is_answered_with_a_problem_and_an_end(
        self, served: Served, data: bytes
    ) -> None:
        client = await served.connect()
        await client.send(data)
        reply = await client.read()
        assert (reply.status, reply.problem) == (400, "malformed-request")
        assert reply.headers["connection"] == "close"
        assert b"Traceback" not in reply.body
        assert await client.ended() == b""

    async def test_an_upgrade_is_answered_plainly_and_ends_the_connection(self, served: Served) -> None:
        client = await served.connect()
        reply = await client.request("GET", "/healthz", Connection="Upgrade", Upgrade="websocket")
        assert (reply.status, reply.headers["connection"]) == (200, "close")
        assert await client.ended() == b""


class TestPipelining:
    async def test_answers_come_in_the_order_of_the_requests(self, served: Served) -> None:
        client = await served.connect()
        requests = [request("POST", BOARD, {"title": "a"})]
        requests += [request("POST", f"{BOARD}/notes", {"note": f"n{n}", "text": "x"}) for n in range(99)]
        await client.send(b"".join(requests))
        replies = [await client.read() for _ in requests]
        assert [reply.json["version"] for reply in replies] == list(range(1, 101))

    async def test_a_malformed_request_is_answered_after_those_before_it(self, served: Served) -> None:
        client = await served.connect()
        served.journal.hold()
        await client.send(request("POST", BOARD, {"title": "a"}))
        await until(lambda: served.journal.held)
        await client.send(b"NONSENSE\r\n\r\n")
        served.journal.let_go()
        assert ((await client.read()).status, (await client.read()).status) == (201, 400)

    async def test_a_request_split_anywhere_is_understood(self, served: Served) -> None:
        client = await served.connect()
        data = request("POST", f"{BOARD}/notes", NOTE)
        for at in range(1, len(data)):
            await client.send(data[:at])
            await asyncio.sleep(0)
            await client.send(data[at:])
            assert (await client.read()).problem == "not-started"

    async def test_http_1_0_is_closed_unless_it_asks_to_be_kept(self, served: Served) -> None:
        client = await served.connect()
        await client.send(b"GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert (await client.read()).headers["connection"] == "keep-alive"
        await client.send(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert (await client.read()).headers["connection"] == "close"
        assert await client.ended() == b""

    async def test_a_client_that_has_sent_all_may_still_read(self, served: Served) -> None:
        client = await served.connect()
        await client.send(request("POST", BOARD, {"title": "a"}))
        client.writer.write_eof()
        assert (await client.read()).status == 201
        assert await client.ended() == b""


class TestDisconnects:
    async def test_aborted_commands_are_whole_or_not_there_and_the_server_is_well(
        self, served: Served
    ) -> None:
        """Case 28."""
        await served.request("POST", BOARD, {"title": "a"})
        for number in range(200):
            client = await served.connect()
            note = {"note": f"n{number}", "text": "x"}
            await client.send(request("POST", f"{BOARD}/notes", note, Idempotency_Key=f"k{number}"))
            if number % 3 == 1:
                await asyncio.sleep(0)
            elif number % 3 == 2:
                await asyncio.sleep(0.001)
            client.writer.transport.abort()
        for number in range(200):
            note = {"note": f"n{number}", "text": "x"}
            reply = await served.request("POST", f"{BOARD}/notes", note, Idempotency_Key=f"k{number}")
            assert reply.status == 201
        state = (await served.request("GET", BOARD)).json
        assert (state["version"], len(state["state"]["notes"])) == (201, 200)
        await until(lambda: served.gateway.in_flight == 0)


class TestStopping:
    async def test_running_requests_finish_idle_connections_end_and_new_ones_are_refused(self) -> None:
        """Case 27."""
        async with serving() as served:
            idle = [await served.connect() for _ in range(20)]
            await until(lambda: served.gateway.connections == 20)
            served.journal.hold()
            running = [await served.connect() for _ in range(20)]
            for number, client in enumerate(running):
                await client.send(request("POST", f"/notes/boards/b{number}", {"title": "a"}))
            await until(lambda: served.gateway.in_flight == 20)
            served.gateway.drain()
            for client in idle:
                assert await client.ended() == b""
            with pytest.raises(ConnectionError):
                await served.connect()
            stopping = asyncio.create_task(served.gateway.stop(5.0))
            served.journal.let_go()
            for client in running:
                reply = await client.read()
                assert (reply.status, reply.headers["connection"]) == (201, "close")
                assert await client.ended() == b""
                client.close()
            await asyncio.wait_for(stopping, 5)

    async def test_a_connection_used_a_moment_ago_may_send_what_it_had_begun(self) -> None:
        async with serving() as served:
            client = await served.connect()
            assert (await client.request("GET", "/healthz")).status == 200
            served.gateway.drain()
            reply = await client.request("GET", "/readyz")
            assert (reply.status, reply.problem, reply.headers["connection"]) == (503, "not-ready", "close")

    async def test_under_load_no_request_is_lost_and_no_connection_reset(self) -> None:
        async with serving() as served:
            answered = 0

            async def keep_asking(pause: float) -> str:
                """Until the server says that it closes, or refuses; anything else is raised."""
                nonlocal answered
                while True:
                    try:
                        client = await served.connect()
                    except ConnectionRefusedError:
                        return "refused"
                    while (await client.request("GET", "/healthz")).headers.get("connection") != "close":
                        answered += 1
                        await asyncio.sleep(pause)

            asking = [asyncio.create_task(keep_asking(0.003 * number)) for number in range(16)]
            await until(lambda: answered > 200)
            await served.gateway.stop(5.0)
            assert await asyncio.gather(*asking) == ["refused"] * 16

    async def test_what_outlasts_the_grace_is_cut_off(self) -> None:
        async with serving() as served:
            client = await served.connect()
            served.journal.hold()
            await client.send(request("POST", BOARD, {"title": "a"}))
            await until(lambda: served.gateway.in_flight)
            await asyncio.wait_for(served.gateway.stop(0.1), 5)
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await client.read()

    async def test_stopping_an_unused_gateway_takes_no_time(self) -> None:
        async with serving() as served:
            await asyncio.wait_for(served.gateway.stop(60.0), 1)
