"""Positions as clients see them: ``booking/46:2`` is a place in a context's feed of events, and
``booking/0:12,46:2`` a vector of them, one per shard. ``booking/`` is the vector that names none."""

import re
from collections.abc import Mapping

HIGHEST = 2**63 - 1
"""Of a sequence."""

_PLACE = re.compile(r"(0|[1-9][0-9]{0,4}):(0|[1-9][0-9]{0,18})", re.ASCII)


class PositionError(Exception):
    """A text is no position of this context; the message is one line."""


def format_position(context: str, positions: Mapping[int, int]) -> str:
    """A vector as text, by shard."""
    return f"{context}/" + ",".join([f"{shard}:{positions[shard]}" for shard in sorted(positions)])


def parse_position(text: str, context: str, shards: int) -> dict[int, int]:
    """By shard, the sequence that a position or vector names. Raises PositionError."""
    named, slash, places = text.partition("/")
    if not slash:
        raise PositionError(f"a position looks like {context}/17:42")
    if named != context:
        raise PositionError(f"it is a position of {named!r}, not of {context!r}")
    found: dict[int, int] = {}
    if not places:
        return found
    if places.count(",") >= shards:
        raise PositionError(f"it names more than the {shards} shards there are")
    for place in places.split(","):
        match = _PLACE.fullmatch(place)
        if match is None:
            raise PositionError(f"{place!r} is not <shard>:<sequence>")
        shard, sequence = int(match[1]), int(match[2])
        if shard >= shards:
            raise PositionError(f"there is no shard {shard}, there are {shards}")
        if sequence > HIGHEST:
            raise PositionError(f"{sequence} has more than 63 bits")
        if shard in found:
            raise PositionError(f"shard {shard} is named twice")
        found[shard] = sequence
    return found


def behind(positions: Mapping[int, int], wanted: Mapping[int, int]) -> dict[int, int]:
    """By shard, how far ``positions`` are where they are not as far as ``wanted``; empty when they are."""
    return {shard: positions.get(shard, 0) for shard, seq in wanted.items() if positions.get(shard, 0) < seq}
