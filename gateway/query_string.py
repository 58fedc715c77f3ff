"""Query parameters: known ones, each once, and possible."""

from collections.abc import Iterable, Mapping
from urllib.parse import unquote_plus

from gateway.problems import INVALID_QUERY, Refusal

HIGHEST = 2**63 - 1


def integers(query: str | None, allowed: Mapping[str, tuple[int, int]]) -> dict[str, int]:
    """The parameters that are there; ``allowed`` holds each one's least and greatest value.
    Raises Refusal."""
    values: dict[str, int] = {}
    if not query:
        return values
    for item in query.split("&"):
        raw_name, _, raw_value = item.partition("=")
        name, value = _text(raw_name), _text(raw_value)
        if name not in allowed:
            raise unknown(name, allowed)
        if name in values:
            raise Refusal(INVALID_QUERY, f"The query parameter {name!r} is repeated.")
        least, greatest = allowed[name]
        if not (
            value.isascii() and value.isdecimal() and len(value) <= 19 and least <= int(value) <= greatest
        ):
            raise Refusal(INVALID_QUERY, f"{name} must be an integer from {least} to {greatest}.")
        values[name] = int(value)
    return values


def _text(raw: str) -> str:
    try:
        return unquote_plus(raw, errors="strict")
    except UnicodeError:
        raise Refusal(INVALID_QUERY, "The query is not UTF-8.") from None


def texts(query: str | None) -> dict[str, str]:
    """All parameters, decoded, each once, in their order. Raises Refusal."""
    values: dict[str, str] = {}
    if not query:
        return values
    for item in query.split("&"):
        raw_name, _, raw_value = item.partition("=")
        name, value = _text(raw_name), _text(raw_value)
        if name in values:
            raise Refusal(INVALID_QUERY, f"The query parameter {name!r} is repeated.")
        values[name] = value
    return values


def impossible(name: str, value: str, expected: str) -> Refusal:
    """What is wrong with a parameter's value."""
    shown = value if len(value) <= 100 else f"{value[:100]}..."
    return Refusal(INVALID_QUERY, f"{name} is {shown!r}, expected {expected}.")


def unknown(name: str, known: Iterable[str]) -> Refusal:
    """There is no such parameter."""
    listed = ", ".join(known) or "none"
    return Refusal(INVALID_QUERY, f"There is no query parameter {name!r} here; known: {listed}.")
