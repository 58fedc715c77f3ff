"""Reading a view's declaration: what its annotations promise, checked once, before anything runs."""

import ast
import inspect
import sys
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any

import msgspec

from actors.journal.codec import state_fingerprint
from actors.views.port import Column, Kind, Shape
from contexts.vocabulary import Event, Origin, Value, View


class DeclarationError(Exception):
    """A view's declaration contradicts itself; the message is one line."""


class ViewManifest(msgspec.Struct, frozen=True):
    """A view with the types its annotations name."""

    view: View[Any]
    document: type[Value]
    events: tuple[type[Event], ...]
    """Those that count; the others are passed over."""
    all_events: Mapping[str, tuple[type[Event], ...]]
    """All events of the context, by aggregate."""
    key_takes_origin: bool
    fold_takes_origin: bool
    shape: Shape

    @property
    def name(self) -> str:
        return self.view.name


def read_view(view: View[Any], all_events: Mapping[str, tuple[type[Event], ...]]) -> ViewManifest:
    """Check a view and name its types; raises DeclarationError. ``all_events`` by aggregate."""
    document = _document(view)
    key_takes_origin, keyed = _read_function(view.key, "key", 1)
    fold_takes_origin, folded = _read_function(view.fold, "fold", 2)
    known = {event for events in all_events.values() for event in events}
    for event in folded:
        if event not in known:
            raise DeclarationError(f"fold takes {event.__name__}, which no aggregate of the context states")
        if not any(issubclass(event, one) for one in keyed):
            raise DeclarationError(f"fold takes {event.__name__}, key does not")
    names = [name for index in view.indexes for name in ((index,) if isinstance(index, str) else index)]
    fields = _fields(document)
    columns = tuple(_column(name, fields) for name in dict.fromkeys(names))
    for name in view.search:
        if _kind(fields.get(name))[0] != "text":
            raise DeclarationError(f"search names {name!r}, which is no text field of {document.__name__}")
    for name in view.masked:
        if name not in fields:
            raise DeclarationError(f"masked names {name!r}, which is no field of {document.__name__}")
    indexes = tuple((index,) if isinstance(index, str) else index for index in view.indexes)
    shape = Shape(view.name, "", columns, tuple(dict.fromkeys(indexes)), tuple(view.search))
    return ViewManifest(
        view=view,
        document=document,
        events=folded,
        all_events=all_events,
        key_takes_origin=key_takes_origin,
        fold_takes_origin=fold_takes_origin,
        shape=msgspec.structs.replace(shape, fingerprint=_fingerprint(view, document, shape)),
    )


def _document(view: View[Any]) -> type[Value]:
    """The type of ``initial``; without one, what ``fold`` returns."""
    if view.initial is not None:
        found: Any = type(view.initial)
        if not issubclass(found, Value):
            raise DeclarationError(f"initial must be a Value or None, found {found.__name__}")
        return found  # type: ignore[no-any-return]
    returned = [one for one in _union(_hints(view.fold, "fold").get("return")) if one is not types.NoneType]
    if len(returned) != 1 or not (isinstance(returned[0], type) and issubclass(returned[0], Value)):
        raise DeclarationError(f"without initial, fold must return one kind of Value or None: {returned}")
    return returned[0]


def _read_function(
    function: Callable[..., Any], name: str, least: int
) -> tuple[bool, tuple[type[Event], ...]]:
    """Whether it takes an Origin, and its event's annotation."""
    parameters = [p for p in inspect.signature(function).parameters.values() if p.default is p.empty]
    shown = "event" if least == 1 else "document, event"
    if len(parameters) not in (least, least + 1):
        raise DeclarationError(f"{name} takes ({shown}) or ({shown}, origin)")
    hints = _hints(function, name)
    if len(parameters) > least and hints.get(parameters[least].name) is not Origin:
        raise DeclarationError(f"{name}'s last parameter must be annotated Origin")
    events = tuple(_union(hints.get(parameters[least - 1].name)))
    for event in events:
        if not (isinstance(event, type) and issubclass(event, Event)):
            raise DeclarationError(f"{name}'s event: expected subclasses of Event, found {event!r}")
    return len(parameters) > least, events


def _hints(function: Callable[..., Any], name: str) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function)
    except (NameError, TypeError) as error:
        raise DeclarationError(f"annotations of {name} cannot be read: {error}") from error


def _union(annotation: Any) -> Iterator[Any]:
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        yield from typing.get_args(annotation)
    else:
        yield annotation


def _fields(document: type[Value]) -> dict[str, msgspec.inspect.Type]:
    described = msgspec.inspect.type_info(document)
    assert isinstance(described, msgspec.inspect.StructType)
    return {field.name: field.type for field in described.fields}


def _column(name: str, fields: Mapping[str, msgspec.inspect.Type]) -> Column:
    if name not in fields:
        raise DeclarationError(f"indexes names {name!r}, which is no field of the document")
    kind, optional = _kind(fields[name])
    if kind is None:
        raise DeclarationError(f"{name!r} cannot be indexed: it is no text, number, boolean, date or moment")
    return Column(name, kind, optional)


def _kind(info: msgspec.inspect.Type | None) -> tuple[Kind | None, bool]:
    """What a column of this type holds, and whether it may be None."""
    match info:
        case msgspec.inspect.Metadata(type=inner):
            return _kind(inner)
        case msgspec.inspect.UnionType(types=members):
            others = [one for one in members if not isinstance(one, msgspec.inspect.NoneType)]
            kind = _kind(others[0])[0] if len(others) == 1 else None
            return kind, len(others) < len(members)
        case msgspec.inspect.LiteralType(values=values):
            return ("text" if all(isinstance(value, str) for value in values) else None), False
        case msgspec.inspect.EnumType(cls=enumeration):
            return ("text" if all(isinstance(one.value, str) for one in enumeration) else None), False
        case msgspec.inspect.DateTimeType(tz=True):
            return "moment", False
    return _KINDS.get(type(info)), False


_KINDS: dict[type, Kind] = {
    msgspec.inspect.StrType: "text",
    msgspec.inspect.IntType: "integer",
    msgspec.inspect.FloatType: "real",
    msgspec.inspect.BoolType: "boolean",
    msgspec.inspect.DateType: "date",
}


# Fingerprints


def _fingerprint(view: View[Any], document: type[Value], shape: Shape) -> str:
    """Changes with the modules of ``key``, ``fold`` and the document, but not with their comments, docstrings
    and layout; and with the version, the types and the shape."""
    parts: list[Any] = [view.version, state_fingerprint(document), msgspec.json.encode(shape)]
    parts.append(msgspec.json.encode(view.initial, order="deterministic"))
    modules = {one.__module__: one for one in (document, view.key, view.fold)}
    parts += [_code_of(name, of) for name, of in sorted(modules.items())]
    return blake2b(repr(parts).encode(), digest_size=8).hexdigest()


def _code_of(module: str, of: Any) -> str:
    found = sys.modules.get(module)
    try:
        tree = ast.parse(inspect.getsource(found if found is not None else of))
    except (OSError, TypeError, SyntaxError):
        # No source is there, as in an interactive session: what was compiled must do.
        code = getattr(of, "__code__", None)
        return repr((code.co_code, code.co_consts, code.co_names)) if code is not None else repr(of)
    for node in ast.walk(tree):
        if (
            isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
            and ast.get_docstring(node) is not None
        ):
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


def check_names(views: Sequence[View[Any]]) -> None:
    """Raises DeclarationError when two have one name, or one is no lower-case identifier."""
    seen: set[str] = set()
    for view in views:
        if not (view.name.isascii() and view.name.isidentifier() and view.name == view.name.lower()):
            raise DeclarationError(f"{view.name!r} is not a lower-case identifier")
        if len(view.name) > 40:
            raise DeclarationError(f"{view.name!r} has more than 40 characters")
        if view.name in seen:
            raise DeclarationError(f"the name {view.name!r} is used twice")
        seen.add(view.name)
