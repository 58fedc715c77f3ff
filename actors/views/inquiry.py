"""Reading an inquiry's declaration, and from what its author's code wants to what a store is asked for."""

import inspect
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from actors.views.conditions import Compare, Condition, Stored, all_of
from actors.views.declaration import DeclarationError, ViewManifest
from actors.views.folding import Unfoldable, key_of, stored
from actors.views.port import Page, Wanted
from contexts.vocabulary import Calendar, Inquiry, Is, Many, One, Principal, Query, Rejection


class InquiryManifest(msgspec.Struct, frozen=True):
    """An inquiry with the types its annotations name."""

    inquiry: Inquiry
    question: type[Query]
    takes_principal: bool
    """``answer`` has a last parameter for who asks."""
    answers: tuple[Any, ...]
    """What ``answer`` may return, rejections left out."""
    rejections: tuple[type[Rejection], ...]

    @property
    def calendar(self) -> bool:
        """The answer goes out as iCalendar."""
        return Calendar in self.answers


class Unanswerable(Exception):
    """``reads`` wants what cannot be read; the message is one line."""


class TooMany(Exception):
    """More documents meet the conditions than an answer is made from."""


def read_inquiry(inquiry: Inquiry) -> InquiryManifest:
    """Check an inquiry and name its types; raises DeclarationError."""
    names = list(inspect.signature(inquiry.reads).parameters)
    question = _hints(inquiry.reads).get(names[0]) if len(names) == 1 else None
    if not (isinstance(question, type) and issubclass(question, Query)):
        raise DeclarationError("reads takes one parameter, annotated with a subclass of Query")
    hints = _hints(inquiry.answer)
    parameters = list(inspect.signature(inquiry.answer).parameters)
    if not parameters:
        raise DeclarationError("answer takes the question, then what was found")
    returned = hints.get("return")
    if returned is None:
        raise DeclarationError("answer's return value has no annotation")
    members = tuple(_union(returned))
    rejections = tuple(one for one in members if isinstance(one, type) and issubclass(one, Rejection))
    answers = tuple(one for one in members if one not in rejections)
    if Calendar in answers and len(answers) > 1:
        raise DeclarationError("answer returns a Calendar or something else, not now this, now that")
    takes_principal = hints.get(parameters[-1]) is Principal
    return InquiryManifest(inquiry, question, takes_principal, answers, rejections)


def _hints(function: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function, include_extras=True)
    except (NameError, TypeError) as error:
        raise DeclarationError(f"annotations of {function.__name__} cannot be read: {error}") from error


def _union(annotation: Any) -> Sequence[Any]:
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        return typing.get_args(annotation)
    return (annotation,)


def wanted_of(reads: Any, views: Mapping[str, ViewManifest]) -> list[Wanted]:
    """What a store is asked for. Raises Unanswerable."""
    if not isinstance(reads, tuple):
        raise Unanswerable(f"reads returned {type(reads).__name__}, not a tuple of One and Many")
    return [_wanted(one, views) for one in reads]


def _wanted(one: Any, views: Mapping[str, ViewManifest]) -> Wanted:
    if not isinstance(one, One | Many):
        raise Unanswerable(f"reads returned {type(one).__name__} instead of One or Many")
    manifest = views.get(one.view.name)
    if manifest is None or manifest.view is not one.view:
        raise Unanswerable(f"{one.view!r} is not a view of this context")
    if isinstance(one, One):
        try:
            return Wanted(manifest.name, (key_of(one.key),), limit=1)
        except Unfoldable:
            # No document can have it; a question may hold any text.
            return Wanted(manifest.name, (), limit=1)
    columns = {column.name: column.kind for column in manifest.shape.columns}
    sort = one.sort
    field = None if sort is None else sort.removeprefix("-")
    if field is not None and field not in columns:
        raise Unanswerable(f"{field!r} is no indexed field of {one.view!r}")
    return Wanted(
        manifest.name,
        where=all_of([_condition(condition, columns, manifest.name) for condition in one.where]),
        sort=field,
        descending=sort is not None and sort.startswith("-"),
        limit=one.limit + 1,
    )


def _condition(condition: Is, columns: Mapping[str, str], view: str) -> Condition:
    kind = columns.get(condition.field)
    if kind is None:
        raise Unanswerable(f"{condition.field!r} is no indexed field of view {view!r}")
    try:
        value: Stored = stored(kind, condition.value)
    except (Unfoldable, TypeError, AttributeError, ValueError) as error:
        raise Unanswerable(
            f"{condition.field!r} of view {view!r} is compared with {condition.value!r}"
        ) from error
    return Compare(condition.field, condition.operator, value)


def found_of(
    reads: tuple[One[Any] | Many[Any], ...], pages: Sequence[Page], decode: Mapping[str, Any]
) -> list[Any]:
    """What ``answer`` is given: a document or None for a ``One``, a list for a ``Many``. ``decode`` by view.
    Raises TooMany, and msgspec.MsgspecError."""
    found: list[Any] = []
    for one, page in zip(reads, pages, strict=True):
        decoder = decode[one.view.name]
        documents = [decoder(each.document) for each in page.found if each.document is not None]
        if isinstance(one, One):
            found.append(documents[0] if documents else None)
        elif len(documents) > one.limit:
            raise TooMany(f"more than {one.limit} documents of {one.view.name!r}")
        else:
            found.append(documents)
    return found
