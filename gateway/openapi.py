"""The OpenAPI 3.1 document, generated from the contexts' manifests: every operation with all its answers."""

from collections.abc import Iterable, Sequence
from importlib.metadata import version
from typing import Any, get_type_hints

import msgspec

from actors.manifest import path_parameters
from actors.settings import GatewaySettings
from contexts.vocabulary import Command
from gateway import problems
from gateway.commands import CommandEndpoint
from gateway.openapi_answers import ANY_REQUEST, command_answers, json_answer, with_problems
from gateway.openapi_events import EventsEndpoint, events_operation, stream_answer
from gateway.openapi_headers import HEADERS, PARAMETERS, headers
from gateway.openapi_queries import (
    ViewEndpoint,
    rejections_of,
    types_of_views,
    view_operation,
    view_parameters,
)
from gateway.openapi_schemas import INSTANT, VERSION, Schema, Schemas, first_line, part_type, types_of
from gateway.queries import LARGEST_PAGE, PAGE, HistoryEndpoint, StateEndpoint
from gateway.query_string import HIGHEST
from gateway.router import LONGEST_PARAMETER

OfEntity = CommandEndpoint | StateEndpoint | HistoryEndpoint
Described = OfEntity | ViewEndpoint | EventsEndpoint


def document(endpoints: Sequence[Described], settings: GatewaySettings) -> dict[str, Any]:
    """The whole document as plain data."""
    own = [e for e in endpoints if not isinstance(e, ViewEndpoint | EventsEndpoint)]
    aggregates = list({id(e.aggregate): e.aggregate for e in own}.values())
    bodies = [e.decoder.body_type for e in endpoints if isinstance(e, CommandEndpoint)]
    parts = [part_type(e.route) for e in endpoints if isinstance(e, StateEndpoint) and e.route.part]
    schemas = Schemas(
        [*types_of(aggregates, bodies), *parts, *_parameter_types(endpoints), *types_of_views(endpoints)]
    )
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
    commands = [e.route.command for e in endpoints if isinstance(e, CommandEndpoint)]
    structs = [*commands, *rejections_of(endpoints)]
    return [hint for one in structs for hint in get_type_hints(one, include_extras=True).values()]


def _operation(endpoint: Described, schemas: Schemas, settings: GatewaySettings) -> dict[str, Any]:
    operation: dict[str, Any] = {"tags": [endpoint.manifest.name], "operationId": _operation_id(endpoint)}
    if isinstance(endpoint, EventsEndpoint):
        return {**operation, **events_operation(endpoint)}
    if isinstance(endpoint, ViewEndpoint):
        return {
            **operation,
            "parameters": view_parameters(endpoint, schemas),
            **view_operation(endpoint, schemas),
        }
    return {
        **operation,
        "parameters": _parameters(endpoint, schemas),
        **_of_entity(endpoint, schemas, settings),
    }


def _of_entity(endpoint: OfEntity, schemas: Schemas, settings: GatewaySettings) -> dict[str, Any]:
    operation: dict[str, Any] = {}
    if isinstance(endpoint, CommandEndpoint):
        command = endpoint.route.command
        operation["summary"] = first_line(command.__doc__) or command.__name__
        if endpoint.takes_body and endpoint.decoder.fields:
            operation["requestBody"] = {
                "required": endpoint.decoder.needs_body,
                "description": f"At most {settings.body_bytes} bytes, {settings.nesting} levels deep.",
                "content": {"application/json": {"schema": schemas.of(endpoint.decoder.body_type)}},
            }
        operation["responses"] = command_answers(endpoint, schemas)
    elif isinstance(endpoint, StateEndpoint):
        part = endpoint.route.part
        what = first_line(part.__doc__) if part else f"The state of one {endpoint.aggregate.name}."
        operation["summary"] = what or f"A part of one {endpoint.aggregate.name}."
        shown = part_type(endpoint.route) if part else endpoint.aggregate.state
        ok = json_answer("The committed state.", schemas.state(shown), ("ETag",))
        unchanged = {"description": "Not modified.", "headers": headers(("ETag",))}
        operation["responses"] = with_problems(
            {"200": ok, "304": unchanged}, (*ANY_REQUEST, problems.NO_SUCH_VERSION)
        )
    else:
        operation["summary"] = f"The history of one {endpoint.aggregate.name}: its events."
        ok = json_answer("A page of events, by version.", schemas.history(endpoint.aggregate))
        if endpoint.follows:
            ok["content"].update(stream_answer("")["content"])
            ok["description"] += " As a stream: the events as they happen, after `Last-Event-ID`."
        operation["responses"] = with_problems({"200": ok}, ANY_REQUEST)
    return operation


def _operation_id(endpoint: Described) -> str:
    context = endpoint.manifest.name
    if isinstance(endpoint, CommandEndpoint):
        return f"{context}.{endpoint.route.command.__name__}"
    words = [w.strip("{}") for w in endpoint.template.split("/")[2:]]
    return f"{context}.get.{'.'.join(words)}"


def _parameters(endpoint: OfEntity, schemas: Schemas) -> list[Schema]:
    parameters = [_path_parameter(endpoint, name, schemas) for name in path_parameters(endpoint.template)]
    if isinstance(endpoint, CommandEndpoint):
        shared = ["IdempotencyKey", "IfMatch", "MustNotExist", "Prefer", "TraceParent"]
    elif isinstance(endpoint, StateEndpoint):
        shared = ["IfMatch", "IfNoneMatch", "Prefer"]
        if endpoint.route.part is None:
            parameters.append(_query("version", "A past version to show.", VERSION))
            parameters.append(_query("at", "Show what was at this instant; not with `version`.", INSTANT))
    else:
        shared = ["Prefer"]
        after = {"type": "integer", "minimum": 0, "maximum": HIGHEST, "default": 0}
        limit = {"type": "integer", "minimum": 1, "maximum": LARGEST_PAGE, "default": PAGE}
        parameters.append(_query("after", "Show events with versions above this one.", after))
        parameters.append(_query("limit", "Events on the page at most.", limit))
    return parameters + [{"$ref": f"#/components/parameters/{name}"} for name in shared]


def _path_parameter(endpoint: OfEntity, name: str, schemas: Schemas) -> Schema:
    schema: Schema = {
        "type": "string",
        "minLength": 1,
        "maxLength": LONGEST_PARAMETER,
        "pattern": r"^[^/\\\x00-\x1f\x7f-\x9f]+$",
    }
    if isinstance(endpoint, CommandEndpoint) and name in endpoint.decoder.filled:
        schema = _field_schema(endpoint.route.command, name, schemas)
    parameter: Schema = {"name": name, "in": "path", "required": True, "schema": schema}
    if schema.get("type") == "string":
        parameter["example"] = f"{name}-1"
    return parameter


def _field_schema(command: type[Command], wire: str, schemas: Schemas) -> Schema:
    hints = get_type_hints(command, include_extras=True)
    return next(schemas.of(hints[f.name]) for f in msgspec.structs.fields(command) if f.encode_name == wire)


def _query(name: str, description: str, schema: Schema) -> Schema:
    return {"name": name, "in": "query", "description": description, "schema": schema}
