"""What a view's declaration must be, and what changes its fingerprint."""

import importlib.util
import sys
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import pytest

from actors.manifest import ManifestError, read
from actors.views.declaration import DeclarationError, read_view
from actors.views.port import Column
from contexts.vocabulary import Context, Find, Get, Moment, Value, View
from tests.actors.views import guestbook
from tests.actors.views.guestbook import Page, Written, book, fold, key


class Colour(Enum):
    RED = "red"


class Document(Value, frozen=True):
    text: str = ""
    kind: Literal["a", "b"] = "a"
    colour: Colour = Colour.RED
    number: int = 0
    share: float = 0.0
    open: bool = False
    since: Moment | None = None
    lines: list[str] = []  # noqa: RUF012
    either: int | str = 0


def key_of(event: Written) -> str:
    return event.line


def fold_one(document: Document, event: Written) -> Document:
    return document


EVENTS = {"book": (Written,)}


def declared(**changes: Any) -> View[Any]:
    return View("documents", changes.pop("initial", Document()), key_of, fold_one, **changes)


def test_columns_have_the_kinds_of_their_fields() -> None:
    names = ("text", "kind", "colour", "number", "share", "open", "since")
    shape = read_view(declared(indexes=names), EVENTS).shape
    assert [(c.name, c.kind) for c in shape.columns] == [
        ("text", "text"),
        ("kind", "text"),
        ("colour", "text"),
        ("number", "integer"),
        ("share", "real"),
        ("open", "boolean"),
        ("since", "moment"),
    ]
    assert shape.columns[-1] == Column("since", "moment", optional=True)


def test_an_index_over_several_fields_makes_a_column_of_each() -> None:
    shape = read_view(declared(indexes=(("text", "number"), "text")), EVENTS).shape
    assert [column.name for column in shape.columns] == ["text", "number"]
    assert shape.indexes == (("text", "number"), ("text",))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"indexes": ("nothing",)}, "'nothing', which is no field"),
        ({"indexes": ("lines",)}, "'lines' cannot be indexed"),
        ({"indexes": ("either",)}, "'either' cannot be indexed"),
        ({"search": ("number",)}, "'number', which is no text field"),
        ({"search": ("nothing",)}, "'nothing', which is no text field"),
        ({"masked": {"nothing": lambda principal, document: True}}, "'nothing', which is no field"),
        ({"initial": 3}, "initial must be a Value or None, found int"),
    ],
)
def test_a_mistaken_declaration_is_told_in_one_line(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(DeclarationError) as raised:
        read_view(declared(**changes), EVENTS)
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_events_of_a_fold_must_be_stated_by_an_aggregate() -> None:
    with pytest.raises(DeclarationError, match="fold takes Written, which no aggregate"):
        read_view(declared(), {"book": ()})


def test_fold_must_not_take_what_key_does_not() -> None:
    def narrow(event: Written) -> str:
        return event.line

    with pytest.raises(DeclarationError, match="key does not"):
        read_view(
            View("pages", Page(), narrow, fold), {"book": guestbook.manifest().aggregates["book"].events}
        )


def test_without_a_first_document_its_type_is_what_fold_returns() -> None:
    def fold_new(document: Document | None, event: Written) -> Document | None:
        return document

    view = View("documents", None, key_of, fold_new, indexes=("number",))
    assert read_view(view, EVENTS).document is Document

    def fold_any(document: Document | None, event: Written) -> Any:
        return document

    with pytest.raises(DeclarationError, match="without initial, fold must return one kind of Value"):
        read_view(View("documents", None, key_of, fold_any), EVENTS)


def test_unreadable_annotations_are_told() -> None:
    def blind(event) -> str:  # type: ignore[no-untyped-def]
        return "x"

    with pytest.raises(DeclarationError, match="key's event: expected subclasses of Event"):
        read_view(View("pages", Page(), blind, fold), EVENTS)


@pytest.mark.parametrize("name", ["Pages", "two words", "", "x" * 41])
def test_a_view_needs_a_proper_name(name: str) -> None:
    with pytest.raises(ManifestError):
        read(_context(View(name, Page(), key, fold)))


def test_two_views_of_one_name_are_refused() -> None:
    with pytest.raises(ManifestError, match="'pages' is used twice"):
        read(_context(guestbook.pages, View("pages", Page(), key, fold)))


def test_a_route_to_a_view_that_is_not_listed_is_refused() -> None:
    other = View("other", Page(), key, fold)
    for route in (Get("/others/{name}", other), Find("/others", other)):
        with pytest.raises(ManifestError, match="is not a view of this context"):
            read(Context("guestbook", aggregates=[book], views=[guestbook.pages], routes=[route]))


def test_a_find_route_filters_by_indexed_fields_only() -> None:
    for route in (Find("/by/{lines}", guestbook.pages), Find("/all", guestbook.pages, sort="-lines")):
        with pytest.raises(ManifestError, match="no indexed field"):
            read(Context("guestbook", aggregates=[book], views=[guestbook.pages], routes=[route]))


def _context(*views: View[Any]) -> Context:
    return Context("guestbook", aggregates=[book], views=views, routes=[])


# Fingerprints

MODULE = '''
"""A view."""
from contexts.vocabulary import Value, View
from tests.actors.views.guestbook import Written

class Sum(Value, frozen=True):
    """How many."""
    lines: int = 0

def key(event: Written) -> str:
    return "all"

def fold(document: Sum, event: Written) -> Sum:
    # one more
    return Sum(document.lines + 1)

view = View("sums", Sum(), key, fold)
'''


@pytest.fixture
def fingerprint(tmp_path: Path) -> Iterator[Any]:
    names: list[str] = []

    def made(source: str) -> str:
        name = "fingerprinted"
        file = tmp_path / f"module_{len(names)}.py"
        file.write_text(source)
        names.append(name)
        spec = importlib.util.spec_from_file_location(name, file)
        assert spec is not None
        assert spec.loader is not None
        module: ModuleType = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        view: View[Any] = module.view
        return read_view(view, EVENTS).shape.fingerprint

    yield made
    for name in set(names):
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("lines + 1", "lines + 2"),
        ('return "all"', 'return "none"'),
        ("lines: int = 0", "lines: int = 0\n    other: int = 0"),
        ("Sum(), key, fold)", "Sum(), key, fold, version=2)"),
        ("Sum(), key, fold)", 'Sum(), key, fold, indexes=("lines",))'),
        ("Sum(), key, fold)", "Sum(5), key, fold)"),
    ],
)
def test_a_change_of_meaning_changes_the_fingerprint(fingerprint: Any, before: str, after: str) -> None:
    assert before in MODULE
    assert fingerprint(MODULE) != fingerprint(MODULE.replace(before, after))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("# one more", "# one line more"),
        ('"""How many."""', '"""How many there are."""'),
        ("def key", "\n\ndef key"),
    ],
)
def test_comments_and_layout_do_not_change_it(fingerprint: Any, before: str, after: str) -> None:
    assert fingerprint(MODULE) == fingerprint(MODULE.replace(before, after))


def test_parts_are_of_aggregates() -> None:
    route = Get("/pages/{name}", guestbook.pages, part=lambda document: document)
    with pytest.raises(ManifestError, match="part' is for aggregates"):
        read(Context("guestbook", aggregates=[book], views=[guestbook.pages], routes=[route]))
