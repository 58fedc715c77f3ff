"""The end of a node: nobody who was being served is let down, and nothing is left behind."""

import json
import os
import signal
import socket
import threading
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from tests.gateway.running import SPACE, Running, alive, eventually, running

CLIENTS = 16


@dataclass
class Client:
    """Sends commands on one kept connection until it is told that the connection ends."""

    number: int
    acknowledged: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def run(self, node: Running) -> None:
        while self._converse(node):
            pass

    def _converse(self, node: Running) -> bool:
        """One connection; False when the server takes no more."""
        connection = HTTPConnection(node.host, node.port, timeout=20)
        try:
            connection.connect()
        except ConnectionRefusedError:
            return False
        try:
            while not self._send(connection):
                pass
        except (OSError, HTTPException) as error:
            self.failures.append(repr(error))
            return False
        finally:
            connection.close()
        return True

    def _send(self, connection: HTTPConnection) -> bool:
        """One command; True when its answer was the connection's last."""
        space = f"s{self.number}-{len(self.acknowledged)}"
        connection.request(
            "POST", f"/booking/spaces/{space}", json.dumps(SPACE), {"Content-Type": "application/json"}
        )
        response = connection.getresponse()
        body = response.read()
        if response.status == 201:
            self.acknowledged.append(space)
        else:
            self.failures.append(f"{response.status} {body!r}")
        return response.getheader("Connection") == "close"


def test_a_stop_under_load_fails_no_request_and_leaves_nothing_behind(tmp_path: Path) -> None:
    clients = [Client(number) for number in range(CLIENTS)]
    with running(tmp_path, "--set", "gateway.grace=10") as node:
        pids = [node.process.pid, node.worker()]
        threads = [threading.Thread(target=client.run, args=(node,)) for client in clients]
        for thread in threads:
            thread.start()
        assert eventually(lambda: all(len(client.acknowledged) >= 20 for client in clients), 30.0)
        # Status 0 says that it ended within the grace: the node kills what needs longer, and says so.
        assert node.stop(signal.SIGTERM) == 0, node.log.read_text()
        for thread in threads:
            thread.join(20)
            assert not thread.is_alive()
        assert [client.failures for client in clients if client.failures] == []
        assert not any(alive(pid) for pid in pids)
        assert "ERROR" not in node.log.read_text()
    with running(tmp_path) as node:
        for client in clients:
            for space in (client.acknowledged[0], client.acknowledged[-1]):
                assert node.call("GET", f"/booking/spaces/{space}")[0] == 200
        assert node.stop() == 0


def test_idle_connections_do_not_delay_the_end(tmp_path: Path) -> None:
    with running(tmp_path, "--set", "gateway.grace=600") as node:
        idle = [socket.create_connection((node.host, node.port)) for _ in range(20)]
        used = HTTPConnection(node.host, node.port, timeout=10)
        used.request("GET", "/healthz")
        used.getresponse().read()
        assert node.stop() == 0
        assert all(connection.recv(1) == b"" for connection in idle)
        used.close()
        for connection in idle:
            connection.close()


def test_ctrl_c_in_a_terminal_is_an_orderly_end(tmp_path: Path) -> None:
    with running(tmp_path) as node:
        worker = node.worker()
        assert node.call("POST", "/booking/spaces/maple", SPACE)[0] == 201
        os.killpg(node.process.pid, signal.SIGINT)
        assert node.process.wait(20) == 0
        assert not alive(worker)
        assert "Traceback" not in node.log.read_text()


def test_a_second_request_to_stop_does_not_wait_for_a_slow_client(tmp_path: Path) -> None:
    with running(tmp_path, "--set", "gateway.body_seconds=600", "--set", "gateway.grace=600") as node:
        slow = socket.create_connection((node.host, node.port))
        slow.sendall(b"POST /booking/spaces/maple HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{")
        assert node.serves()
        node.process.send_signal(signal.SIGINT)
        assert eventually(lambda: "stopping" in node.log.read_text())
        assert node.process.poll() is None
        node.process.send_signal(signal.SIGINT)
        assert node.process.wait(20) == 0, node.log.read_text()
        slow.close()
