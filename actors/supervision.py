"""What becomes of an entity that failed: a pure decision over its past failures.

A failing entity is restarted from its journal, later each time; one that fails too often within the window
is quarantined until an operator releases it; a shard with too many quarantined ones is restarted whole.
"""

from collections.abc import Sequence

import msgspec

from actors.settings import SupervisionSettings


class Restart(msgspec.Struct, frozen=True):
    """Replay the entity ``delay`` seconds from now."""

    delay: float


class Quarantine(msgspec.Struct, frozen=True):
    """Refuse everything for this entity until it is released."""


class Escalate(msgspec.Struct, frozen=True):
    """The fault is wider than an entity: restart the shard."""


Directive = Restart | Quarantine | Escalate


def supervise(
    failures: Sequence[float], quarantines: Sequence[float], now: float, limits: SupervisionSettings
) -> Directive:
    """The directive for an entity that failed at the times in ``failures`` (seconds, ascending, the newest
    included), in a shard that quarantined entities at the times in ``quarantines``."""
    recent = within(failures, now, limits.window)
    if len(recent) < limits.failures:
        if len(recent) <= 1:
            return Restart(0.0)
        return Restart(min(limits.backoff * 2.0 ** (len(recent) - 2), limits.backoff_limit))
    if len(within(quarantines, now, limits.window)) + 1 >= limits.quarantines:
        return Escalate()
    return Quarantine()


def within(times: Sequence[float], now: float, window: float) -> list[float]:
    """The times that are not older than ``window`` seconds."""
    return [t for t in times if now - t <= window]
