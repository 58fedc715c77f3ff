"""What is answered to a question, of documents that are given."""

import inspect
import operator
from collections.abc import Callable, Mapping
from typing import Any

from contexts.specification.documents import Folded
from contexts.vocabulary import ANONYMOUS, Inquiry, Is, Many, One, Principal, Query, View

_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def asked(inquiry: Inquiry, query: Query, *views: Folded[Any], by: Principal = ANONYMOUS) -> "Asked":
    """The answer to ``query`` where these documents are; a view that is not given has none."""
    found = [_read(one, {folded.view: folded for folded in views}) for one in inquiry.reads(query)]
    takes = list(inspect.signature(inquiry.answer).parameters)
    arguments = (query, *found, by)
    return Asked(query, inquiry.answer(*arguments[: len(takes)]))


class Asked:
    """A question and its answer."""

    def __init__(self, query: Query, outcome: Any) -> None:
        self.query = query
        self.outcome = outcome

    def then(self, expected: Any) -> None:
        """Exactly this is the answer."""
        if self.outcome != expected:
            told = f"\nasked\n    {self.query!r}\nexpected\n    {expected!r}\nanswered\n    {self.outcome!r}"
            raise AssertionError(told)


def _read(wanted: One[Any] | Many[Any], views: Mapping[View[Any], Folded[Any]]) -> Any:
    folded = views.get(wanted.view)
    documents = folded.documents if folded is not None else {}
    if isinstance(wanted, One):
        return documents.get((wanted.key,) if isinstance(wanted.key, str) else wanted.key)
    indexed = {
        name for index in wanted.view.indexes for name in ((index,) if isinstance(index, str) else index)
    }
    sort = wanted.sort
    used = {one.field for one in wanted.where} | ({sort.removeprefix("-")} if sort else set())
    if used - indexed:
        raise AssertionError(f"{wanted.view!r} has no index of {', '.join(sorted(used - indexed))}")
    found = [d for _, d in sorted(documents.items()) if all(_meets(d, one) for one in wanted.where)]
    if sort is not None:
        field = sort.removeprefix("-")
        found.sort(key=lambda document: _sortable(getattr(document, field)))
        if sort.startswith("-"):
            found.reverse()
    if len(found) > wanted.limit:
        raise AssertionError(f"{len(found)} documents of {wanted.view!r} are too many to answer from")
    return found


def _meets(document: Any, condition: Is) -> bool:
    value = getattr(document, condition.field)
    if condition.operator in ("==", "!="):
        return _OPERATORS[condition.operator](value, condition.value)
    # An ordering with a missing value is never met.
    missing = value is None or condition.value is None
    return not missing and _OPERATORS[condition.operator](value, condition.value)


def _sortable(value: Any) -> tuple[bool, Any]:
    """Missing values come first."""
    return (value is not None, value)
