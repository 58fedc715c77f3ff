"""W3C Trace Context: the ``traceparent`` of the caller; a malformed one is ignored (section 3.2)."""

import re

_PARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


def trace_of(header: str) -> str | None:
    """The header when it is a valid ``traceparent``; its first 55 characters, which every version has."""
    found = _PARENT.fullmatch(header.strip())
    if found is None:
        return None
    version, trace, parent, _, rest = found.groups()
    if version == "ff" or (version == "00" and rest) or set(trace) == {"0"} or set(parent) == {"0"}:
        return None
    return found[0][:55]
