"""Asks and answers as they travel between workers, and how they are read without trust.

Every message is one MessagePack array whose first element is the version of its shape. Structs travel as
arrays too: a release may add fields at the end, which older ones ignore and newer ones take for their default
when they are missing. Anything else is a new ``VERSION``, and refused by releases that do not know it.
"""

from typing import Annotated, TypeVar

import msgspec

VERSION = 1
"""Raised when the shape changes in another way than by new fields at the end."""
SIZE = 8 * 1024 * 1024
"""Bytes of a message at most: NATS itself advises against more."""
BATCH = 1024
"""Asks or answers in one message at most."""

Number = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Short = Annotated[str, msgspec.Meta(max_length=256)]
Hash = Annotated[bytes, msgspec.Meta(max_length=64)]
WorkerId = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,64}(?!\n)$")]
"""What may stand in a subject: 1 to 64 letters, digits, '-' and '_'."""


class WirePrincipal(msgspec.Struct, frozen=True, array_like=True):
    """Who asks, as its gateway proved it."""

    subject: str
    roles: Annotated[tuple[str, ...], msgspec.Meta(max_length=1024)] = ()
    claims: Annotated[dict[str, str], msgspec.Meta(max_length=1024)] = {}


class WireAsk(msgspec.Struct, frozen=True, array_like=True):
    """One command or query."""

    number: Number
    """The sender's, by which it knows the answer."""
    context: Short
    shard: Number
    aggregate: Short
    id: str
    command: Short | None
    """The command's class name; None for a query."""
    data: bytes
    """The command's fields, as the journal stores an event's; empty for a query."""
    patience: Annotated[int, msgspec.Meta(ge=0, le=3_600_000)]
    """Milliseconds until the deadline: the clocks of two hosts need not agree."""
    by: WirePrincipal | None = None
    key: Hash | None = None
    fingerprint: Hash | None = None
    command_id: Hash | None = None
    expected: int | None = None
    trace: Short | None = None
    part: Short | None = None
    """The path of the route whose ``part`` is asked for."""
    arguments: Annotated[tuple[str, ...], msgspec.Meta(max_length=64)] = ()
    attempt: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0


class AskBatch(msgspec.Struct, frozen=True, array_like=True):
    """Asks of one worker to another."""

    version: int
    sender: WorkerId
    asks: Annotated[list[WireAsk], msgspec.Meta(max_length=BATCH)]


class WireAnswer(msgspec.Struct, frozen=True, array_like=True):
    """One answer, flat: which fields count depends on ``kind``."""

    number: Number
    kind: Annotated[int, msgspec.Meta(ge=0, le=255)]
    """One of ``Kind``, or one of a newer release."""
    version: int = 0
    """The entity's."""
    body: bytes = b""
    """Of what was accepted or shown; the fields of a rejection."""
    name: Short = ""
    """A rejection's class name, a refusal's reason."""
    detail: str = ""
    retry_after: float | None = None
    changed: bool = True
    replayed: bool = False


class Kind:
    """What an answer is. Stored nowhere, but two releases must agree: never give a number another meaning."""

    ACCEPTED = 0
    SHOWN = 1
    REJECTED = 2
    ABSENT = 3
    REFUSED = 4


class AnswerBatch(msgspec.Struct, frozen=True, array_like=True):
    """Answers of one worker to another."""

    version: int
    sender: WorkerId
    answers: Annotated[list[WireAnswer], msgspec.Meta(max_length=BATCH)]


class Unreadable(Exception):
    """The bytes are no envelope of a version known here; the message says why, in a line."""


class _Header(msgspec.Struct, frozen=True, array_like=True):
    version: int


Batch = TypeVar("Batch", AskBatch, AnswerBatch)

_encode = msgspec.msgpack.Encoder().encode
_asks = msgspec.msgpack.Decoder(AskBatch)
_answers = msgspec.msgpack.Decoder(AnswerBatch)
_header = msgspec.msgpack.Decoder(_Header)


def encode(batch: AskBatch | AnswerBatch) -> bytes:
    """The message; its size is for the caller to look at."""
    return _encode(batch)


def decode_asks(data: bytes) -> AskBatch:
    """Raises Unreadable, whatever the bytes are, at no more cost than their length explains."""
    return _decode(data, _asks)


def decode_answers(data: bytes) -> AnswerBatch:
    """Raises Unreadable, whatever the bytes are, at no more cost than their length explains."""
    return _decode(data, _answers)


def _decode(data: bytes, decoder: "msgspec.msgpack.Decoder[Batch]") -> Batch:
    # The decoder believes no length: it reads items until the bytes end, as deep as Python recurses.
    if len(data) > SIZE:
        raise Unreadable(f"the message has {len(data)} bytes, more than {SIZE}")
    try:
        batch = decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        version = _version(data)
        if version not in (None, VERSION):
            raise _unknown(version) from error
        raise Unreadable(f"{type(error).__name__}: {error}") from error
    if batch.version != VERSION:
        raise _unknown(batch.version)
    return batch


def _version(data: bytes) -> int | None:
    try:
        return _header.decode(data).version
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _unknown(version: int | None) -> Unreadable:
    return Unreadable(f"version {version} of the envelope is not known here, only {VERSION}")
