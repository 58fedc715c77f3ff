"""Headers that requests and answers may carry, for the OpenAPI document."""

from collections.abc import Iterable

from gateway.idempotency import LONGEST
from gateway.openapi_schemas import Schema

_POSITION = r"^[a-z_][a-z0-9_]*/([0-9]+:[0-9]+(,[0-9]+:[0-9]+)*)?$"

PARAMETERS: dict[str, Schema] = {
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "A key of your choice. The same request with the same key takes effect once and gets "
        "the first answer again, with `Idempotency-Replayed: true`.",
        "schema": {
            "type": "string",
            "minLength": 1,
            "maxLength": LONGEST,
            "pattern": r"^[A-Za-z0-9._~-]+$",
        },
    },
    "IfMatch": {
        "name": "If-Match",
        "in": "header",
        "description": 'The version it must have, as an entity tag: `"3"`; `*` for any.',
        "schema": {"type": "string", "pattern": r'^("[1-9][0-9]{0,17}"|\*)$'},
    },
    "MustNotExist": {
        "name": "If-None-Match",
        "in": "header",
        "description": "`*`: it must not exist yet. Together with `If-Match` nothing can pass.",
        "schema": {"type": "string", "const": "*"},
    },
    "IfNoneMatch": {
        "name": "If-None-Match",
        "in": "header",
        "description": "The version you have: when there is no newer one, the answer is 304.",
        "schema": {"type": "string", "pattern": r'^"[1-9][0-9]{0,17}"$'},
    },
    "IfMatchTag": {
        "name": "If-Match",
        "in": "header",
        "description": "The tag that the document must have; `*` for any.",
        "schema": {"type": "string", "pattern": r'^("[0-9a-f]{16}"|\*)$'},
    },
    "IfNoneMatchTag": {
        "name": "If-None-Match",
        "in": "header",
        "description": "The tag of the document you have: when it is still the same, the answer is 304.",
        "schema": {"type": "string", "pattern": r'^"[0-9a-f]{16}"$'},
    },
    "ReadAfter": {
        "name": "Read-After",
        "in": "header",
        "description": "A position that you know of, as in the reply to a command, or several of them: "
        "`<context>/<shard>:<sequence>,<shard>:<sequence>`. The answer is at least as fresh; if it cannot be "
        "in time, it is 503.",
        "schema": {"type": "string", "pattern": _POSITION},
    },
    "Prefer": {
        "name": "Prefer",
        "in": "header",
        "description": "`wait=<seconds>` (RFC 7240): how long you will wait for the answer.",
        "schema": {"type": "string", "pattern": r"^wait=[1-9][0-9]{0,2}$"},
    },
    "LastEventId": {
        "name": "Last-Event-ID",
        "in": "header",
        "description": "The `id` of the last message you were sent: you are sent what follows it.",
        "schema": {"type": "string", "examples": ["booking/0:12,46:2"]},
    },
    "TraceParent": {
        "name": "traceparent",
        "in": "header",
        "description": "W3C Trace Context; stored with the events.",
        "schema": {"type": "string", "pattern": r"^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"},
    },
}

HEADERS: dict[str, Schema] = {
    "DocumentTag": {
        "description": "A hash of the document as it is shown, in quotes.",
        "schema": {"type": "string", "pattern": '^"[0-9a-f]{16}"$'},
    },
    "Position": {
        "description": "What the answer stands at: by shard, the sequence up to which events are folded.",
        "schema": {"type": "string", "pattern": _POSITION},
    },
    "PositionAge": {
        "description": "Seconds for which something is known to be missing; 0.000 if nothing is.",
        "schema": {"type": "number", "minimum": 0},
    },
    "ETag": {"description": "The version, in quotes.", "schema": {"type": "string", "pattern": '^"[0-9]+"$'}},
    "Location": {"description": "The path of what was created.", "schema": {"type": "string"}},
    "IdempotencyReplayed": {
        "description": "`true` when the first answer to the key is given again.",
        "schema": {"type": "string", "const": "true"},
    },
    "RetryAfter": {
        "description": "Seconds after which another try makes sense.",
        "schema": {"type": "integer", "minimum": 1},
    },
}

_WIRE_NAMES = {
    "DocumentTag": "ETag",
    "IdempotencyReplayed": "Idempotency-Replayed",
    "PositionAge": "Position-Age",
    "RetryAfter": "Retry-After",
}


def headers(names: Iterable[str]) -> dict[str, Schema]:
    """References to these ``HEADERS``, under the names they have in answers."""
    return {_WIRE_NAMES.get(name, name): {"$ref": f"#/components/headers/{name}"} for name in names}
