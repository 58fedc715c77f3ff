"""Reading a context's manifest: what its annotations promise, checked once, before anything runs.

The vocabulary holds an author's plain objects; here the types of commands, events and rejections are read
from the annotations of ``decide`` and ``evolve``, and whatever would go wrong later is said now, in one line
that names the context and the place.
"""

import importlib
import inspect
import types
import typing
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from actors.views.declaration import DeclarationError, ViewManifest, check_names, read_view
from actors.views.inquiry import read_inquiry
from actors.views.rules import check_rules
from contexts.vocabulary import (
    Aggregate,
    Call,
    Command,
    CommandRoute,
    Context,
    Event,
    Find,
    Get,
    Inquiry,
    Rejection,
    View,
)

FIND_PARAMETERS = frozenset({"sort", "limit", "cursor", "total", "search"})
"""What every ``Find`` may be asked beside its filters."""


class ManifestError(Exception):
    """A context's manifest contradicts itself or cannot be loaded; the message is one line."""


class AggregateManifest(msgspec.Struct, frozen=True):
    """An aggregate with the types its annotations name."""

    aggregate: Aggregate[Any]
    state: type
    commands: tuple[type[Command], ...]
    events: tuple[type[Event], ...]
    rejections: tuple[type[Rejection], ...]
    takes_call: bool
    """``decide`` has a third parameter for the call's circumstances."""

    @property
    def name(self) -> str:
        return self.aggregate.name


class ContextManifest(msgspec.Struct, frozen=True):
    """A context whose parts fit each other."""

    context: Context
    aggregates: dict[str, AggregateManifest]
    views: dict[str, ViewManifest] = {}

    @property
    def name(self) -> str:
        return self.context.name

    def of_command(self, command: type[Command]) -> AggregateManifest:
        """The aggregate that decides ``command``; KeyError if none does."""
        for aggregate in self.aggregates.values():
            if command in aggregate.commands:
                return aggregate
        raise KeyError(command.__name__)


def load(names: Sequence[str]) -> dict[str, ContextManifest]:
    """The manifests of the contexts in these modules, by context name; raises ManifestError."""
    manifests: dict[str, ContextManifest] = {}
    for name in names:
        try:
            module = importlib.import_module(name)
        except Exception as error:
            # Whatever an author's module raises while it is imported is told like a missing one.
            cause = " ".join(f"{type(error).__name__}: {error}".split())
            raise ManifestError(f"contexts: {name!r} cannot be imported: {cause}") from error
        context = getattr(module, "context", None)
        if not isinstance(context, Context):
            raise ManifestError(f"contexts: module {name!r} has no 'context' of type Context")
        if context.name in manifests:
            raise ManifestError(f"contexts: {name!r} names its context {context.name!r}, which is taken")
        manifests[context.name] = read(context)
    return manifests


def read(context: Context) -> ContextManifest:
    """Check a context and name its types; raises ManifestError."""
    _check_name(context.name, "context")
    aggregates: dict[str, AggregateManifest] = {}
    owners: dict[type[Command], str] = {}
    for aggregate in context.aggregates:
        where = f"context {context.name!r}, aggregate {aggregate.name!r}"
        _check_name(aggregate.name, where)
        if aggregate.name in aggregates:
            raise ManifestError(f"{where}: the name is used twice")
        aggregates[aggregate.name] = _read_aggregate(aggregate, where)
        for command in aggregates[aggregate.name].commands:
            if command in owners:
                raise ManifestError(f"{where}: {command.__name__} is also decided by {owners[command]!r}")
            owners[command] = aggregate.name
    manifest = ContextManifest(context=context, aggregates=aggregates, views=_read_views(context, aggregates))
    _check_routes(manifest)
    return manifest


def _read_views(context: Context, aggregates: dict[str, AggregateManifest]) -> dict[str, ViewManifest]:
    all_events = {name: aggregate.events for name, aggregate in aggregates.items()}
    where = f"context {context.name!r}"
    try:
        check_names(context.views)
        views = {}
        for view in context.views:
            where = f"context {context.name!r}, view {view.name!r}"
            views[view.name] = read_view(view, all_events)
            check_rules(views[view.name])
    except DeclarationError as error:
        raise ManifestError(f"{where}: {error}") from error
    return views


def _read_aggregate(aggregate: Aggregate[Any], where: str) -> AggregateManifest:
    decide, evolve = aggregate.decide, aggregate.evolve
    parameters = [p for p in inspect.signature(decide).parameters.values() if p.default is p.empty]
    if len(parameters) not in (2, 3):
        raise ManifestError(f"{where}: decide takes (state, command) or (state, command, call)")
    hints = _hints(decide, where)
    if len(parameters) == 3 and hints.get(parameters[2].name) is not Call:
        raise ManifestError(f"{where}: decide's third parameter must be annotated Call")
    commands = _members(hints.get(parameters[1].name), Command, f"{where}: decide's command")
    events, rejections = _read_decision(hints.get("return"), where)
    evolved = _hints(evolve, where)
    names = list(inspect.signature(evolve).parameters)
    folded = _members(evolved.get(names[1]), Event, f"{where}: evolve's event")
    for event in events:
        if event not in folded:
            raise ManifestError(f"{where}: decide may return {event.__name__}, evolve does not take it")
    _check_unique([t.__name__ for t in folded], f"{where}: events")
    _check_unique([t.__name__ for t in rejections], f"{where}: rejections")
    return AggregateManifest(
        aggregate=aggregate,
        state=type(aggregate.initial),
        commands=commands,
        events=folded,
        rejections=rejections,
        takes_call=len(parameters) == 3,
    )


def _hints(function: Any, where: str) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function)
    except (NameError, TypeError) as error:
        raise ManifestError(f"{where}: annotations of {function.__name__} cannot be read: {error}") from error


def _union(annotation: Any) -> Iterable[Any]:
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        return typing.get_args(annotation)
    return (annotation,)


def _members(annotation: Any, kind: type, where: str) -> tuple[Any, ...]:
    members = tuple(_union(annotation))
    for member in members:
        if not (isinstance(member, type) and issubclass(member, kind)):
            raise ManifestError(f"{where}: expected subclasses of {kind.__name__}, found {member!r}")
    return members


def _read_decision(
    annotation: Any, where: str
) -> tuple[tuple[type[Event], ...], tuple[type[Rejection], ...]]:
    events: list[type[Event]] = []
    rejections: list[type[Rejection]] = []
    for member in _union(annotation):
        container = typing.get_origin(member)
        if isinstance(container, type) and issubclass(container, Sequence):
            for event in _members(typing.get_args(member)[0], Event, f"{where}: decide's events"):
                if event not in events:
                    events.append(event)
        elif isinstance(member, type) and issubclass(member, Rejection):
            rejections.append(member)
        else:
            raise ManifestError(f"{where}: decide returns a list of events or rejections, found {member!r}")
    return tuple(events), tuple(rejections)


def _check_routes(manifest: ContextManifest) -> None:
    taken: set[tuple[str, str]] = set()
    for route in manifest.context.routes:
        where = f"context {manifest.name!r}, route {route.path!r}"
        if not route.path.startswith("/"):
            raise ManifestError(f"{where}: a path begins with '/'")
        parameters = path_parameters(route.path)
        _check_unique(parameters, f"{where}: parameters")
        method = route.method if isinstance(route, CommandRoute) else "GET"
        shape = (method, "/".join("{}" if s.startswith("{") else s for s in route.path.split("/")))
        if shape in taken:
            raise ManifestError(f"{where}: {method} is declared twice")
        taken.add(shape)
        if isinstance(route, CommandRoute):
            _check_command_route(manifest, route, parameters, where)
        elif isinstance(route, Find):
            _check_find_route(manifest, route, parameters, where)
        elif isinstance(route, Get):
            _check_query_route(manifest, route, parameters, where)
        else:
            raise ManifestError(f"{where}: not a route: {route!r}")


def _check_command_route(
    manifest: ContextManifest, route: CommandRoute, parameters: list[str], where: str
) -> None:
    try:
        aggregate = manifest.of_command(route.command)
    except KeyError:
        raise ManifestError(f"{where}: no aggregate decides {route.command.__name__}") from None
    _check_identity(aggregate.name, parameters, where)
    fields = {f.encode_name for f in msgspec.structs.fields(route.command)}
    for parameter in parameters:
        if parameter != aggregate.name and parameter not in fields:
            raise ManifestError(f"{where}: {{{parameter}}} is no field of {route.command.__name__}")
    for parameter in path_parameters(route.creates or ""):
        if parameter != aggregate.name and parameter not in fields:
            raise ManifestError(f"{where}: {{{parameter}}} in 'creates' is no field of the command")


def _check_query_route(manifest: ContextManifest, route: Get, parameters: list[str], where: str) -> None:
    source = route.source
    if isinstance(source, View | Inquiry):
        if route.part is not None:
            raise ManifestError(f"{where}: 'part' is for aggregates")
        if isinstance(source, Inquiry):
            _check_question(manifest, source, parameters, where)
        else:
            _check_view(manifest, source, where)
            if not parameters:
                raise ManifestError(f"{where}: the path has no parameter that names a document")
        return
    if source not in manifest.context.aggregates:
        raise ManifestError(f"{where}: {source!r} is not an aggregate of this context")
    _check_identity(source.name, parameters, where)
    others = len(parameters) - 1
    if route.part is None and others:
        raise ManifestError(f"{where}: parameters beside {{{source.name}}} need a 'part'")
    if route.part is not None and len(inspect.signature(route.part).parameters) != others + 1:
        raise ManifestError(f"{where}: part takes the state and {others} parameter(s)")


def _check_find_route(manifest: ContextManifest, route: Find, parameters: list[str], where: str) -> None:
    view = _check_view(manifest, route.view, where)
    columns = {column.name for column in view.shape.columns}
    for parameter in parameters:
        if parameter not in columns:
            raise ManifestError(f"{where}: {{{parameter}}} is no indexed field of view {view.name!r}")
    for name in sorted(columns & FIND_PARAMETERS):
        raise ManifestError(f"{where}: indexed field {name!r} has the name of a parameter of every Find")
    if route.sort is not None and route.sort.removeprefix("-") not in columns:
        raise ManifestError(f"{where}: sort {route.sort!r} is no indexed field of view {view.name!r}")


def _check_view(manifest: ContextManifest, view: View[Any], where: str) -> ViewManifest:
    if view not in manifest.context.views:
        raise ManifestError(f"{where}: {view!r} is not a view of this context")
    return manifest.views[view.name]


def _check_question(manifest: ContextManifest, answer: Inquiry, parameters: list[str], where: str) -> None:
    try:
        question = read_inquiry(answer).question
    except DeclarationError as error:
        raise ManifestError(f"{where}: {error}") from error
    fields = {field.encode_name for field in msgspec.structs.fields(question)}
    for parameter in parameters:
        if parameter not in fields:
            raise ManifestError(f"{where}: {{{parameter}}} is no field of the question")


def _check_identity(aggregate: str, parameters: list[str], where: str) -> None:
    if aggregate not in parameters:
        raise ManifestError(f"{where}: the path has no {{{aggregate}}} that names the entity")


def path_parameters(path: str) -> list[str]:
    """The names in braces, in order: ``/spaces/{space}`` has ``["space"]``."""
    return [s[1:-1] for s in path.split("/") if s.startswith("{") and s.endswith("}")]


def _check_name(name: str, where: str) -> None:
    if not (name.isascii() and name.isidentifier() and name == name.lower()):
        raise ManifestError(f"{where}: {name!r} is not a lower-case identifier")


def _check_unique(names: Sequence[str], where: str) -> None:
    for name in names:
        if list(names).count(name) > 1:
            raise ManifestError(f"{where}: {name} appears twice")
