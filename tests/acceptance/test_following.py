"""Events are followed across workers, their deaths and restarts, each once and in the order of its shard."""

import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

from tests.gateway.running import SPACE, Running, running

SPACES = 40
PATIENCE = 10.0


class Follower:
    """Follows all events of booking, and comes again with the last position whenever it is cut."""

    def __init__(self, node: Running) -> None:
        self.node = node
        self.last = "booking/"
        self.places: list[tuple[int, int]] = []

    def read(self, count: int) -> None:
        """Until so many events have come."""
        while len(self.places) < count:
            try:
                for message in self._messages():
                    self._take(message)
                    if len(self.places) >= count:
                        break
            except ConnectionError:
                continue

    def _messages(self) -> Iterator[dict[str, str]]:
        with socket.create_connection((self.node.host, self.node.port), PATIENCE) as connection:
            connection.sendall(
                b"GET /booking/events HTTP/1.0\r\nAccept: text/event-stream\r\n"
                b"Last-Event-ID: %s\r\n\r\n" % self.last.encode()
            )
            stream = connection.makefile("r", encoding="utf-8")
            status = stream.readline()
            if " 200 " not in status:
                return
            fields: dict[str, str] = {}
            for line in stream:
                name, colon, value = line.rstrip("\r\n").partition(": ")
                if colon:
                    fields[name] = value
                elif fields:
                    yield fields
                    fields = {}

    def _take(self, message: dict[str, str]) -> None:
        if "data" not in message:
            return
        self.last = message["id"]
        shard, _, seq = json.loads(message["data"])["position"].removeprefix("booking/").partition(":")
        self.places.append((int(shard), int(seq)))


def opened(node: Running, numbers: range) -> None:
    for number in numbers:
        status, _ = node.call("POST", f"/booking/spaces/room{number}", SPACE)
        assert status == 201


def test_every_event_comes_once_from_all_workers_through_kills_and_a_restart(tmp_path: Path) -> None:
    with running(tmp_path, "--set", "workers=2") as node:
        follower = Follower(node)
        opened(node, range(SPACES))
        follower.read(SPACES // 2)
        os.kill(node.workers()[0], signal.SIGKILL)
        follower.read(SPACES)
        opened(node, range(SPACES, SPACES + 5))
        follower.read(SPACES + 5)
        assert node.stop() == 0
    with running(tmp_path, "--set", "workers=2") as node:
        follower.node = node
        opened(node, range(SPACES + 5, SPACES + 10))
        follower.read(SPACES + 10)
        assert node.stop() == 0
    shards = {shard for shard, _ in follower.places}
    for shard in shards:
        sequences = [seq for of, seq in follower.places if of == shard]
        assert sequences == list(range(1, len(sequences) + 1))
    assert len(follower.places) == SPACES + 10
