"""The port is for this node's workers, and for nobody else."""

import os
import socket
from contextlib import ExitStack

import pytest

from actors.address import Address, parse
from actors.shared_port import PortUnavailable, SharedPort


def stranger(address: Address) -> socket.socket:
    """Another process's listening socket, which would share its port."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listening.bind(tuple(address))
    listening.listen(64)
    return listening


def worker(port: SharedPort) -> socket.socket:
    """What a worker makes of the descriptor that it inherits."""
    (descriptor,) = port.descriptors
    listening = socket.socket(fileno=os.dup(descriptor))
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.listen(64)
    return listening


def test_a_connection_that_one_worker_leaves_behind_is_taken_by_another() -> None:
    with SharedPort(parse("127.0.0.1:0")) as port, ExitStack() as stack:
        assert port.address.port > 0
        leaving, staying = worker(port), stack.enter_context(worker(port))
        clients = [stack.enter_context(socket.create_connection(port.address, timeout=5)) for _ in range(30)]
        leaving.close()
        for client in clients:
            client.sendall(b"x")
        accepted = [stack.enter_context(staying.accept()[0]) for _ in clients]
        assert [each.recv(1) for each in accepted] == [b"x"] * 30


def test_nobody_is_let_in_before_a_worker_listens() -> None:
    with SharedPort(parse("127.0.0.1:0")) as port, pytest.raises(ConnectionRefusedError):
        socket.create_connection(port.address, timeout=5)


def test_a_port_that_a_stranger_would_share_is_refused() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = Address(*probe.getsockname())
    with stranger(address), pytest.raises(PortUnavailable, match=f"{address} is taken by another process"):
        SharedPort(address)


def test_a_port_is_held_while_no_worker_listens() -> None:
    with (
        SharedPort(parse("127.0.0.1:0")) as port,
        pytest.raises(PortUnavailable, match="is taken by another process"),
    ):
        SharedPort(port.address)


def test_a_port_is_free_again_though_its_connections_still_close() -> None:
    with SharedPort(parse("127.0.0.1:0")) as port, worker(port) as listening:
        client = socket.create_connection(port.address)
        accepted, _ = listening.accept()
        accepted.close()
        assert client.recv(1) == b""
        client.close()
    with SharedPort(port.address) as again:
        assert again.address == port.address


def test_a_name_gets_the_same_port_for_all_its_addresses() -> None:
    with SharedPort(parse("localhost:0")) as port:
        assert port.address.host == "localhost"
        assert port.address.port > 0


@pytest.mark.parametrize("bind", ["[::1%lo:0]:0", "192.0.2.1:80"])
def test_an_address_that_is_not_ours_is_told_in_a_line(bind: str) -> None:
    with pytest.raises(PortUnavailable, match=r"^gateway\.bind: cannot listen at "):
        SharedPort(parse(bind))
