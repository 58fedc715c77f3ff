"""The operations that read views, for the OpenAPI document: parameters, answers, problems."""

from collections.abc import Iterable
from typing import Any

from actors.manifest import path_parameters
from actors.views.declaration import ViewManifest
from contexts.vocabulary import Rejection
from gateway import problems
from gateway.documents import DocumentEndpoint
from gateway.find import FindEndpoint
from gateway.find_query import LARGEST_PAGE, LONGEST_SEARCH, PAGE
from gateway.inquiries import InquiryEndpoint
from gateway.openapi_answers import ANY_READ, VIEW_POSITION, json_answer, with_problems
from gateway.openapi_headers import headers
from gateway.openapi_schemas import INSTANT, Schema, Schemas, first_line
from gateway.rejections import name_of, status_of
from gateway.router import LONGEST_PARAMETER

ViewEndpoint = DocumentEndpoint | FindEndpoint | InquiryEndpoint

_KINDS: dict[str, Schema] = {
    "text": {"type": "string", "pattern": r"^[^\x00]*$"},
    "integer": {"type": "integer", "format": "int64", "minimum": -(2**63), "maximum": 2**63 - 1},
    "real": {"type": "number", "minimum": -1e300, "maximum": 1e300},
    "boolean": {"type": "boolean"},
    "moment": INSTANT,
    "date": {"type": "string", "format": "date"},
}


def types_of_views(endpoints: Iterable[object]) -> list[Any]:
    """Every type that these operations speak of."""
    types: list[Any] = []
    for endpoint in endpoints:
        if isinstance(endpoint, DocumentEndpoint | FindEndpoint):
            types.append(endpoint.view.document)
        elif isinstance(endpoint, InquiryEndpoint):
            types += endpoint.decoder.types.values()
            types += () if endpoint.inquiry.calendar else endpoint.inquiry.answers
    return types


def view_operation(endpoint: ViewEndpoint, schemas: Schemas) -> dict[str, Any]:
    """Summary and answers."""
    if isinstance(endpoint, DocumentEndpoint):
        summary = f"One document of the view {endpoint.view.name}."
        ok = json_answer("The document.", _document(endpoint.view, schemas), ("DocumentTag", *VIEW_POSITION))
        unchanged = {"description": "Not modified.", "headers": headers(("DocumentTag", *VIEW_POSITION))}
        return {"summary": summary, "responses": with_problems({"200": ok, "304": unchanged}, ANY_READ)}
    if isinstance(endpoint, FindEndpoint):
        page = json_answer("A page of documents.", _page(endpoint, schemas), VIEW_POSITION)
        return {
            "summary": f"Find documents of the view {endpoint.view.name}.",
            "responses": with_problems({"200": page}, ANY_READ),
        }
    return _inquiry(endpoint, schemas)


def _inquiry(endpoint: InquiryEndpoint, schemas: Schemas) -> dict[str, Any]:
    inquiry = endpoint.inquiry
    if inquiry.calendar:
        answer = {
            "description": "A calendar (RFC 5545).",
            "content": {"text/calendar": {"schema": {"type": "string"}}},
            "headers": headers(VIEW_POSITION),
        }
    else:
        shown = [schemas.of(one) for one in inquiry.answers]
        answer = json_answer("The answer.", shown[0] if len(shown) == 1 else {"anyOf": shown}, VIEW_POSITION)
    rejections: dict[int, dict[str, Schema]] = {}
    for kind in inquiry.rejections:
        rejections.setdefault(status_of(kind), {})[name_of(kind)] = schemas.rejection(kind)
    responses = with_problems({"200": answer}, (*ANY_READ, problems.TOO_MANY_DOCUMENTS), rejections, False)
    summary = first_line(inquiry.question.__doc__) or inquiry.question.__name__
    return {"summary": summary, "responses": responses}


def rejections_of(endpoints: Iterable[object]) -> list[type[Rejection]]:
    """What inquiries may refuse with."""
    return [k for e in endpoints if isinstance(e, InquiryEndpoint) for k in e.inquiry.rejections]


def view_parameters(endpoint: ViewEndpoint, schemas: Schemas) -> list[Schema]:
    """Path and query parameters, and headers."""
    shared = ["IfMatchTag", "IfNoneMatchTag"] if isinstance(endpoint, DocumentEndpoint) else []
    parameters = [_in_path(endpoint, name, schemas) for name in path_parameters(endpoint.template)]
    if isinstance(endpoint, FindEndpoint):
        parameters += _find_parameters(endpoint)
    elif isinstance(endpoint, InquiryEndpoint):
        decoder = endpoint.decoder
        parameters += [
            {
                "name": name,
                "in": "query",
                "required": name in decoder.required,
                "schema": schemas.of(decoder.types[name]),
            }
            for name in decoder.asked
        ]
    return parameters + [
        {"$ref": f"#/components/parameters/{name}"} for name in (*shared, "ReadAfter", "Prefer")
    ]


def _in_path(endpoint: ViewEndpoint, name: str, schemas: Schemas) -> Schema:
    schema: Schema = {
        "type": "string",
        "minLength": 1,
        "maxLength": LONGEST_PARAMETER,
        "pattern": r"^[^/\\\x00-\x1f\x7f-\x9f]+$",
    }
    if isinstance(endpoint, InquiryEndpoint):
        schema = schemas.of(endpoint.decoder.types[name])
    elif isinstance(endpoint, FindEndpoint):
        kind = endpoint.query.columns[name].kind
        schema = schema if kind == "text" else _KINDS[kind]
    parameter: Schema = {"name": name, "in": "path", "required": True, "schema": schema}
    if schema.get("type") == "string" and "format" not in schema:
        parameter["example"] = f"{name}-1"
    return parameter


_COMPARED = {
    "==": "is",
    "!=": "is not",
    ">=": "is at least",
    ">": "is above",
    "<=": "is at most",
    "<": "is below",
}


def _find_parameters(endpoint: FindEndpoint) -> list[Schema]:
    query = endpoint.query
    found = [
        _in_query(name, f"Documents whose `{column.name}` {_COMPARED[operator]} this.", _KINDS[column.kind])
        for name, (column, operator) in query.filters.items()
    ]
    if query.columns:
        orders = [order for name in query.columns for order in (name, f"-{name}")]
        sort: Schema = {"type": "string", "enum": orders}
        if query.sort is not None:
            sort["default"] = query.sort
        found.append(_in_query("sort", "The order; with `-`, descending. Without it, by key.", sort))
    limit = {"type": "integer", "minimum": 1, "maximum": LARGEST_PAGE, "default": PAGE}
    found.append(_in_query("limit", "Documents on the page at most.", limit))
    found.append(_in_query("cursor", "As in `next` of the page before.", {"type": "string", "minLength": 1}))
    found.append(_in_query("total", "Count all that is found.", {"type": "boolean", "default": False}))
    if query.search:
        words = {
            "type": "string",
            "minLength": 1,
            "maxLength": LONGEST_SEARCH,
            "pattern": r"^[^\x00]*[^\x00\s]",
        }
        where = " and ".join(f"`{field}`" for field in query.search)
        found.append(_in_query("search", f"Words that must all be in {where}.", words))
    return found


def _in_query(name: str, description: str, schema: Schema) -> Schema:
    return {"name": name, "in": "query", "description": description, "schema": schema}


def _document(view: ViewManifest, schemas: Schemas) -> Schema:
    whole = schemas.of(view.document)
    if not view.view.masked:
        return whole
    return schemas.masked(view.document, tuple(view.view.masked))


def _page(endpoint: FindEndpoint, schemas: Schemas) -> Schema:
    return {
        "type": "object",
        "properties": {
            "items": {"type": "array", "items": _document(endpoint.view, schemas)},
            "next": {"type": ["string", "null"], "description": "The path of the next page."},
            "total": {"type": "integer", "format": "int64", "description": "All there are, if asked for."},
        },
        "required": ["items", "next"],
    }
