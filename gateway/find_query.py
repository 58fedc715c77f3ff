"""What a ``Find`` is asked for: its query string and path, checked and made into one ``Wanted``."""

import re
from collections.abc import Mapping, Sequence

import msgspec

from actors.manifest import path_parameters
from actors.views.conditions import NEVER, Compare, Condition, all_of
from actors.views.declaration import ViewManifest
from actors.views.port import Column, Wanted
from actors.views.rules import Ruling
from contexts.vocabulary import Find
from gateway.cursors import NoCursor, binding, place_of
from gateway.filters import OPERATORS, IllTyped, value_of
from gateway.problems import INVALID_PATH, INVALID_QUERY, Refusal
from gateway.query_string import impossible, texts, unknown

PAGE = 100
"""Documents on a page that does not say."""
LARGEST_PAGE = 1000
LONGEST_SEARCH = 200
"""Characters."""

_NUMBER = re.compile(r"[1-9][0-9]{0,3}", re.ASCII)


class Question(msgspec.Struct, frozen=True):
    """A query, and what its cursors are bound to."""

    wanted: Wanted
    bound: bytes


class FindQuery:
    """Reads the queries of one route."""

    def __init__(self, view: ViewManifest, route: Find, template: str) -> None:
        self.columns: dict[str, Column] = {column.name: column for column in view.shape.columns}
        self.given = [self.columns[name] for name in path_parameters(route.path)]
        """What the path says."""
        self.sort = route.sort
        self.search = view.shape.search
        self._view = view.name
        self._template = template
        fixed = {column.name for column in self.given}
        self.filters = {
            f"{name}.{suffix}" if suffix else name: (column, operator)
            for name, column in self.columns.items()
            if name not in fixed
            for suffix, operator in OPERATORS.items()
        }
        """By parameter."""
        shared = ("sort", "limit", "cursor", "total", *(("search",) if self.search else ()))
        self.known = (*self.filters, *shared)

    def read(self, parameters: Sequence[str], query: str | None, ruling: Ruling) -> Question:
        """Raises Refusal."""
        asked = texts(query)
        for name in asked:
            if name not in self.known:
                raise unknown(name, self.known)
        conditions = [self._fixed(*one) for one in zip(self.given, parameters, strict=True)]
        conditions += self._filters(asked)
        bounds = [(one.column, one.operator, one.value) for one in conditions]
        sort, descending = self._order(asked, ruling)
        words = self._words(asked)
        fields = tuple(field for field in self.search if field not in ruling.kept)
        bound = binding(self._template, sorted(map(repr, bounds)), sort, descending, words)
        column = None if sort is None else self.columns[sort]
        return Question(
            Wanted(
                self._view,
                where=self._where(conditions, ruling, nothing=bool(words) and not fields),
                search=words,
                fields=fields if words else (),
                sort=sort,
                descending=descending,
                after=_after(asked, bound, column),
                limit=_limit(asked),
                total=_total(asked),
            ),
            bound,
        )

    def _fixed(self, column: Column, text: str) -> Compare:
        try:
            return Compare(column.name, "==", value_of(column, text))
        except IllTyped as error:
            raise Refusal(INVALID_PATH, f"{column.name} is {text!r}, expected {error}.") from None

    def _filters(self, asked: Mapping[str, str]) -> list[Compare]:
        found: list[Compare] = []
        for name, text in asked.items():
            if name not in self.filters:
                continue
            column, operator = self.filters[name]
            for other in _excluded(name, column.name):
                if other in asked:
                    raise Refusal(INVALID_QUERY, f"{name} and {other} cannot be given together.")
            try:
                found.append(Compare(column.name, operator, value_of(column, text)))
            except IllTyped as error:
                raise impossible(name, text, str(error)) from None
        return found

    def _order(self, asked: Mapping[str, str], ruling: Ruling) -> tuple[str | None, bool]:
        sort = asked.get("sort", self.sort)
        if sort is None:
            return None, False
        field = sort.removeprefix("-")
        if field not in self.columns:
            raise impossible("sort", sort, f"one of {', '.join(self.columns)}, or one with '-' before it")
        if field in ruling.kept:
            # Its place in the order would tell what the field holds.
            if "sort" in asked:
                raise impossible("sort", sort, "a field that is not kept from you")
            return None, False
        return field, sort.startswith("-")

    def _words(self, asked: Mapping[str, str]) -> str:
        words = asked.get("search")
        if words is None:
            return ""
        if not words.strip() or len(words) > LONGEST_SEARCH or "\x00" in words:
            raise impossible("search", words, f"words, of 1 to {LONGEST_SEARCH} characters in all")
        return words

    def _where(self, conditions: Sequence[Compare], ruling: Ruling, nothing: bool) -> Condition:
        if nothing:
            return NEVER
        open_ = [
            ruling.open[name] for name in dict.fromkeys(c.column for c in conditions) if name in ruling.open
        ]
        return all_of((*conditions, *open_, ruling.visible))


def _excluded(parameter: str, field: str) -> Sequence[str]:
    """The parameters that say the same or the contrary."""
    suffix = parameter.removeprefix(field)
    pairs = {".ge": ".gt", ".gt": ".ge", ".le": ".lt", ".lt": ".le"}
    if not suffix:
        return [f"{field}.{other}" for other in OPERATORS if other]
    return [field + pairs[suffix]] if suffix in pairs else []


def _after(
    asked: Mapping[str, str], bound: bytes, column: Column | None
) -> "tuple[str | int | float | None, str] | None":
    text = asked.get("cursor")
    if text is None:
        return None
    try:
        return place_of(bound, text, column)
    except NoCursor:
        raise impossible("cursor", text, "what 'next' had in an answer to the same query") from None


def _limit(asked: Mapping[str, str]) -> int:
    text = asked.get("limit")
    if text is None:
        return PAGE
    if _NUMBER.fullmatch(text) is None or int(text) > LARGEST_PAGE:
        raise impossible("limit", text, f"an integer from 1 to {LARGEST_PAGE}")
    return int(text)


def _total(asked: Mapping[str, str]) -> bool:
    text = asked.get("total", "false")
    if text not in ("true", "false"):
        raise impossible("total", text, "true or false")
    return text == "true"
