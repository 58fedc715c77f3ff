"""Where processes run: on this machine's loopback, or in a network namespace that can be cut off.

The namespaces have no name and nothing in them reaches this machine's network: a *stem* holds the servers,
and a cable (a veth pair) leads from it to each *branch*. They are gone when their holders are, also when the
test run is killed.
"""

import ctypes
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from tests.chaos.cluster.process import Process, children

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


class Impossible(Exception):
    """This machine does not let us make namespaces; the message says why."""


class Place:
    """This machine, with nothing around."""

    address = "127.0.0.1"
    """Where others reach what listens here."""

    @contextmanager
    def inside(self) -> Iterator[None]:
        """The calling thread is here meanwhile: what it starts and the sockets it makes belong here."""
        yield

    def socket(self, family: int = socket.AF_INET, kind: int = socket.SOCK_STREAM) -> socket.socket:
        """One that belongs here, wherever it is used."""
        with self.inside():
            return socket.socket(family, kind)


class Namespace(Place):
    """A network of its own, held by a process that sleeps."""

    def __init__(self, name: str, address: str, folder: Path) -> None:
        """Raises Impossible."""
        self.name = name
        self.address = address
        command = ["unshare", "--net", "--fork", "--kill-child", "sleep", "infinity"]
        if any(shutil.which(word) is None for word in ("unshare", "ip", "nsenter")):
            raise Impossible("unshare, nsenter and ip are needed")
        self.holder = Process(command, folder / f"namespace-{name}.out", folder)
        while not (inside := children(self.holder.pid)):
            if self.holder.status is not None:
                raise Impossible(f"unshare failed: {self.holder.log.read_text().strip()}")
        self.pid = inside[0]
        self._file = os.open(f"/proc/{self.pid}/ns/net", os.O_RDONLY)
        self.ip("link", "set", "lo", "up")

    def ip(self, *words: str) -> None:
        """One command of iproute2, inside. Raises Impossible."""
        enter = ["nsenter", f"--net=/proc/{self.pid}/ns/net", "ip", *words]
        done = subprocess.run(enter, capture_output=True, text=True, timeout=10, check=False)
        if done.returncode != 0:
            raise Impossible(f"ip {' '.join(words)}: {done.stderr.strip()}")

    @contextmanager
    def inside(self) -> Iterator[None]:
        before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            _enter(self._file)
            try:
                yield
            finally:
                _enter(before)
        finally:
            os.close(before)

    def close(self) -> None:
        """Everything in it must have ended."""
        os.close(self._file)
        self.holder.kill()


def _enter(namespace: int) -> None:
    if _libc.setns(namespace, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns failed")


class Branches:
    """A stem and the branches that were grown from it."""

    def __init__(self, folder: Path) -> None:
        """Raises Impossible."""
        if sys.platform != "linux":
            raise Impossible("network namespaces are Linux's")
        self._folder = folder
        self._stack = ExitStack()
        self._grown = 0
        self.stem = self._make("stem", "10.77.0.1")
        try:
            self.stem.ip("address", "add", f"{self.stem.address}/32", "dev", "lo")
        except BaseException:
            self._stack.close()
            raise

    def _make(self, name: str, address: str) -> Namespace:
        return self._stack.enter_context(closing(Namespace(name, address, self._folder)))

    def grow(self) -> Namespace:
        """Another one that reaches the stem, and that the stem reaches. Raises Impossible."""
        self._grown += 1
        name = f"branch{self._grown}"
        branch, stem = self._make(name, f"10.77.0.{self._grown + 1}"), self.stem
        ends = ("type", "veth", "peer", "name", "stem", "netns", str(branch.pid))
        stem.ip("link", "add", name, *ends)
        branch.ip("address", "add", f"{branch.address}/32", "dev", "stem")
        branch.ip("link", "set", "stem", "up")
        branch.ip("route", "add", stem.address, "dev", "stem", "src", branch.address)
        self.mend(branch)
        return branch

    def cut(self, branch: Namespace) -> None:
        """What is sent from now on is lost, without a word to either side."""
        self.stem.ip("link", "set", branch.name, "down")

    def mend(self, branch: Namespace) -> None:
        """Connections that were not given up meanwhile go on."""
        self.stem.ip("link", "set", branch.name, "up")
        self.stem.ip("route", "replace", branch.address, "dev", branch.name, "src", self.stem.address)

    def close(self) -> None:
        """Let all of it go."""
        self._stack.close()
