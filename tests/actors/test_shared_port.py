"""The port is for this node's workers, and for nobody else."""

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


def worker(port: SharedPort, slot: int = 0) -> socket.socket:
    """What a worker makes of the descriptor that it inherits."""
    (inherited,) = port.sockets(slot)
    listening = inherited.dup()
    listening.listen(64)
    return listening


def accepted(stack: ExitStack, listening: socket.socket) -> list[socket.socket]:
    """All connections that wait."""
    listening.setblocking(False)
    found: list[socket.socket] = []
    while True:
        try:
            found.append(stack.enter_context(listening.accept()[0]))
        except BlockingIOError:
            return found


def test_slots_share_the_port_and_get_every_connection() -> None:
    with SharedPort(parse("127.0.0.1:0")) as port, ExitStack() as stack:
        assert port.address.port > 0
        workers = [stack.enter_context(worker(port, slot)) for slot in range(3)]
        for _ in range(30):
            stack.enter_context(socket.create_connection(port.address, timeout=5))
        assert sum(len(accepted(stack, each)) for each in workers) == 30


def test_a_connection_that_a_worker_leaves_behind_is_taken_by_its_successor() -> None:
    with SharedPort(parse("127.0.0.1:0")) as port, ExitStack() as stack:
        leaving = worker(port)
        clients = [stack.enter_context(socket.create_connection(port.address, timeout=5)) for _ in range(30)]
        leaving.close()
        for client in clients:
            client.sendall(b"x")
        successor = stack.enter_context(worker(port))
        assert [each.recv(1) for each in accepted(stack, successor)] == [b"x"] * 30


def test_a_slot_that_is_dropped_gets_no_connection_any_more() -> None:
    with SharedPort(parse("127.0.0.1:0")) as port, ExitStack() as stack:
        staying = stack.enter_context(worker(port, 0))
        worker(port, 1).close()
        port.drop(1)
        for _ in range(30):
            stack.enter_context(socket.create_connection(port.address, timeout=5))
        assert len(accepted(stack, staying)) == 30


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
        taken, _ = listening.accept()
        taken.close()
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
