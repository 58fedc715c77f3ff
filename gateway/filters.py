"""Values of indexed fields as they are written in paths and query strings, by the kind of the field."""

import math
import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import msgspec

from actors.views.conditions import Stored
from actors.views.folding import stored
from actors.views.port import Column
from contexts.vocabulary import Moment, Operator

OPERATORS: dict[str, Operator] = {"": "==", "ge": ">=", "gt": ">", "le": "<=", "lt": "<", "ne": "!="}
"""By what follows the field's name and a dot."""

_INTEGER = re.compile(r"-?[0-9]{1,19}", re.ASCII)
_NUMBER = re.compile(r"-?[0-9]{1,300}(\.[0-9]{1,300})?([eE][+-]?[0-9]{1,3})?", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_OFFSET = re.compile(r" ([0-9]{2}:[0-9]{2})$", re.ASCII)

EXPECTED = {
    "text": "text without NUL",
    "integer": "an integer of 64 bits",
    "real": "a number",
    "boolean": "true or false",
    "moment": "an instant with its offset (RFC 3339), such as 2027-01-15T10:00:00Z",
    "date": "a date such as 2027-01-15",
}


class IllTyped(Exception):
    """A text is no value of its field's kind."""


def value_of(column: Column, text: str) -> Stored:
    """The value as the column holds it. Raises IllTyped."""
    try:
        return stored(column.kind, _READ[column.kind](text))
    except (ValueError, OverflowError) as error:
        raise IllTyped(EXPECTED[column.kind]) from error


def instant_text(text: str) -> str:
    """A query string's decoding has made a space of the offset's plus."""
    return _OFFSET.sub(r"+\1", text)


def _text(text: str) -> str:
    if "\x00" in text:
        raise ValueError(text)
    return text


def _integer(text: str) -> int:
    if _INTEGER.fullmatch(text) is None or not -(2**63) <= int(text) < 2**63:
        raise ValueError(text)
    return int(text)


def _real(text: str) -> float:
    if _NUMBER.fullmatch(text) is None or not math.isfinite(float(text)):
        raise ValueError(text)
    return float(text)


def _boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(text)
    return text == "true"


def moment_of(text: str) -> datetime:
    """Raises ValueError."""
    found: datetime = msgspec.convert(instant_text(text), Moment)
    return found


def _date(text: str) -> date:
    if _DATE.fullmatch(text) is None:
        raise ValueError(text)
    return date.fromisoformat(text)


_READ: dict[str, Callable[[str], Any]] = {
    "text": _text,
    "integer": _integer,
    "real": _real,
    "boolean": _boolean,
    "moment": moment_of,
    "date": _date,
}
