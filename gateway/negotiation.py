"""Content negotiation (RFC 9110, section 12.5.1): most operations answer in JSON alone."""

import re
from collections.abc import Iterable

JSON_ALONE = ("application/json",)
EVENT_STREAM = "text/event-stream"
CALENDAR_ALONE = ("text/calendar",)

_QUALITY = re.compile(r";[ \t]*q[ \t]*=[ \t]*([0-9.]+)", re.IGNORECASE)


def accepts(accept: str, media_types: Iterable[str]) -> bool:
    """Whether ``Accept`` allows one of them: the most specific range that covers it has a quality above 0."""
    return any(_accepts(accept, one) for one in media_types)


def accepts_by_name(accept: str, media_type: str) -> bool:
    """Whether ``Accept`` names it, not only a range that covers it."""
    return any(
        item.split(";")[0].strip().lower() == media_type and _quality_of(item) > 0
        for item in accept.split(",")
    )


def _accepts(accept: str, media_type: str) -> bool:
    specificity = {"*/*": 1, media_type.split("/")[0] + "/*": 2, media_type: 3}
    best, quality = 0, 0.0
    for item in accept.split(","):
        kind = item.split(";")[0].strip().lower()
        rank = specificity.get(kind, 0)
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
