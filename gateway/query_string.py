"""Query parameters: known ones, each once, decimal and in range."""

from collections.abc import Mapping
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
            known = ", ".join(allowed) or "none"
            raise Refusal(INVALID_QUERY, f"There is no query parameter {name!r} here; known: {known}.")
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
