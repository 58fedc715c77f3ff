"""Who a worker is: what its node tells it once, when it starts, and what it calls itself in the cluster."""

import os
import re
import secrets
from pathlib import Path

import msgspec

from actors.journal.port import JournalUnavailable
from actors.settings import Settings

FILE = "node"
"""The file in the data directory that holds the node's id."""

_ID = re.compile(r"[0-9a-f]{8}")


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """One life of one worker."""

    cluster: str
    """Part of every subject and bucket's name."""
    node: str
    """Eight hexadecimal digits, the same as long as the data directory lives."""
    worker: str
    """``<node>-<slot>-<the node's life>-<start>``: never used twice, so nothing of an earlier life is taken
    for this one's."""
    slot: int
    """The worker's place on its node, from 0; its successor has the same."""
    bus: tuple[str, ...] = ()
    """URLs of the NATS servers; the settings' own, or that of the node's server."""
    token: str | None = None
    """What opens the node's own server; None for one that is not the node's."""
    listening: tuple[int, ...] = ()
    """Descriptors of the sockets that the node's gateways accept from."""
    company: int = 0
    """Workers that the node starts together; 0 for one that is started later."""
    ended: tuple[str, ...] = ()
    """Workers of this life of the node that have ended: they need not be waited for."""


class Assignment(msgspec.Struct, frozen=True):
    """The one line that a worker reads from its node."""

    settings: Settings
    identity: Identity


def worker_id(node: str, slot: int, life: str, start: int) -> str:
    """The id of the ``start``-th worker that the node has started in its ``life``, here in ``slot``."""
    return f"{node}-{slot}-{life}-{start}"


def slot_of(worker: str) -> int:
    """The slot that is in a worker's id."""
    return int(worker.split("-")[1])


def life_of(worker: str) -> str:
    """The node's life that a worker is of, with the node's id."""
    node, _, rest = worker.partition("-")
    return f"{node}-{rest.split('-')[1]}" if rest.count("-") == 2 else worker


def new_life() -> str:
    """What tells this life of a node from its others; drawn, because a copied data directory counts alike."""
    return secrets.token_hex(2)


def node_id(data: Path) -> str:
    """The id that is kept in the data directory, made if there is none. The directory must be held.

    Raises JournalUnavailable when it can be neither read nor written."""
    file = data / FILE
    try:
        if file.exists():
            known = file.read_text("ascii", errors="replace").strip()
            if _ID.fullmatch(known):
                return known
        fresh = secrets.token_hex(4)
        draft = file.with_suffix(".new")
        with draft.open("w") as stream:
            stream.write(fresh + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(file)
    except OSError as error:
        raise JournalUnavailable(f"cannot use the data directory {data}: {error.strerror}") from error
    return fresh
