"""Pages of documents as SQL; see ``tables`` for what there is to ask.

The next page is found by comparing with where the last one ended, so that it costs the same however far on it
is. Where missing values end and others begin, the page is put together from both sides."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from actors.views.asking import check
from actors.views.conditions import All, Compare, Condition, Either
from actors.views.exact import encodable, exact
from actors.views.port import Shape, Wanted
from actors.views.sqlite.tables import names
from actors.views.words import words

_ALWAYS = "TRUE"
_NEVER = "FALSE"
_PRESENT = "gone = 0"
"""As the indexes are restricted."""
_FLAT = 100
"""Terms that are joined without parentheses; an expression of SQLite's may be 1,000 deep."""
_SHORTEST = 3
"""Characters of a word that trigrams can find."""


class Statement(NamedTuple):
    """Text and its parameters, in order."""

    text: str
    parameters: list[Any]


def page(shape: Shape, generation: int, wanted: Wanted) -> Statement:
    """Rows of (key, document, value that was sorted by), in order: one more than the limit if there are so
    many. Raises NoSuchView."""
    return _Select(shape, generation, wanted).page()


def total(shape: Shape, generation: int, wanted: Wanted) -> Statement:
    """One row of one number. Raises NoSuchView."""
    return _Select(shape, generation, wanted).total()


def singles(shape: Shape, generation: int, where: Condition, keys: Sequence[str]) -> Statement:
    """Rows of (number of the key, document) of those that are there and meet the condition. Raises
    NoSuchView."""
    return _Select(shape, generation, Wanted(shape.view, where=where)).singles(keys)


class _Select:
    def __init__(self, shape: Shape, generation: int, wanted: Wanted) -> None:
        check(shape, wanted)
        of = names(generation, shape)
        self._table, self._index = of.documents, of.words
        self._wanted = wanted
        self._columns = {
            column.name: (name, column) for name, column in zip(of.columns, shape.columns, strict=True)
        }
        self._texts = [of.texts[shape.search.index(field)] for field in wanted.fields]
        self._parameters: list[Any] = []
        self._conditions = [term for term in self._terms() if term != _ALWAYS]

    def total(self) -> Statement:
        text = f"SELECT count(*) FROM {self._table}{self._where()}"
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
        shown = f"SELECT key, document, {value} AS value FROM {self._table}"
        selects = [f"{shown}{self._where(part)} {order} LIMIT {limit}" for part in parts]
        if len(selects) == 1:
            return Statement(selects[0], self._parameters)
        both = " UNION ALL ".join(f"SELECT * FROM ({one}) AS part{n}" for n, one in enumerate(selects))
        text = f"SELECT key, document, value FROM ({both}) AS parts {self._order('value')} LIMIT {limit}"
        return Statement(text, self._parameters)

    def singles(self, keys: Sequence[str]) -> Statement:
        wanted = self._bind(msgspec.json.encode(keys).decode())
        text = (
            f"SELECT wanted.key AS n, document FROM json_each({wanted}) AS wanted "
            f"CROSS JOIN {self._table} AS of ON of.key = wanted.value{self._where()}"
        )
        return Statement(text, self._parameters)

    def _order(self, value: str | None) -> str:
        """Missing values are the least in SQLite anyway."""
        terms = [term for term in (value, "key") if term is not None]
        return f"ORDER BY {', '.join(f'{term} DESC' if self._wanted.descending else term for term in terms)}"

    def _after(self, value: str, optional: bool) -> list[str]:
        """What begins after the page before, as conditions each of which an index can answer in order; in no
        part are rows of another."""
        wanted = self._wanted
        if wanted.after is None:
            return [_ALWAYS]
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
        terms = [*self._conditions, *(term for term in more if term != _ALWAYS)]
        return f" WHERE {' AND '.join(terms)}" if terms else ""

    def _terms(self) -> Iterator[str]:
        wanted = self._wanted
        if not wanted.tombstones:
            yield _PRESENT
        if wanted.keys is not None:
            keys = msgspec.json.encode(list(filter(encodable, wanted.keys))).decode()
            yield f"key IN (SELECT value FROM json_each({self._bind(keys)}))"
        yield self._condition(wanted.where)
        yield from self._searched(words(wanted.search))

    def _searched(self, sought: Sequence[str]) -> Iterator[str]:
        """Long words are found by their trigrams; short ones are looked for in what is left."""
        if sought and (not self._texts or not all(_may_be_within(word) for word in sought)):
            yield _NEVER
            return
        phrases = ['"' + word.replace('"', '""') + '"' for word in sought if len(word) >= _SHORTEST]
        if phrases:
            match = " AND ".join(f"{{{' '.join(self._texts)}}} : {phrase}" for phrase in phrases)
            index = self._index
            yield f"id IN (SELECT rowid FROM {index} WHERE {index} MATCH {self._bind(match)})"
        for word in sought:
            if len(word) < _SHORTEST:
                placeholder = self._bind(word)
                yield f"({' OR '.join(f'instr({text}, {placeholder}) > 0' for text in self._texts)})"

    def _bind(self, value: Any) -> str:
        self._parameters.append(value)
        return f"?{len(self._parameters)}"

    def _condition(self, condition: Condition) -> str:
        match condition:
            case All(of):
                return self._joined(" AND ", of, _ALWAYS)
            case Either(of):
                return self._joined(" OR ", of, _NEVER)
            case Compare():
                return self._comparison(condition)

    def _joined(self, by: str, of: Sequence[Condition], empty: str) -> str:
        if not of:
            return empty
        if len(of) > _FLAT:
            half = len(of) // 2
            return f"({self._joined(by, of[:half], empty)}{by}{self._joined(by, of[half:], empty)})"
        return f"({by.join([self._condition(one) for one in of])})"

    def _comparison(self, compare: Compare) -> str:
        name, column = self._columns[compare.column]
        if compare.value is None:
            # An ordering with a missing value is never met.
            return {"==": f"{name} IS NULL", "!=": f"{name} IS NOT NULL"}.get(compare.operator, _NEVER)
        operator, value = exact(column, compare.operator, compare.value)
        if value is None:
            return _ALWAYS if operator == "!=" else _NEVER
        if operator == "!=":
            return f"{name} IS NOT {self._bind(value)}"
        return f"{name} {'=' if operator == '==' else operator} {self._bind(value)}"


def _may_be_within(word: str) -> bool:
    """No text that is stored holds NUL or half a character."""
    return "\x00" not in word and encodable(word)
