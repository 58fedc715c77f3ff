"""Conditions as SQL.

A value that a column cannot hold is brought to one that decides the same: text with NUL, numbers with more
than 64 bits or with a fraction. Whatever somebody asks, the server gets no value that it refuses."""

from collections.abc import Mapping
from typing import Any

from actors.views.conditions import All, Compare, Condition, Stored
from actors.views.exact import exact
from actors.views.port import Column, Kind, NoSuchView, Shape
from contexts.vocabulary import Operator

SQL_TYPES: dict[Kind, str] = {
    "text": "text",
    "date": "text",
    "integer": "bigint",
    "boolean": "bigint",
    "moment": "bigint",
    "real": "double precision",
}
_OPERATORS = {"==": "=", "!=": "IS DISTINCT FROM", "<": "<", "<=": "<=", ">": ">", ">=": ">="}


class Arguments(list[Any]):
    """The arguments of a statement."""

    def place(self, value: Any, sql_type: str) -> str:
        """Add one; what stands for it in the text."""
        self.append(value)
        return f"${len(self)}::{sql_type}"


class Columns:
    """The columns of a shape as they are called in its table."""

    def __init__(self, shape: Shape) -> None:
        self._view = shape.view
        self._columns = {column.name: (f"c{n}", column) for n, column in enumerate(shape.columns)}
        self._texts: Mapping[str, str] = {name: f"t{n}" for n, name in enumerate(shape.search)}

    def of(self, name: str) -> tuple[str, Column]:
        """Its name in the table, and what it is. Raises NoSuchView."""
        found = self._columns.get(name)
        if found is None:
            raise NoSuchView(f"view {self._view!r} has no index of {name!r}")
        return found

    def text(self, name: str) -> str:
        """That of a searchable field. Raises NoSuchView."""
        if name not in self._texts:
            raise NoSuchView(f"view {self._view!r} is not searched by {name!r}")
        return self._texts[name]


def condition_sql(condition: Condition, columns: Columns, arguments: Arguments) -> str:
    """Raises NoSuchView if it names a column that is not there."""
    if isinstance(condition, Compare):
        return _compare(condition, columns, arguments)
    parts = [condition_sql(one, columns, arguments) for one in condition.of]
    if isinstance(condition, All):
        return f"({' AND '.join(parts)})" if parts else "true"
    return f"({' OR '.join(parts)})" if parts else "false"


def _compare(compare: Compare, columns: Columns, arguments: Arguments) -> str:
    name, column = columns.of(compare.column)
    if compare.value is None:
        return {"==": f"{name} IS NULL", "!=": f"{name} IS NOT NULL"}.get(compare.operator, "false")
    decided = bring(column, compare.operator, compare.value)
    if isinstance(decided, bool):
        missing_too = compare.operator == "!="
        return "false" if not decided else "true" if missing_too else f"{name} IS NOT NULL"
    operator, value = decided
    return f"{name} {_OPERATORS[operator]} {arguments.place(value, SQL_TYPES[column.kind])}"


def storable(text: str) -> bool:
    """The server can hold it."""
    try:
        return b"\x00" not in text.encode()
    except UnicodeEncodeError:
        return False


def bring(column: Column, operator: Operator, value: Stored) -> tuple[Operator, Stored] | bool:
    """The comparison with a value that the column can hold; or what it comes to for all but missing ones."""
    if column.kind in ("text", "date"):
        return _bring_text(operator, value) if isinstance(value, str) else operator == "!="
    if not isinstance(value, int | float):
        return operator == "!="
    operator, value = exact(column, operator, value)
    return operator == "!=" if value is None else (operator, value)


def _bring_text(operator: Operator, value: str) -> tuple[Operator, str] | bool:
    if storable(value):
        return operator, value
    if operator in ("==", "!="):
        return operator == "!="
    # What is stored holds neither NUL nor halves of characters. In order, what does follows all that is equal
    # up to the first NUL, and nothing that is greater there; a half comes just before U+E000.
    first = next(place for place, character in enumerate(value) if not storable(character))
    if value[first] == "\x00":
        return ("<=" if operator in ("<", "<=") else ">"), value[:first]
    return ("<" if operator in ("<", "<=") else ">="), value[:first] + "\ue000"
