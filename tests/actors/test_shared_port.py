"""The port is shared with this node's workers, and with nobody else."""

import socket
from contextlib import ExitStack

import pytest

from actors.address import Address, parse
from actors.shared_port import PortUnavailable, SharedPort


def sharing(address: Address) -> socket.socket:
    """A worker's listening socket."""
    worker = socket.socket()
    worker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    worker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    worker.bind(tuple(address))
    worker.listen(64)
    return worker


def test_workers_share_the_port_and_get_every_connection() -> None:
    with SharedPort(parse("127.0.0.1:0")) as port, ExitStack() as stack:
        assert port.address.port > 0
        workers = [stack.enter_context(sharing(port.address)) for _ in range(3)]
        for _ in range(30):
            stack.enter_context(socket.create_connection(port.address, timeout=5))
        accepted = 0
        for worker in workers:
            worker.setblocking(False)
            try:
                while True:
                    stack.enter_context(worker.accept()[0])
                    accepted += 1
            except BlockingIOError:
                continue
        assert accepted == 30


def test_a_port_that_a_stranger_would_share_is_refused() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = Address(*probe.getsockname())
    with sharing(address), pytest.raises(PortUnavailable, match=f"{address} is taken by another process"):
        SharedPort(address)


def test_a_port_is_held_while_no_worker_listens() -> None:
    with (
        SharedPort(parse("127.0.0.1:0")) as port,
        pytest.raises(PortUnavailable, match="is taken by another process"),
    ):
        SharedPort(port.address)


def test_a_port_is_free_again_though_its_connections_still_close() -> None:
    with SharedPort(parse("127.0.0.1:0")) as port, sharing(port.address) as worker:
        client = socket.create_connection(port.address)
        accepted, _ = worker.accept()
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
