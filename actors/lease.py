"""How long a worker may trust that its shards are its own."""

import math

LEASE_SECONDS = 3.0
"""How long after a heartbeat its sender may decide, and so how long after its last one it may be alive."""


class Lease:
    """Until when this worker may decide (protocol, section 3), on the loop's clock in seconds.

    With the embedded journal the data directory's lock is held as long as the process lives, so nobody
    else can own a shard meanwhile and the lease never ends. With a fabric every confirmed heartbeat
    extends it, counted from the moment *before* the heartbeat was sent."""

    __slots__ = ("until",)

    def __init__(self, until: float = math.inf) -> None:
        self.until = until

    def holds(self, now: float) -> bool:
        """Whether something may be decided at ``now``."""
        return now <= self.until
