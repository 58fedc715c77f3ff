"""Pages of documents as SQL, for every dialect: one table per generation with the columns ``key``,
``document``, ``c0`` and so on for ``Shape.columns``, ``t0`` and so on for ``Shape.search``.

The next page is found by comparing with where the last one ended, so that it costs the same however far on it
is. Where missing values end and others begin, the page is put together from both sides."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from actors.views.asking import check
from actors.views.comparing import exact
from actors.views.conditions import All, Compare, Condition, Either
from actors.views.port import Column, Shape, Wanted
from actors.views.words import words

Bind = Callable[[Any], str]
"""Takes a value and returns the placeholder that stands for it."""


class Dialect(Protocol):
    """How a database says it."""

    always: str
    never: str
    present: str
    """A row is a document and no tombstone; as the indexes are restricted."""

    def table(self, generation: int) -> str:
        """The documents of a generation."""

    def placeholder(self, number: int) -> str:
        """The parameter of this number, from 1; it may be used several times."""

    def distinct(self, column: str, placeholder: str) -> str:
        """The values differ, or one of them is missing."""

    def ordered(self, column: str, *, descending: bool) -> str:
        """A term of ORDER BY: missing values first when ascending, else last."""

    def keyed(self, keys: Sequence[str], bind: Bind) -> str:
        """The key is one of these."""

    def searched(self, generation: int, texts: Sequence[str], words: Sequence[str], bind: Bind) -> str:
        """Each of the words, at least one, is within one of these columns, at least one."""


class Statement(NamedTuple):
    """Text and its parameters, in order."""

    text: str
    parameters: list[Any]


def page(dialect: Dialect, shape: Shape, generation: int, wanted: Wanted) -> Statement:
    """Rows of (key, document, value that was sorted by), in order: one more than the limit if there are so
    many. Raises NoSuchView."""
    return _Select(dialect, shape, generation, wanted).page()


def total(dialect: Dialect, shape: Shape, generation: int, wanted: Wanted) -> Statement:
    """One row of one number. Raises NoSuchView."""
    return _Select(dialect, shape, generation, wanted).total()


class _Select:
    def __init__(self, dialect: Dialect, shape: Shape, generation: int, wanted: Wanted) -> None:
        check(shape, wanted)
        self._dialect = dialect
        self._generation = generation
        self._wanted = wanted
        self._columns = {column.name: (f"c{n}", column) for n, column in enumerate(shape.columns)}
        self._texts = [f"t{shape.search.index(field)}" for field in wanted.fields]
        self._parameters: list[Any] = []
        self._conditions = [term for term in self._terms() if term != dialect.always]

    def total(self) -> Statement:
        text = f"SELECT count(*) FROM {self._dialect.table(self._generation)}{self._where()}"
        return Statement(text, self._parameters)

    def page(self) -> Statement:
        wanted = self._wanted
        value, optional = "NULL", False
        if wanted.sort is not None:
            value, column = self._columns[wanted.sort]
            optional = column.optional
        parts = self._after(value, optional)
        limit = self._bind(wanted.limit + 1)
        order = self._order(None if wanted.sort is None else value)
        table = self._dialect.table(self._generation)
        selects = [
            f"SELECT key, document, {value} AS value FROM {table}{self._where(part)} {order} LIMIT {limit}"
            for part in parts
        ]
        if len(selects) == 1:
            return Statement(selects[0], self._parameters)
        both = " UNION ALL ".join(f"SELECT * FROM ({one}) AS part{n}" for n, one in enumerate(selects))
        text = f"SELECT key, document, value FROM ({both}) AS parts {self._order('value')} LIMIT {limit}"
        return Statement(text, self._parameters)

    def _order(self, value: str | None) -> str:
        descending = self._wanted.descending
        terms = [] if value is None else [self._dialect.ordered(value, descending=descending)]
        return f"ORDER BY {', '.join([*terms, 'key DESC' if descending else 'key'])}"

    def _after(self, value: str, optional: bool) -> list[str]:
        """What begins after the page before, as conditions each of which an index can answer in order; in no
        part are rows of another."""
        wanted = self._wanted
        if wanted.after is None:
            return [self._dialect.always]
        last, key = wanted.after[0], self._bind(wanted.after[1])
        past = "<" if wanted.descending else ">"
        if wanted.sort is None:
            return [f"key {past} {key}"]
        if last is None:
            missing = f"({value} IS NULL AND key {past} {key})"
            return [missing] if wanted.descending else [missing, f"{value} IS NOT NULL"]
        beyond = f"({value}, key) {past} ({self._bind(last)}, {key})"
        return [beyond, f"{value} IS NULL"] if wanted.descending and optional else [beyond]

    # Conditions ------------------------------------------------------------------------------------------

    def _where(self, *more: str) -> str:
        terms = [*self._conditions, *(term for term in more if term != self._dialect.always)]
        return f" WHERE {' AND '.join(terms)}" if terms else ""

    def _terms(self) -> list[str]:
        wanted, dialect = self._wanted, self._dialect
        terms = [] if wanted.tombstones else [dialect.present]
        if wanted.keys is not None:
            terms.append(dialect.keyed(wanted.keys, self._bind))
        terms.append(self._condition(wanted.where))
        sought = words(wanted.search)
        if sought and (not self._texts or any("\x00" in word for word in sought)):
            terms.append(dialect.never)
        elif sought:
            terms.append(dialect.searched(self._generation, self._texts, sought, self._bind))
        return terms

    def _bind(self, value: Any) -> str:
        self._parameters.append(value)
        return self._dialect.placeholder(len(self._parameters))

    def _condition(self, condition: Condition) -> str:
        match condition:
            case All(of):
                return self._joined(" AND ", of, self._dialect.always)
            case Either(of):
                return self._joined(" OR ", of, self._dialect.never)
            case Compare():
                return self._comparison(condition)

    def _joined(self, by: str, of: Sequence[Condition], empty: str) -> str:
        if not of:
            return empty
        return f"({by.join([self._condition(one) for one in of])})"

    def _comparison(self, compare: Compare) -> str:
        name, column = self._columns[compare.column]
        if compare.value is None:
            # An ordering with a missing value is never met.
            return {"==": f"{name} IS NULL", "!=": f"{name} IS NOT NULL"}.get(
                compare.operator, self._dialect.never
            )
        operator, value = exact(column, compare.operator, compare.value)
        if value is None:
            return self._dialect.always if operator == "!=" else self._dialect.never
        if operator == "!=":
            return self._unequal(name, column, value)
        return f"{name} {'=' if operator == '==' else operator} {self._bind(value)}"

    def _unequal(self, name: str, column: Column, value: Any) -> str:
        placeholder = self._bind(value)
        return self._dialect.distinct(name, placeholder) if column.optional else f"{name} <> {placeholder}"
