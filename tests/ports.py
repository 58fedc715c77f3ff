"""Ports for servers that tests start."""

import random
import socket
from pathlib import Path

LOWEST_PORT = 20_000
_given: set[int] = set()
"""Ports that were drawn in this run: a server that has not begun yet must not lose its own to the next."""


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody has. It is below those that the kernel gives to connections, so that it is still
    free when a server that was killed comes back to it."""
    try:
        ephemeral = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except OSError:
        ephemeral = 32_768
    dice = random.SystemRandom()
    for _ in range(100):
        port = dice.randrange(LOWEST_PORT, max(ephemeral, LOWEST_PORT + 1_000))
        if port in _given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind((host, port))
            except OSError:
                continue
            _given.add(port)
            return port
    raise OSError("no port is free")
