"""Which worker owns which shard: a pure function of who is there.

Rendezvous hashing with a cap. Every member has a score for every shard, drawn from a hash of its name; pairs
of member and shard are settled from the highest score down, a member that has its share takes no more. Nobody
is asked and nothing is remembered: whoever sees the same members computes the same owners.

Balance has its price. Without a cap a newcomer takes a shard only from its owner and nobody else moves; with
one, a member that lost more than it had to is filled up again, which moves others. A join or a leave moves
1.0 to 1.25 times what it must among four members, 1.5 among eight, 1.9 among twenty, 4 to 5 among two hundred
(1,024 shards, where it must move five). Other orders of settling (by shard, by how strongly a shard prefers
its best, by deferred acceptance) were measured and are no better; what is, remembers.
"""

import sys
from array import array
from collections.abc import Mapping, Sequence
from hashlib import shake_128
from math import gcd

import msgspec

DRAWS = 16
"""Scores drawn for the largest member at most; the best one counts, so more draws win more shards."""
CANDIDATES = 5
"""Strong scores per shard, on average, looked at in the first round. What is left is settled from all scores,
so the result does not depend on it."""


class Candidate(msgspec.Struct, frozen=True):
    """A member that may own shards."""

    id: str
    capacity: int = 1
    """What it takes in proportion to the others; at least 1."""


def placement(
    members: Sequence[Candidate], shards: int, salt: str, pins: Mapping[int, str] | None = None
) -> tuple[str, ...]:
    """The owner's id of each shard; empty when there are no members.

    A member owns its share by capacity, rounded down or up; pinned shards count towards it, and when they are
    more than it, the others share the rest. A pin to an absent member or of an absent shard is ignored.
    ``salt`` (the context's name) lets shards of the same number live with different members. The order of
    ``members`` does not matter. Raises ValueError for a name given twice or a capacity below 1."""
    if not members:
        return ()
    members = sorted(members, key=lambda member: member.id)
    ids = [member.id for member in members]
    if len(set(ids)) < len(ids) or any(member.capacity < 1 for member in members):
        raise ValueError("members have distinct ids and capacities of at least 1")
    pinned = {s: ids.index(id) for s, id in (pins or {}).items() if 0 <= s < shards and id in ids}
    board = _Board([member.capacity for member in members], shards, pinned)
    columns = _columns(members, shards, salt)
    board.settle(_strong(columns, shards))
    if board.left:
        board.settle(_all_of(columns, board.open_shards(), board.open_members()))
    return tuple(ids[owner] for owner in board.owners)


class _Board:
    """Who owns what so far, and how much each may still take."""

    def __init__(self, capacities: Sequence[int], shards: int, pinned: Mapping[int, int]) -> None:
        self.owners = [-1] * shards
        for shard, member in pinned.items():
            self.owners[shard] = member
        self.left = shards - len(pinned)
        counts = [0] * len(capacities)
        for member in pinned.values():
            counts[member] += 1
        self.room, self.may_have_one_more, self.extras = _shares(capacities, shards, counts)

    def settle(self, pairs: list[int]) -> None:
        """Give shards away, the highest score first."""
        owners, room, one_more = self.owners, self.room, self.may_have_one_more
        pairs.sort(reverse=True)
        for pair in pairs:
            shard = pair >> 16 & 0xFFFF
            if owners[shard] >= 0:
                continue
            member = pair & 0xFFFF
            if room[member] > 0:
                room[member] -= 1
            elif self.extras and one_more[member]:
                one_more[member] = False
                self.extras -= 1
            else:
                continue
            owners[shard] = member
            self.left -= 1

    def open_shards(self) -> list[int]:
        return [shard for shard, owner in enumerate(self.owners) if owner < 0]

    def open_members(self) -> set[int]:
        return {m for m, room in enumerate(self.room) if room or (self.extras and self.may_have_one_more[m])}


def _shares(
    capacities: Sequence[int], shards: int, pinned: Sequence[int]
) -> tuple[list[int], list[bool], int]:
    """Per member how many shards it takes beside its pinned ones for certain, and whether it may take one
    more; last, how many of those there are in all."""
    sharing = set(range(len(capacities)))
    left, total = shards, sum(capacities)
    while full := {m for m in sharing if pinned[m] * total > left * capacities[m]}:
        # Pinned beyond their share: they take nothing else, and the others' shares shrink.
        sharing -= full
        left -= sum(pinned[m] for m in full)
        total -= sum(capacities[m] for m in full)
    room, one_more, extras = [0] * len(capacities), [False] * len(capacities), left
    for member in sharing:
        share, rest = divmod(left * capacities[member], total)
        room[member], one_more[member] = share - pinned[member], rest > 0
        extras -= share
    return room, one_more, extras


def _columns(members: Sequence[Candidate], shards: int, salt: str) -> list[tuple[int, bytes]]:
    """Per member its number and a digest of four bytes per shard, once for each of its draws."""
    unit = gcd(*(member.capacity for member in members))
    unit = max(unit, -(-max(member.capacity for member in members) // DRAWS))
    return [
        (number, shake_128(f"{salt}/{member.id}/{draw}".encode()).digest(4 * shards))
        for number, member in enumerate(members)
        for draw in range(max(1, round(member.capacity / unit)))
    ]


def _scores(digest: bytes) -> "array[int]":
    scores = array("I", digest)
    if sys.byteorder == "big":
        scores.byteswap()
    return scores


def _strong(columns: Sequence[tuple[int, bytes]], shards: int) -> list[int]:
    """The pairs whose score's highest byte is large, as integers that sort by score: score, shard, member."""
    least = max(0, 256 - -(-256 * CANDIDATES // len(columns)))
    table = bytes(byte >= least for byte in range(256))
    pairs: list[int] = []
    for member, digest in columns:
        scores = _scores(digest)
        find = digest[3::4].translate(table).find
        shard = find(1)
        while shard >= 0:
            pairs.append(scores[shard] << 32 | shard << 16 | member)
            shard = find(1, shard + 1)
    return pairs


def _all_of(columns: Sequence[tuple[int, bytes]], shards: Sequence[int], members: set[int]) -> list[int]:
    """All pairs of these shards and members, encoded alike."""
    pairs: list[int] = []
    for member, digest in columns:
        if member in members:
            scores = _scores(digest)
            pairs += [scores[shard] << 32 | shard << 16 | member for shard in shards]
    return pairs
