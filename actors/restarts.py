"""Whether and when a dead worker is started again: a pure decision."""

from collections.abc import Sequence

from actors.settings import NodeSettings


def delay(deaths: Sequence[float], settings: NodeSettings) -> float | None:
    """Seconds to wait after the last of ``deaths`` (ascending, in seconds), or None to give up.

    The first death in a window is answered at once: most are single, and clients are waiting."""
    recent = [death for death in deaths if deaths[-1] - death < settings.window]
    if len(recent) > settings.restarts:
        return None
    if len(recent) == 1:
        return 0.0
    return min(settings.backoff * 2.0 ** min(len(recent) - 2, 60), settings.backoff_limit)
