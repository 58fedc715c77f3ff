"""Requests and replies of the control plane: MessagePack maps with a version, of bounded size.

A receiver takes nothing for granted: whoever is on the bus can send anything."""

from collections.abc import Coroutine
from typing import Any, TypeAlias

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


class PauseView(Request, frozen=True, tag="pause view", kw_only=True):
    """Halt a view, or let it go on."""

    context: str
    view: str
    paused: bool


class RebuildView(Request, frozen=True, tag="rebuild view", kw_only=True):
    """Fold a view anew, beside what answers."""

    context: str
    view: str


class ReleaseView(Request, frozen=True, tag="release view", kw_only=True):
    """Let a view's parked shard try again."""

    context: str
    view: str
    shard: int


class SkipView(Request, frozen=True, tag="skip view", kw_only=True):
    """Have a view pass over the event that its shard is parked with."""

    context: str
    view: str
    shard: int
    seq: int


class LookAtViews(Request, frozen=True, tag="look at views", kw_only=True):
    """Something about a context's views has changed in their store."""

    context: str


class Done(msgspec.Struct, frozen=True, tag_field="reply", tag="done"):
    """It was done, or begun if it takes time."""


class Failed(msgspec.Struct, frozen=True, tag_field="reply", tag="failed"):
    """It was not done."""

    why: str


class Begun(msgspec.Struct, frozen=True, tag_field="reply", tag="begun"):
    """A generation of a view is being built."""

    generation: int


class Skipped(msgspec.Struct, frozen=True, tag_field="reply", tag="skipped", kw_only=True):
    """The event that a view has passed over."""

    event: str
    entity: str
    version: int
    error: str
    """Why it could not be folded."""


class WorkerStatus(msgspec.Struct, frozen=True, tag_field="reply", tag="worker"):
    facts: WorkerFacts


class NodeStatus(msgspec.Struct, frozen=True, tag_field="reply", tag="node"):
    facts: NodeFacts


ViewAsk: TypeAlias = PauseView | RebuildView | ReleaseView | SkipView | LookAtViews
Ask: TypeAlias = Status | Release | Scale | Drain | Restart | ViewAsk
Reply: TypeAlias = Done | Failed | Begun | Skipped | WorkerStatus | NodeStatus
Work: TypeAlias = Coroutine[Any, Any, Reply]
"""A reply that takes time."""

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
    """The reply in at most ``limit`` bytes: a worker's facts lose the positions of their views, then their
    other details, the last context's first, until they fit."""
    data = encode(reply)
    if len(data) <= limit - REPLY_RESERVE or not isinstance(reply, WorkerStatus):
        return data
    facts = reply.facts
    contexts = list(facts.contexts)
    for what, shorten in (("positions of the views", _without_places), ("details", _brief)):
        for place in reversed(range(len(contexts))):
            contexts[place] = shorten(contexts[place])
            left_out = f"{len(contexts) - place} of {len(contexts)} contexts"
            note = f"the {what} of {left_out} do not fit into a message"
            data = encode(WorkerStatus(msgspec.structs.replace(facts, contexts=tuple(contexts), note=note)))
            if len(data) <= limit - REPLY_RESERVE:
                return data
    return data


def _without_places(facts: ContextFacts) -> ContextFacts:
    views = tuple(msgspec.structs.replace(view, places=()) for view in facts.views)
    return msgspec.structs.replace(facts, views=views)


def _brief(facts: ContextFacts) -> ContextFacts:
    views = tuple(msgspec.structs.replace(view, places=(), parked=()) for view in facts.views)
    return msgspec.structs.replace(facts, shards=(), slowest=(), quarantined=(), views=views)
