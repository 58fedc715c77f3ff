"""The OpenAPI 3.1 document, generated from the contexts' manifests: every operation with all its answers."""

from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import Any, get_type_hints

import msgspec

from actors.manifest import AggregateManifest, path_parameters
from actors.settings import GatewaySettings
from contexts.vocabulary import Command
from gateway import problems
from gateway.commands import CommandEndpoint
from gateway.idempotency import LONGEST
from gateway.openapi_schemas import REFERENCE, VERSION, Schema, Schemas, part_type, types_of
from gateway.problems import PROBLEM_TYPES, ProblemType
from gateway.queries import LARGEST_PAGE, PAGE, HistoryEndpoint, StateEndpoint
from gateway.query_string import HIGHEST
from gateway.rejections import status_of
from gateway.router import LONGEST_PARAMETER

Described = CommandEndpoint | StateEndpoint | HistoryEndpoint

ANY_REQUEST = (
    problems.MALFORMED_REQUEST,
    problems.INVALID_PATH,
    problems.INVALID_QUERY,
    problems.INVALID_HEADER,
    problems.UNEXPECTED_BODY,
    problems.NOT_FOUND,
    problems.NOT_ACCEPTABLE,
    problems.REQUEST_TIMEOUT,
    problems.PRECONDITION_FAILED,
    problems.BODY_TOO_LARGE,
    problems.EXPECTATION_FAILED,
    problems.HEADERS_TOO_LARGE,
    problems.INTERNAL_ERROR,
    problems.FAILED,
    problems.UNREADABLE,
    problems.MAILBOX_FULL,
    problems.OVERLOADED,
    problems.EXPIRED,
    problems.QUARANTINED,
    problems.MOVED,
    problems.STOPPING,
    problems.JOURNAL_UNAVAILABLE,
)
ANY_COMMAND = (
    problems.MALFORMED_JSON,
    problems.NESTED_TOO_DEEPLY,
    problems.UNSUPPORTED_MEDIA_TYPE,
    problems.UNSUPPORTED_ENCODING,
    problems.INVALID_BODY,
    problems.IDEMPOTENCY_KEY_REUSED,
    problems.OUTCOME_UNKNOWN,
    problems.JOURNAL_FULL,
)

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
    "Prefer": {
        "name": "Prefer",
        "in": "header",
        "description": "`wait=<seconds>` (RFC 7240): how long you will wait for the answer.",
        "schema": {"type": "string", "pattern": r"^wait=[1-9][0-9]{0,2}$"},
    },
    "TraceParent": {
        "name": "traceparent",
        "in": "header",
        "description": "W3C Trace Context; stored with the events.",
        "schema": {"type": "string", "pattern": r"^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"},
    },
}

HEADERS: dict[str, Schema] = {
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


def document(endpoints: Sequence[Described], settings: GatewaySettings) -> dict[str, Any]:
    """The whole document as plain data."""
    aggregates = list({id(e.aggregate): e.aggregate for e in endpoints}.values())
    bodies = [e.decoder.body_type for e in endpoints if isinstance(e, CommandEndpoint)]
    parts = [part_type(e.route) for e in endpoints if isinstance(e, StateEndpoint) and e.route.part]
    schemas = Schemas([*types_of(aggregates, bodies), *parts, *_parameter_types(endpoints)])
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        operations = paths.setdefault(endpoint.template, {})
        operations[endpoint.recorder.method.lower()] = _operation(endpoint, schemas, settings)
    contexts = {e.manifest.name: e.manifest.context.summary for e in endpoints}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Butai",
            "version": version("butai"),
            "summary": "Commands and queries of " + ", ".join(contexts) + ".",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": summary} for name, summary in contexts.items()],
        "paths": paths,
        "components": {"schemas": schemas.components, "parameters": PARAMETERS, "headers": HEADERS},
    }


def _parameter_types(endpoints: Iterable[Described]) -> list[Any]:
    return [
        hint
        for e in endpoints
        if isinstance(e, CommandEndpoint)
        for hint in get_type_hints(e.route.command, include_extras=True).values()
    ]


def _operation(endpoint: Described, schemas: Schemas, settings: GatewaySettings) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "tags": [endpoint.manifest.name],
        "operationId": _operation_id(endpoint),
        "parameters": _parameters(endpoint, schemas),
    }
    if isinstance(endpoint, CommandEndpoint):
        command = endpoint.route.command
        operation["summary"] = _first_line(command.__doc__) or command.__name__
        if endpoint.takes_body and endpoint.decoder.fields:
            operation["requestBody"] = {
                "required": endpoint.decoder.needs_body,
                "description": f"At most {settings.body_bytes} bytes, {settings.nesting} levels deep.",
                "content": {"application/json": {"schema": schemas.of(endpoint.decoder.body_type)}},
            }
        operation["responses"] = _command_answers(endpoint, schemas)
    elif isinstance(endpoint, StateEndpoint):
        part = endpoint.route.part
        what = _first_line(part.__doc__) if part else f"The state of one {endpoint.aggregate.name}."
        operation["summary"] = what or f"A part of one {endpoint.aggregate.name}."
        shown = part_type(endpoint.route) if part else endpoint.aggregate.state
        ok = _json("The committed state.", schemas.state(shown), ("ETag",))
        unchanged = {"description": "Not modified.", "headers": _headers(("ETag",))}
        operation["responses"] = _problems(
            {"200": ok, "304": unchanged}, (*ANY_REQUEST, problems.NO_SUCH_VERSION)
        )
    else:
        operation["summary"] = f"The history of one {endpoint.aggregate.name}: its events."
        ok = _json("A page of events, by version.", schemas.history(endpoint.aggregate))
        operation["responses"] = _problems({"200": ok}, ANY_REQUEST)
    return operation


def _operation_id(endpoint: Described) -> str:
    context = endpoint.manifest.name
    if isinstance(endpoint, CommandEndpoint):
        return f"{context}.{endpoint.route.command.__name__}"
    words = [w.strip("{}") for w in endpoint.template.split("/")[2:]]
    return f"{context}.get.{'.'.join(words)}"


def _parameters(endpoint: Described, schemas: Schemas) -> list[Schema]:
    parameters = [_path_parameter(endpoint, name, schemas) for name in path_parameters(endpoint.template)]
    if isinstance(endpoint, CommandEndpoint):
        shared = ["IdempotencyKey", "IfMatch", "MustNotExist", "Prefer", "TraceParent"]
    elif isinstance(endpoint, StateEndpoint):
        shared = ["IfMatch", "IfNoneMatch", "Prefer"]
        if endpoint.route.part is None:
            parameters.append(_query("version", "A past version to show.", VERSION))
    else:
        shared = ["Prefer"]
        after = {"type": "integer", "minimum": 0, "maximum": HIGHEST, "default": 0}
        limit = {"type": "integer", "minimum": 1, "maximum": LARGEST_PAGE, "default": PAGE}
        parameters.append(_query("after", "Show events with versions above this one.", after))
        parameters.append(_query("limit", "Events on the page at most.", limit))
    return parameters + [{"$ref": f"#/components/parameters/{name}"} for name in shared]


def _path_parameter(endpoint: Described, name: str, schemas: Schemas) -> Schema:
    schema: Schema = {
        "type": "string",
        "minLength": 1,
        "maxLength": LONGEST_PARAMETER,
        "pattern": r"^[^/\\\x00-\x1f\x7f-\x9f]+$",
        "not": {"enum": [".", ".."]},
        "examples": [f"{name}-1"],
    }
    if isinstance(endpoint, CommandEndpoint) and name in endpoint.decoder.filled:
        schema = _field_schema(endpoint.route.command, name, schemas)
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _field_schema(command: type[Command], wire: str, schemas: Schemas) -> Schema:
    hints = get_type_hints(command, include_extras=True)
    return next(schemas.of(hints[f.name]) for f in msgspec.structs.fields(command) if f.encode_name == wire)


def _query(name: str, description: str, schema: Schema) -> Schema:
    return {"name": name, "in": "query", "description": description, "schema": schema}


def _command_answers(endpoint: CommandEndpoint, schemas: Schemas) -> dict[str, Any]:
    aggregate: AggregateManifest = endpoint.aggregate
    body = schemas.accepted(aggregate)
    answers = {
        "200": _json("Done; without events there was nothing to do.", body, ("ETag", "IdempotencyReplayed"))
    }
    if endpoint.route.creates:
        answers["201"] = _json("Created.", body, ("ETag", "Location", "IdempotencyReplayed"))
    rejections: dict[int, list[Schema]] = {}
    for kind in aggregate.rejections:
        rejections.setdefault(status_of(kind), []).append(schemas.rejection(kind))
    return _problems(answers, (*ANY_REQUEST, *ANY_COMMAND), rejections)


def _problems(
    answers: dict[str, Any],
    kinds: Sequence[ProblemType],
    rejections: Mapping[int, list[Schema]] | None = None,
) -> dict[str, Any]:
    """``answers`` and, by status, every problem that may come instead."""
    rejections = rejections or {}
    for status in sorted({kind.status for kind in kinds} | set(rejections)):
        here = [kind for kind in kinds if kind.status == status]
        alternatives = list(rejections.get(status, ()))
        if here:
            alternatives.insert(0, _own_problem(here))
        titles = [f"`{kind.name}`" for kind in here]
        titles += [
            f"`{schema['properties']['type']['const'].rpartition('/')[2]}`"
            for schema in alternatives[bool(here) :]
        ]
        headers = (("RetryAfter",) if any(kind.retry for kind in here) else ()) + (
            ("IdempotencyReplayed",) if status in rejections else ()
        )
        schema = alternatives[0] if len(alternatives) == 1 else {"anyOf": alternatives}
        answers[str(status)] = {
            "description": "A problem: " + ", ".join(titles) + ".",
            "content": {"application/problem+json": {"schema": schema}},
        }
        if headers:
            answers[str(status)]["headers"] = _headers(headers)
    return answers


def _own_problem(kinds: Sequence[ProblemType]) -> Schema:
    return {
        "allOf": [{"$ref": REFERENCE.format(name="Problem")}],
        "properties": {"type": {"enum": [kind.uri for kind in kinds]}},
    }


def _json(description: str, schema: Schema, headers: tuple[str, ...] = ()) -> dict[str, Any]:
    answer = {"description": description, "content": {"application/json": {"schema": schema}}}
    return {**answer, "headers": _headers(headers)} if headers else answer


_WIRE_NAMES = {"IdempotencyReplayed": "Idempotency-Replayed", "RetryAfter": "Retry-After"}


def _headers(names: Iterable[str]) -> dict[str, Schema]:
    return {_WIRE_NAMES.get(name, name): {"$ref": f"#/components/headers/{name}"} for name in names}


def _first_line(doc: str | None) -> str:
    return " ".join((doc or "").strip().split("\n\n")[0].replace("`", "").split())


UNDESCRIBED = frozenset({problems.METHOD_NOT_ALLOWED, problems.NOT_READY})
"""Problems of no operation: what answers is not an operation, or not the API."""

assert UNDESCRIBED.isdisjoint((*ANY_REQUEST, *ANY_COMMAND))
assert set(PROBLEM_TYPES.values()) == {
    *ANY_REQUEST,
    *ANY_COMMAND,
    problems.NO_SUCH_VERSION,
    *UNDESCRIBED,
}
