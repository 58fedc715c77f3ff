"""Content negotiation (RFC 9110, section 12.5.1): everything here answers JSON."""

import re

_QUALITY = re.compile(r";[ \t]*q[ \t]*=[ \t]*([0-9.]+)", re.IGNORECASE)
_SPECIFICITY = {"*/*": 1, "application/*": 2, "application/json": 3}


def accepts_json(accept: str) -> bool:
    """Whether ``Accept`` allows JSON: the most specific range that covers it has a quality above 0."""
    best, quality = 0, 0.0
    for item in accept.split(","):
        kind = item.split(";")[0].strip().lower()
        rank = _SPECIFICITY.get(kind, 0)
        if rank > best:
            best, quality = rank, _quality_of(item)
    return quality > 0


def _quality_of(item: str) -> float:
    found = _QUALITY.search(item)
    if found is None:
        return 1.0
    try:
        return float(found[1])
    except ValueError:
        return 1.0


def is_json(content_type: str) -> bool:
    """Whether a body is declared as JSON in UTF-8."""
    kind, _, parameters = content_type.partition(";")
    if kind.strip().lower() != "application/json":
        return False
    parameters = parameters.strip().lower().replace(" ", "")
    return parameters in ("", "charset=utf-8", 'charset="utf-8"')
