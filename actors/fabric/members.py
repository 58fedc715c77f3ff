"""Who is there: a pure view of heartbeats, as one worker heard them.

Nobody is gone because this worker heard nothing: it may have slept, or its link was cut. What counts is what
it heard *meanwhile*: its own heartbeats come back to it on the same subscription as all others, in order.
When one that it sent three seconds after a member's last was heard has come back, and nothing of that member,
then the member has sent nothing in those three seconds, so it can have no lease any more.
"""

from collections import OrderedDict
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal

import msgspec

from actors.lease import LEASE_SECONDS

VERSION = 1
REMEMBERED = 4096
"""Ids of the dead that are known to be so; ids are never used again, and late heartbeats must not revive."""
MEMBER_BYTES = 64 * 1024
"""Of a heartbeat at most."""

State = Literal["joining", "active", "leaving", "drained"]
"""``drained``: it leaves, and has answered all its clients."""
Text = Annotated[str, msgspec.Meta(max_length=256)]


class Member(msgspec.Struct, frozen=True, array_like=True):
    """A worker as it describes itself once a second. New fields go to the end."""

    version: int
    id: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,64}(?!\n)$")]
    node: Text
    host: Text
    address: Text
    """Of its gateway; empty without one."""
    roles: Annotated[tuple[Text, ...], msgspec.Meta(max_length=16)]
    """``gateway``, ``actors``."""
    contexts: Annotated[tuple[Text, ...], msgspec.Meta(max_length=1024)]
    """Those whose shards it may own."""
    capacity: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
    state: State
    release: Text
    """The version of the software."""
    beat: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] = 0
    """Counts its heartbeats; one that does not grow is an old one."""
    journals: Annotated[dict[str, Text], msgspec.Meta(max_length=1024)] = {}
    """By context: what tells the journal that it uses from any other."""


class Unreadable(Exception):
    """The bytes are no heartbeat known here; one line."""


_decode = msgspec.msgpack.Decoder(Member).decode
_encode = msgspec.msgpack.Encoder().encode


def encode(member: Member) -> bytes:
    return _encode(member)


def decode(data: bytes) -> Member:
    """Raises Unreadable."""
    if len(data) > MEMBER_BYTES:
        raise Unreadable(f"a heartbeat of {len(data)} bytes")
    try:
        member = _decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(f"{type(error).__name__}: {error}") from error
    if member.version != VERSION:
        raise Unreadable(f"version {member.version} of heartbeats is not known here")
    return member


class View:
    """Times are this worker's own, monotonic, in seconds; the members' clocks do not matter."""

    def __init__(self, silence: float = LEASE_SECONDS) -> None:
        self._silence = silence
        self._members: dict[str, Member] = {}
        self._heard: dict[str, float] = {}
        """When a member's heartbeat was last seen to change; also of those who are gone, for a while."""
        self._beats: dict[str, int] = {}
        """The number of that heartbeat: an older one, read from the bucket, is no sign of life."""
        self._dead: OrderedDict[str, None] = OrderedDict()
        self._heard_until = float("-inf")

    @property
    def heard_until(self) -> float:
        """Everything that was sent before this moment has been heard."""
        return self._heard_until

    @property
    def members(self) -> Mapping[str, Member]:
        """Those who are there, at every moment."""
        return MappingProxyType(self._members)

    def beat(self, member: Member, now: float) -> bool:
        """A heartbeat was heard at ``now``; True if it changed more than the time."""
        if member.id in self._dead:
            return False
        if member.beat <= self._beats.get(member.id, -1):
            return False
        known = self._members.get(member.id)
        self._members[member.id] = member
        self._beats[member.id] = member.beat
        self._heard[member.id] = now
        return known is None or msgspec.structs.replace(known, beat=member.beat) != member

    def came_back(self, sent: float) -> list[str]:
        """This worker's own heartbeat, sent at ``sent``, was heard; who is gone by that."""
        self._heard_until = max(self._heard_until, sent)
        gone = [id for id in self._members if self._heard_until - self._heard[id] >= self._silence]
        for id in gone:
            del self._members[id]
        if len(self._heard) > REMEMBERED:
            self._forget()
        return gone

    def died(self, id: str) -> bool:
        """Its node, or itself, says that it has ended; True if that is news."""
        news = id not in self._dead
        self._dead[id] = None
        self._dead.move_to_end(id)
        if len(self._dead) > REMEMBERED:
            self._dead.popitem(last=False)
        self._members.pop(id, None)
        return news

    def forgive(self, now: float) -> None:
        """The link was away: whoever was there may need a moment to be back, too."""
        for id in self._members:
            self._heard[id] = now

    def is_dead(self, id: str) -> bool:
        """Said to have ended. False for one that was only not heard of."""
        return id in self._dead

    def last_heard(self, id: str) -> float | None:
        """When its heartbeat was last seen to change; None if never."""
        return self._heard.get(id)

    def next_silence(self) -> float | None:
        """When the member that was not heard of for longest may be gone; None when nobody ever is."""
        if not self._members or self._silence == float("inf"):
            return None
        return min(self._heard[id] for id in self._members) + self._silence

    def _forget(self) -> None:
        """Keep the times of those who are there, and the latest of the others."""
        latest = sorted(self._heard, key=self._heard.__getitem__)[-REMEMBERED // 2 :]
        kept = {*latest, *self._members}
        self._heard = {id: self._heard[id] for id in kept}
        self._beats = {id: self._beats[id] for id in kept}
