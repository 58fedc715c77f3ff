"""A snapshot's bytes: an entity's state and its recent idempotency keys, with a checksum.

Layout, little-endian: format (1 byte, 1), CRC-32 of all that follows (4), number of keys (4), the keys
(48 bytes each), the state.
"""

import struct
from collections.abc import Sequence
from zlib import crc32

from actors.journal.port import JournalError

Key = tuple[bytes, bytes, int, int, int]
"""(key, 16 bytes; fingerprint, 8 bytes; first version; last version; at, microseconds)."""

_FORMAT = 1
_HEAD = struct.Struct("<BI")
_COUNT = struct.Struct("<I")
_KEY = struct.Struct("<16s8sqqq")


class UnreadableSnapshot(JournalError):
    """A stored snapshot is truncated, changed or of an unknown format."""


def pack_snapshot(state: bytes, keys: Sequence[Key]) -> bytes:
    """The snapshot. Raises ``ValueError`` for a key or fingerprint of another length."""
    if any(len(key) != 16 or len(fingerprint) != 8 for key, fingerprint, *_ in keys):
        raise ValueError("a key has 16 bytes and a fingerprint 8")
    pack = _KEY.pack
    body = b"".join((_COUNT.pack(len(keys)), *[pack(*key) for key in keys], state))
    return _HEAD.pack(_FORMAT, crc32(body)) + body


def unpack_snapshot(data: bytes) -> tuple[bytes, list[Key]]:
    """(state, keys). Raises ``UnreadableSnapshot``."""
    if len(data) < _HEAD.size + _COUNT.size:
        raise UnreadableSnapshot("the snapshot is truncated")
    form, checksum = _HEAD.unpack_from(data)
    if form != _FORMAT:
        raise UnreadableSnapshot(f"the snapshot has the unknown format {form}")
    if crc32(memoryview(data)[_HEAD.size :]) != checksum:
        raise UnreadableSnapshot("the snapshot's checksum is wrong")
    (count,) = _COUNT.unpack_from(data, _HEAD.size)
    begin = _HEAD.size + _COUNT.size
    end = begin + count * _KEY.size
    if len(data) < end:
        raise UnreadableSnapshot(f"the snapshot has no room for its {count} keys")
    return data[end:], list(_KEY.iter_unpack(memoryview(data)[begin:end]))
