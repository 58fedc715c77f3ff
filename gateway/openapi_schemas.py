"""JSON Schemas of everything a context takes and shows, for the OpenAPI document."""

import re
import typing
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from actors.manifest import AggregateManifest
from contexts.vocabulary import Event, Get, Rejection, Value
from gateway.problems import FieldError
from gateway.rejections import member_of, name_of, status_of, title_of

Schema = dict[str, Any]

REFERENCE = "#/components/schemas/{name}"
INSTANT: Schema = {"type": "string", "format": "date-time"}
VERSION: Schema = {"type": "integer", "minimum": 1, "maximum": 2**63 - 1}
POSITION: Schema = {
    "type": "string",
    "description": "A place in the context's feed of events: `<context>/<shard>:<sequence>`.",
    "examples": ["booking/17:42"],
}
TOLD: dict[str, Schema] = {
    "by": {"type": "string", "description": "Whose command it was."},
    "command": {"type": "string", "pattern": "^[0-9a-f]{32}$", "description": "Of which command it is."},
    "position": POSITION,
    "trace": {"type": "string", "description": "The request's `traceparent`, if it had one."},
}
"""What a history says of an event beside what is said of it everywhere."""
PROBLEM: Schema = {
    "type": "object",
    "description": "A problem (RFC 9457). `type` is stable and says which one it is.",
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
        "instance": {"type": "string", "description": "The request's path."},
        "errors": {"type": "array", "items": {"$ref": REFERENCE.format(name="FieldError")}},
    },
    "required": ["type", "title", "status", "instance"],
}


class Schemas:
    """The ``components/schemas`` of a document, and the references into them."""

    def __init__(self, types: Iterable[Any]) -> None:
        self._types = [FieldError, *types]
        described = [t for t in self._types if _describable(t)]
        references, components = msgspec.json.schema_components(described, ref_template=REFERENCE)
        self._references = list(zip(described, references, strict=True))
        self.components: dict[str, Schema] = {**_dressed(components), "Problem": PROBLEM}

    def of(self, kind: Any) -> Schema:
        """The schema of a type; anything at all when it has no JSON Schema."""
        return next((_dressed(reference) for known, reference in self._references if known == kind), {})

    def masked(self, document: type[Value], fields: tuple[str, ...]) -> Schema:
        """A document from which these fields may be kept."""
        (whole,), components = msgspec.json.schema_components([document], ref_template=REFERENCE)
        schema = _dressed(components[whole["$ref"].rpartition("/")[2]])
        wire = dict(zip(document.__struct_fields__, document.__struct_encode_fields__, strict=True))
        hidden = {wire[field] for field in fields}
        schema["required"] = [name for name in schema.get("required", []) if name not in hidden]
        return self._named(document, "Visible", schema)

    def event(self, kind: type[Event]) -> Schema:
        """An event as it is shown everywhere."""
        return {
            "type": "object",
            "title": kind.__name__,
            "properties": {
                "version": VERSION,
                "type": {"const": kind.__name__},
                "at": INSTANT,
                "data": self.of(kind),
            },
            "required": ["version", "type", "at", "data"],
        }

    def told(self, kind: type[Event]) -> Schema:
        """An event as its history tells it."""
        event = self.event(kind)
        event["properties"] |= TOLD
        event["required"] += [name for name in TOLD if name != "trace"]
        return event

    def events(self, aggregate: AggregateManifest) -> Schema:
        """Any events of an aggregate."""
        alternatives = [self._named(kind, "Shown", self.event(kind)) for kind in aggregate.events]
        return {"type": "array", "items": {"oneOf": alternatives}}

    def accepted(self, aggregate: AggregateManifest) -> Schema:
        """What a command's caller is told."""
        accepted = _object(version=VERSION, position=POSITION, events=self.events(aggregate))
        return self._named(aggregate.state, "Accepted", accepted)

    def state(self, state: Any) -> Schema:
        """A state, or a part of one, as a query shows it."""
        return _object(version=VERSION, position=POSITION, state=self.of(state))

    def history(self, aggregate: AggregateManifest) -> Schema:
        """A page of events."""
        following: Schema = {"type": ["string", "null"], "description": "The path of the next page."}
        alternatives = [self._named(kind, "Told", self.told(kind)) for kind in aggregate.events]
        events: Schema = {"type": "array", "items": {"oneOf": alternatives}}
        return _object(events=events, next=following)

    def rejection(self, kind: type[Rejection]) -> Schema:
        """A problem that a context's rejection becomes."""
        fields = msgspec.structs.fields(kind)
        hints = typing.get_type_hints(kind, include_extras=True)
        properties: dict[str, Schema] = {
            "type": {"const": f"/problems/{name_of(kind)}"},
            "status": {"const": status_of(kind)},
        }
        properties.update({member_of(f.name): self.of(hints[f.name]) for f in fields})
        rejection = {
            "title": kind.__name__,
            "description": title_of(kind),
            "allOf": [{"$ref": REFERENCE.format(name="Problem")}],
            "properties": properties,
            "required": ["type", *(member_of(f.name) for f in fields)],
        }
        return self._named(kind, "Problem", rejection)

    def _named(self, kind: type, role: str, schema: Schema) -> Schema:
        """A reference to the schema, which becomes a component: it is needed by many operations."""
        name = re.sub(r"[^A-Za-z0-9._-]", "_", f"{kind.__module__}.{kind.__qualname__}.{role}")
        self.components[name] = schema
        return {"$ref": REFERENCE.format(name=name)}


def types_of(aggregates: Sequence[AggregateManifest], bodies: Iterable[type]) -> list[Any]:
    """Every type that a context's part of the document speaks of."""
    types: list[Any] = list(bodies)
    for aggregate in aggregates:
        types += (aggregate.state, *aggregate.events)
        for rejection in aggregate.rejections:
            types += typing.get_type_hints(rejection, include_extras=True).values()
    return types


def part_type(route: Get) -> Any:
    """The type that a route's ``part`` is annotated to return, ``None`` taken off: that is a 404."""
    assert route.part is not None
    found = typing.get_type_hints(route.part, include_extras=True).get("return", Any)
    members = [member for member in typing.get_args(found) if member is not type(None)]
    return members[0] if len(members) == 1 and type(None) in typing.get_args(found) else found


def _describable(kind: Any) -> bool:
    try:
        msgspec.json.schema_components([kind])
    except TypeError:
        return False
    return True


def _dressed(schema: Any, name: str = "") -> Any:
    """The same schema with the width that integers have, and with examples where a pattern would else be
    shown as random characters: the property's own name, if it fits."""
    if isinstance(schema, list):
        return [_dressed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") == "integer":
        return {**schema, "format": "int64"}
    pattern = schema.get("pattern")
    if isinstance(pattern, str) and "examples" not in schema and re.search(pattern, name):
        return {**schema, "examples": [name]}
    return {
        key: _properties(value) if key == "properties" else _dressed(value) for key, value in schema.items()
    }


def _properties(properties: dict[str, Schema]) -> dict[str, Schema]:
    return {name: _dressed(schema, name) for name, schema in properties.items()}


def _object(**properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties)}


def first_line(doc: str | None) -> str:
    """A docstring's first paragraph, without marks."""
    return " ".join((doc or "").strip().split("\n\n")[0].replace("`", "").split())
