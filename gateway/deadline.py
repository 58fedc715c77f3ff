"""How long a client will wait: ``Prefer: wait=<seconds>`` (RFC 7240, section 4.3)."""

import re

_WAIT = re.compile(r'(?:^|,)[ \t]*wait[ \t]*=[ \t]*"?([0-9]{1,9})"?[ \t]*(?=$|[,;])', re.IGNORECASE)


def wait_preference(prefer: str) -> int | None:
    """The seconds of the first ``wait`` preference; None without a positive one. A preference that is not
    understood is ignored (section 2), so nothing is raised."""
    found = _WAIT.search(prefer)
    return int(found[1]) or None if found else None
