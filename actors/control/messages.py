"""Requests and replies of the control plane: MessagePack maps with a version, of bounded size.

A receiver takes nothing for granted: whoever is on the bus can send anything."""

from typing import TypeAlias

import msgspec

from actors.control.facts import ContextFacts, NodeFacts, WorkerFacts

VERSION = 1
"""Raised when an older receiver would misunderstand a request; not for new requests or fields."""
REQUEST_LIMIT = 65_536
"""Bytes of a request; a larger one is not read."""
REPLY_RESERVE = 1024
"""Bytes of a message that are left for headers."""


class NotUnderstood(Exception):
    """The bytes are no message of this version; one line."""


class Request(msgspec.Struct, frozen=True, tag_field="ask"):
    """Something an operator asks."""

    v: int = VERSION


class Status(Request, frozen=True, tag="status"):
    """Tell the facts."""


class Release(Request, frozen=True, tag="release", kw_only=True):
    """Let a quarantined entity try again."""

    context: str
    aggregate: str
    id: str


class Scale(Request, frozen=True, tag="scale", kw_only=True):
    """Have this many workers on the node."""

    workers: int


class Drain(Request, frozen=True, tag="drain", kw_only=True):
    """Let a worker leave, and start no other in its place."""

    worker: str


class Restart(Request, frozen=True, tag="restart", kw_only=True):
    """Replace a slot's worker by a new one, without a gap."""

    slot: int


class Done(msgspec.Struct, frozen=True, tag_field="reply", tag="done"):
    """It was done, or begun if it takes time."""


class Failed(msgspec.Struct, frozen=True, tag_field="reply", tag="failed"):
    """It was not done."""

    why: str


class WorkerStatus(msgspec.Struct, frozen=True, tag_field="reply", tag="worker"):
    facts: WorkerFacts


class NodeStatus(msgspec.Struct, frozen=True, tag_field="reply", tag="node"):
    facts: NodeFacts


Ask: TypeAlias = Status | Release | Scale | Drain | Restart
Reply: TypeAlias = Done | Failed | WorkerStatus | NodeStatus

_asks: msgspec.msgpack.Decoder[Ask] = msgspec.msgpack.Decoder(Ask)
_replies: msgspec.msgpack.Decoder[Reply] = msgspec.msgpack.Decoder(Reply)


def encode(message: Ask | Reply) -> bytes:
    return msgspec.msgpack.encode(message)


def decode_request(data: bytes) -> Ask:
    """Raises NotUnderstood."""
    if len(data) > REQUEST_LIMIT:
        raise NotUnderstood(f"a request has at most {REQUEST_LIMIT} bytes, not {len(data)}")
    try:
        ask = _asks.decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise NotUnderstood("this release does not know the request") from error
    if ask.v > VERSION:
        raise NotUnderstood(f"the request is of version {ask.v}, this release speaks {VERSION}")
    return ask


def decode_reply(data: bytes) -> Reply:
    """Raises NotUnderstood."""
    try:
        return _replies.decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise NotUnderstood("the answer is not of a release that this one knows") from error


def encode_reply(reply: Reply, limit: int) -> bytes:
    """The reply in at most ``limit`` bytes: a worker's facts lose their details, the last context's first,
    until they fit."""
    data = encode(reply)
    if len(data) <= limit - REPLY_RESERVE or not isinstance(reply, WorkerStatus):
        return data
    facts = reply.facts
    contexts = list(facts.contexts)
    for place in reversed(range(len(contexts))):
        contexts[place] = _brief(contexts[place])
        note = f"the details of {len(contexts) - place} of {len(contexts)} contexts do not fit into a message"
        data = encode(WorkerStatus(msgspec.structs.replace(facts, contexts=tuple(contexts), note=note)))
        if len(data) <= limit - REPLY_RESERVE:
            break
    return data


def _brief(facts: ContextFacts) -> ContextFacts:
    return msgspec.structs.replace(facts, shards=(), slowest=(), quarantined=())
