"""Reservations by number, as ``load.lua`` makes them, and entities that live in a given shard."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from actors.region import shard_of

FIRST = datetime(2030, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
FORMAT = "%Y-%m-%dT%H:%M:%SZ"


def reservation(number: int) -> bytes:
    """The body of a command that takes the n-th hour: no two of a space overlap."""
    start = FIRST + number * HOUR
    body = {
        "reservation": f"r{number}",
        "guest": "ada",
        "guests": 4,
        "start": start.strftime(FORMAT),
        "end": (start + HOUR).strftime(FORMAT),
    }
    return json.dumps(body).encode()


def path(space: str) -> str:
    """Where a space is reserved."""
    return f"/booking/spaces/{space}/reservations"


def spaces_in(shards: Iterable[int], of: int, each: int = 1) -> dict[int, list[str]]:
    """``each`` ids of spaces for every one of these shards of a context with ``of``."""
    found: dict[int, list[str]] = {shard: [] for shard in shards}
    missing = len(found) * each
    number = 0
    while missing:
        space = f"probe{number}"
        number += 1
        ids = found.get(shard_of("space", space, of))
        if ids is not None and len(ids) < each:
            ids.append(space)
            missing -= 1
    return found
