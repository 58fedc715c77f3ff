"""Streams of events in the OpenAPI document."""

from typing import Any

from actors.manifest import path_parameters
from gateway.events import ContextEvents, DocumentEvents
from gateway.openapi_answers import ANY_REQUEST, with_problems
from gateway.openapi_schemas import Schema
from gateway.router import LONGEST_PARAMETER

EventsEndpoint = ContextEvents | DocumentEvents


def stream_answer(description: str) -> dict[str, Any]:
    """Server-Sent Events (WHATWG HTML, 9.2), without an end."""
    return {"description": description, "content": {"text/event-stream": {"schema": {"type": "string"}}}}


def events_operation(endpoint: EventsEndpoint) -> dict[str, Any]:
    """All but its tags and its id."""
    if isinstance(endpoint, ContextEvents):
        summary = f"Follow all events of {endpoint.manifest.name}."
        told = "Each message is an event: `event` is its type, `data` all that is told of it"
    else:
        summary = f"Follow the documents of the view {endpoint.view.name} found here."
        told = "`changed` with `key` and `document`, or `removed` with `key`, whenever an event touches one"
    description = f"{told}; `id` is the position to come again with."
    return {
        "summary": summary,
        "parameters": [
            *(_in_path(name) for name in path_parameters(endpoint.template)),
            _AFTER,
            {"$ref": "#/components/parameters/LastEventId"},
        ],
        "responses": with_problems({"200": stream_answer(description)}, ANY_REQUEST),
    }


_AFTER: Schema = {
    "name": "after",
    "in": "query",
    "description": "Begin after this position, as `Last-Event-ID` does; without either, from now.",
    "schema": {"type": "string"},
}


def _in_path(name: str) -> Schema:
    schema = {"type": "string", "minLength": 1, "maxLength": LONGEST_PARAMETER}
    return {"name": name, "in": "path", "required": True, "schema": schema, "example": f"{name}-1"}
