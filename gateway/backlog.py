"""Connections that the kernel has made and nobody has accepted: closing the listening socket resets them."""

import asyncio
import os
import socket


def close(server: asyncio.Server) -> list[socket.socket]:
    """Stop listening; returns the connections that were waiting, which are now the caller's.

    The listening socket lives on under a second descriptor until nothing waits in it any more, so that only
    what arrives within the microseconds between the last look and the end is lost."""
    listening = [socket.socket(fileno=os.dup(each.fileno())) for each in server.sockets]
    server.close()
    waiting: list[socket.socket] = []
    for each in listening:
        with each:
            each.setblocking(False)
            waiting.extend(_accept_all(each))
    return waiting


def _accept_all(listening: socket.socket) -> list[socket.socket]:
    accepted: list[socket.socket] = []
    while True:
        try:
            connection, _ = listening.accept()
        except ConnectionAbortedError:
            continue
        except OSError:
            # Nothing waits, or there are no descriptors left: then the rest cannot be saved.
            return accepted
        accepted.append(connection)
