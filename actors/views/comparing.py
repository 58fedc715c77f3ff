"""Which values a column is compared with in earnest; comparisons with one answer for all documents."""

import math
from datetime import date, datetime
from enum import Enum
from typing import Any

from actors.views.conditions import Stored
from contexts.vocabulary import Operator

_INTEGERS = range(-(2**63), 2**63)


def comparable(kind: str, value: object, enumeration: type[Enum] | None) -> bool:
    """Whether Python would compare a field of this kind with the value; otherwise the two are unequal and
    have no order. ``enumeration``: the field holds its members, which are no texts."""
    if enumeration is not None:
        return isinstance(value, enumeration)
    match kind:
        case "text":
            return isinstance(value, str)
        case "moment":
            return isinstance(value, datetime) and value.tzinfo is not None
        case "date":
            return isinstance(value, date) and not isinstance(value, datetime)
    return isinstance(value, int | float)


def number_question(kind: str, operator: Operator, value: Any) -> bool | tuple[Operator, Stored]:
    """A comparison with a number: its answer where all columns of the kind give the same one, else what to
    ask. Integers and booleans are asked about with integers of 64 bits."""
    if isinstance(value, float) and math.isnan(value):
        return False
    if kind == "real":
        try:
            return operator, float(value)
        except OverflowError:
            return operator != "==" and value > 0
    if isinstance(value, float):
        if math.isinf(value):
            return operator != "==" and value > 0
        if not value.is_integer():
            if operator == "==":
                return False
            operator, value = "<=", math.floor(value)
    value = int(value)
    if value not in _INTEGERS:
        return operator != "==" and value > 0
    return operator, value
