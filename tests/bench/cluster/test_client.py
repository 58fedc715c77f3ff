"""What the client understands of an answer."""

import asyncio

import pytest

from bench.cluster.client import FAILURES, Client, parse_head


@pytest.mark.parametrize(
    ("head", "found"),
    [
        (b"HTTP/1.1 201 Created\r\nContent-Length: 12\r\n\r\n", (201, 12, True)),
        (
            b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\ncontent-length:0\r\n\r\n",
            (503, 0, False),
        ),
        (b'HTTP/1.1 204 No Content\r\nETag: "a:b"\r\n\r\n', (204, 0, True)),
    ],
)
def test_an_answer_is_status_length_and_whether_the_connection_stays(
    head: bytes, found: tuple[int, int, bool]
) -> None:
    assert parse_head(head) == found


def test_what_is_no_answer_is_a_failure() -> None:
    with pytest.raises(EOFError):
        parse_head(b"\r\n\r\n")


async def test_a_client_keeps_its_connection_and_makes_a_new_one_after_a_failure() -> None:
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        requests = 0
        while requests < 2:
            await reader.readuntil(b"\r\n\r\n{}")
            requests += 1
            writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    client = Client(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    try:
        assert [await client.post("/", b"{}", 5.0) for _ in range(2)] == [201, 201]
        assert connections == 1
        with pytest.raises(FAILURES):
            await client.post("/", b"{}", 5.0)
        assert await client.post("/", b"{}", 5.0) == 201
        assert connections == 2
    finally:
        client.close()
        server.close()
