"""Events and states as bytes, and back.

An event is a MessagePack map of its fields; instants are RFC 3339 text, because MessagePack's own timestamp
forgets the offset from UTC. Its class name and schema version are stored beside it: ``Reserved``, and from
version 2 on ``Reserved@2``. A state is JSON, which keeps offsets too and is encoded in a fifth of the time.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import blake2b
from typing import Any

import msgpack
import msgspec
from msgspec import inspect

from actors.journal.port import JournalError
from actors.journal.snapshots import UnreadableSnapshot, pack_snapshot, unpack_snapshot
from contexts.vocabulary import Event, Upcaster

__all__ = [
    "EventCodec",
    "UnreadableEvent",
    "UnreadableSnapshot",
    "Unstorable",
    "decode_state",
    "encode_event",
    "encode_state",
    "inspect_payload",
    "pack_snapshot",
    "state_fingerprint",
    "unpack_snapshot",
]

DEPTH = 64
"""Levels of maps and arrays in an event. Decoders give up far beyond, so what is stored can be read."""
PAYLOAD_BYTES = 16 * 1024 * 1024
"""What ``inspect_payload`` takes at most."""


class UnreadableEvent(JournalError):
    """A stored event cannot be read: its type or version is unknown, or its bytes make no sense."""


class Unstorable(ValueError):
    """The value cannot be stored: too deep, an integer beyond 64 bits, or text that is not Unicode."""


_encode = msgspec.msgpack.Encoder().encode
_encode_state = msgspec.json.Encoder().encode
_to_builtins = msgspec.to_builtins


def encode_event(event: Event) -> bytes:
    """The event's fields. Raises ``Unstorable``."""
    try:
        fields = _to_builtins(event, builtin_types=(bytes,))
        if _may_nest(type(event)):
            _limit_depth(fields, DEPTH)
        return _encode(fields)
    except (OverflowError, RecursionError, UnicodeEncodeError, TypeError) as error:
        raise Unstorable(f"{type(event).__name__} cannot be stored: {error}") from error


def _limit_depth(value: Any, left: int) -> None:
    if isinstance(value, (dict, list, tuple)):
        if left == 0:
            raise Unstorable(f"an event may nest {DEPTH} levels of maps and arrays, not more")
        for inner in value.values() if isinstance(value, dict) else value:
            _limit_depth(inner, left - 1)


class EventCodec:
    """The events of one aggregate: their stored names, and how each is read.

    ``upcasters`` maps (stored name, schema version) to a function from an event's fields to those of the
    next version. A function may rename the event by putting the new name under ``"@name"``."""

    def __init__(
        self, events: Sequence[type[Event]], upcasters: Mapping[tuple[str, int], Upcaster] | None = None
    ) -> None:
        self._types = {event.__name__: event for event in events}
        self._upcasters = dict(upcasters or {})
        self._decoders: dict[str, Any] = {
            self.name(event): msgspec.msgpack.Decoder(event).decode for event in events
        }

    @staticmethod
    def name(type: type[Event]) -> str:
        """``Reserved``, or ``Reserved@2`` from schema version 2 on."""
        return type.__name__ if type.schema == 1 else f"{type.__name__}@{type.schema}"

    def decode(self, type_name: str, data: bytes) -> Event:
        """The event, of today's type. Raises ``UnreadableEvent``."""
        decoder = self._decoders.get(type_name)
        try:
            event: Event = decoder(data) if decoder is not None else self._lift(type_name, data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise UnreadableEvent(f"{type_name}: {error}") from error
        return event

    def _lift(self, type_name: str, data: bytes) -> Event:
        name, _, number = type_name.partition("@")
        version = int(number) if number.isdigit() else 1
        fields = msgspec.msgpack.decode(data)
        if not isinstance(fields, dict):
            raise UnreadableEvent(f"{type_name}: the bytes are no map of fields")
        while name not in self._types or version != self._types[name].schema:
            upcast = self._upcasters.get((name, version))
            if upcast is None:
                raise UnreadableEvent(self._no_way(type_name, name, version))
            fields = dict(upcast(fields))
            name = fields.pop("@name", name)
            version += 1
        return msgspec.convert(fields, self._types[name])

    def _no_way(self, type_name: str, name: str, version: int) -> str:
        known = self._types.get(name)
        if known is None:
            return f"{type_name}: no event of this name is known"
        if version > known.schema:
            return f"{type_name}: version {version} is newer than the known version {known.schema}"
        return f"{type_name}: there is no upcaster from version {version}"


def inspect_payload(data: bytes) -> dict[str, Any]:
    """An event's fields without its type, within limits, for people. Raises ``UnreadableEvent``."""
    if len(data) > PAYLOAD_BYTES:
        raise UnreadableEvent(f"the event has {len(data)} bytes, more than {PAYLOAD_BYTES}")
    try:
        # No part can be longer than the whole: a length that claims more is refused before it is believed.
        fields = msgpack.unpackb(
            data,
            raw=False,
            strict_map_key=False,
            max_str_len=len(data),
            max_bin_len=len(data),
            max_array_len=len(data),
            max_map_len=len(data),
            max_ext_len=len(data),
        )
        _limit_depth(fields, DEPTH)
    except (ValueError, TypeError, RecursionError, msgpack.UnpackException) as error:
        raise UnreadableEvent(f"the bytes are no MessagePack within limits: {error}") from error
    if not isinstance(fields, dict):
        raise UnreadableEvent("the bytes are no map of fields")
    return fields


def encode_state(state: Any) -> bytes:
    """The state as JSON. Raises ``Unstorable``."""
    try:
        return _encode_state(state)
    except (OverflowError, RecursionError, UnicodeEncodeError, TypeError) as error:
        raise Unstorable(f"{type(state).__name__} cannot be stored: {error}") from error


def decode_state(data: bytes, type: Any) -> Any:
    """The state. Raises ``UnreadableSnapshot``."""
    try:
        return _state_decoder(type)(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableSnapshot(f"{type.__name__}: {error}") from error


@cache
def _state_decoder(type: Any) -> Any:
    return msgspec.json.Decoder(type).decode


@cache
def state_fingerprint(type: Any) -> bytes:
    """8 bytes that change when a field of the type, or of any type in it, is renamed, retyped, added or
    removed."""
    return blake2b(_described(inspect.type_info(type), set()).encode(), digest_size=8).digest()


def _described(info: Any, seen: set[Any]) -> str:
    """A type in full, in text that is the same in every process."""
    if not isinstance(info, inspect.Type):
        return repr(info)
    name = type(info).__name__
    of = getattr(info, "cls", None)
    if of is not None:
        name = f"{name} {of.__name__}"
        if of in seen:
            return name
        seen.add(of)
    parts = []
    for attribute in info.__struct_fields__:
        value = getattr(info, attribute)
        if attribute == "fields":
            inner = [f"{f.encode_name}:{_described(f.type, seen)}:{f.required}" for f in value]
            parts.append(f"fields=[{','.join(inner)}]")
        elif isinstance(value, tuple):
            parts.append(f"{attribute}=[{','.join(_described(one, seen) for one in value)}]")
        elif attribute != "cls":
            parts.append(f"{attribute}={_described(value, seen)}")
    return f"{name}({','.join(parts)})"


@cache
def _may_nest(event: Any) -> bool:
    """The type's values may nest without end: it holds itself, or anything."""
    return _nests(inspect.type_info(event), ())


def _nests(info: Any, above: tuple[Any, ...]) -> bool:
    if isinstance(info, (inspect.AnyType, inspect.CustomType, inspect.RawType)):
        return True
    if not isinstance(info, inspect.Type):
        return False
    of = getattr(info, "cls", None)
    if of is not None and of in above:
        return True
    within = above if of is None else (*above, of)
    if len(within) >= DEPTH // 2:
        return True
    for attribute in info.__struct_fields__:
        value = getattr(info, attribute)
        inner = value if isinstance(value, tuple) else (value,)
        if any(_nests(getattr(one, "type", one), within) for one in inner):
            return True
    return False
