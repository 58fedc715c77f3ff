"""Conditions as SQL.

A value that a column cannot hold is brought to one that decides the same: text with NUL, numbers with more
than 64 bits or with a fraction. Whatever somebody asks, the server gets no value that it refuses."""

import math
from collections.abc import Mapping
from typing import Any

from actors.views.conditions import All, Compare, Condition, Stored
from actors.views.port import Kind, NoSuchView, Shape

SQL_TYPES: dict[Kind, str] = {
    "text": "text",
    "date": "text",
    "integer": "bigint",
    "boolean": "bigint",
    "moment": "bigint",
    "real": "double precision",
}
_OPERATORS = {"==": "=", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_LOWEST, _HIGHEST = -(2**63), 2**63 - 1


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

    def of(self, name: str) -> tuple[str, Kind, bool]:
        """Its name in the table, its kind, whether it may be missing. Raises NoSuchView."""
        found = self._columns.get(name)
        if found is None:
            raise NoSuchView(f"view {self._view!r} has no index of {name!r}")
        return found[0], found[1].kind, found[1].optional

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
    column, kind, _ = columns.of(compare.column)
    if compare.value is None:
        return {"==": f"{column} IS NULL", "!=": f"{column} IS NOT NULL"}.get(compare.operator, "false")
    decided = bring(kind, compare.operator, compare.value)
    if isinstance(decided, bool):
        missing_too = compare.operator == "!="
        return "false" if not decided else "true" if missing_too else f"{column} IS NOT NULL"
    operator, value = decided
    if operator == "!=":
        return f"{column} IS DISTINCT FROM {arguments.place(value, SQL_TYPES[kind])}"
    return f"{column} {_OPERATORS[operator]} {arguments.place(value, SQL_TYPES[kind])}"


def storable(text: str) -> bool:
    """The server can hold it."""
    try:
        return b"\x00" not in text.encode()
    except UnicodeEncodeError:
        return False


def bring(kind: Kind, operator: str, value: Stored) -> tuple[str, Any] | bool:
    """The comparison with a value that the column can hold; or what it comes to for all but missing ones."""
    if kind in ("text", "date"):
        return _bring_text(operator, value) if isinstance(value, str) else operator == "!="
    if not isinstance(value, int | float) or value != value:
        return operator == "!="
    if kind == "real":
        return _bring_real(operator, value)
    return _bring_integer(operator, value)


def _bring_text(operator: str, value: str) -> tuple[str, Any] | bool:
    if storable(value):
        return operator, value
    # What is stored holds neither NUL nor halves of characters. Nothing equals what does, and in order it
    # follows what comes before the first of them, or all that begins so.
    for place, character in enumerate(value):
        if character == "\x00":
            return _beside(operator, value[:place])
        if "\ud800" <= character <= "\udfff":
            above = "\ue000"
            return _below(operator, value[:place] + above)
    return operator, value


def _beside(operator: str, value: Any) -> tuple[str, Any] | bool:
    """Against something that is never stored, as nothing is that lies between it and ``value``, below it."""
    if operator in ("==", "!="):
        return operator == "!="
    return ("<=" if operator in ("<", "<=") else ">"), value


def _below(operator: str, value: Any) -> tuple[str, Any] | bool:
    """Against something that is never stored, as nothing is that lies between it and ``value``, above it."""
    if operator in ("==", "!="):
        return operator == "!="
    return ("<" if operator in ("<", "<=") else ">="), value


def _bring_real(operator: str, value: float) -> tuple[str, Any] | bool:
    try:
        near = float(value)
    except OverflowError:
        return _far(operator, above=value > 0)
    if near == value:
        return operator, near
    # A whole number of more than 53 bits, with no other float between it and this one.
    return _below(operator, near) if near > value else _beside(operator, near)


def _bring_integer(operator: str, value: float) -> tuple[str, Any] | bool:
    if not _LOWEST <= value <= _HIGHEST:
        return _far(operator, above=value > 0)
    whole = math.floor(value)
    if whole == value:
        return operator, whole
    return _beside(operator, whole)


def _far(operator: str, *, above: bool) -> bool:
    """Against something above, or below, all that can be stored."""
    return operator == "!=" or operator in (("<", "<=") if above else (">", ">="))
