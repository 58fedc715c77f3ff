"""Comparing a column with any number or text exactly as Python does, in what its type can hold."""

import math
import re
import sys
from typing import Any

from actors.views.port import Column
from contexts.vocabulary import Operator

_SURROGATE = re.compile("[\ud800-\udfff]").search
_LEAST, _MOST = -(2**63), 2**63 - 1
_INTEGERS = ("integer", "boolean", "moment")


def exact(column: Column, operator: Operator, value: Any) -> tuple[Operator, Any]:
    """An operator and a value of the column's type that are met by the same of its values. The value is None
    when only the operator counts: nothing is equal to it, everything unequal, and nothing else is met."""
    if isinstance(value, str):
        return _text(operator, value)
    if not isinstance(value, (int, float)):
        return operator, value
    if value != value:  # not a number
        return ("!=" if operator == "!=" else "=="), None
    nearest = _integer(value) if column.kind in _INTEGERS else _real(value)
    if nearest == value:
        return operator, nearest
    if operator in ("==", "!="):
        return operator, None
    below = nearest < value
    if operator in ("<", "<="):
        return ("<=" if below else "<"), nearest
    return (">" if below else ">="), nearest


def encodable(text: str) -> bool:
    """It holds no surrogates, which are half a character each and stand in no text that is stored."""
    return text.isascii() or _SURROGATE(text) is None


def _text(operator: Operator, value: str) -> tuple[Operator, str | None]:
    surrogate = None if value.isascii() else _SURROGATE(value)
    if surrogate is None:
        return operator, value
    if operator in ("==", "!="):
        return operator, None
    # By code points they come before U+E000, and after all others that do.
    return ("<" if operator in ("<", "<=") else ">="), value[: surrogate.start()] + "\ue000"


def _integer(value: int | float) -> int:
    if value in (math.inf, -math.inf):
        return _MOST if value > 0 else _LEAST
    return min(max(math.floor(value), _LEAST), _MOST)


def _real(value: int | float) -> float:
    try:
        return float(value)
    except OverflowError:
        return sys.float_info.max if value > 0 else -sys.float_info.max
