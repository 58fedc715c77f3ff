"""The idempotency keys an entity remembers: part of its replayed metadata, so they survive a failover."""

from collections import OrderedDict
from collections.abc import Iterator
from typing import NamedTuple

KeyRow = tuple[bytes, bytes, int, int, int]
"""(key, fingerprint, first version, last version, microseconds), as a snapshot stores it."""


class Use(NamedTuple):
    """What a key was used for: a payload's fingerprint and the versions its events made."""

    fingerprint: bytes
    first: int
    last: int
    at: int
    """Microseconds since 1970, for the retention."""


class Keys:
    """The keys used on one entity, oldest first; forgotten after ``retention`` microseconds, or when there
    are more than ``limit``."""

    __slots__ = ("_uses", "limit", "retention")

    def __init__(self, limit: int, retention: int) -> None:
        self.limit = limit
        self.retention = retention
        # Not a dict: taking the oldest off a dict again and again is quadratic.
        self._uses: OrderedDict[bytes, Use] = OrderedDict()

    def __len__(self) -> int:
        return len(self._uses)

    def find(self, key: bytes) -> Use | None:
        """The use of ``key``, if it is remembered."""
        return self._uses.get(key)

    def remember(self, key: bytes, use: Use) -> None:
        """Add a use, or widen the one of the same command by the version that follows."""
        known = self._uses.get(key)
        if known is not None and known.last + 1 == use.first:
            self._uses[key] = Use(known.fingerprint, known.first, use.last, known.at)
            return
        self._uses[key] = use
        self._uses.move_to_end(key)
        self._forget(use.at)

    def rows(self) -> Iterator[KeyRow]:
        """What a snapshot keeps."""
        for key, use in self._uses.items():
            yield (key, *use)

    def _forget(self, now: int) -> None:
        oldest = next(iter(self._uses))
        while len(self._uses) > self.limit or self._uses[oldest].at < now - self.retention:
            del self._uses[oldest]
            oldest = next(iter(self._uses))
