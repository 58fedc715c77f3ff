"""Connections at the moment when a gateway stops listening."""

import socket

import pytest

from actors.settings import GatewaySettings
from gateway.server import Gateway

REQUEST = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


async def test_what_the_kernel_accepted_before_the_stop_is_answered_and_nothing_after() -> None:
    gateway = Gateway(GatewaySettings(bind="127.0.0.1:0"), {}, dict)
    gateway.start()
    port = gateway.port
    # Nothing is awaited until the stop, so none of these has been accepted by the loop when it begins.
    clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
    for client in clients[:19]:
        client.sendall(REQUEST)
    await gateway.stop(10.0)
    for client in clients[:19]:
        answer = client.recv(4096)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"Connection: close" in answer
    for client in clients:
        assert client.recv(1) == b""
        client.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


async def test_a_connection_made_just_before_the_stop_may_still_send_its_request() -> None:
    gateway = Gateway(GatewaySettings(bind="127.0.0.1:0"), {}, dict)
    gateway.start()
    with socket.create_connection(("127.0.0.1", gateway.port)) as client:
        client.sendall(REQUEST[:1])
        gateway.drain()
        client.sendall(REQUEST[1:])
        await gateway.stop(10.0)
        assert client.recv(4096).startswith(b"HTTP/1.1 200 ")
