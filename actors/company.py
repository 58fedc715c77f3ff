"""The members of the cluster as the ownership of shards sees them, with what this node knows besides."""

from collections.abc import Callable, Sequence

from actors.fabric.membership import Membership
from actors.identity import Identity, life_of
from actors.placement import Candidate

COMPANY_SECONDS = 2.0
"""How long the first workers of a node wait for each other, so that shards need not move at once."""


class Company:
    """See ``ownership.Members`` for the methods."""

    def __init__(
        self, membership: Membership, identity: Identity, own_bus: bool, clock: Callable[[], float]
    ) -> None:
        """``own_bus``: the bus is the node's, so that all members are of its present life."""
        self._membership = membership
        self._identity = identity
        self._own_bus = own_bus
        self._life = life_of(identity.worker)
        self._clock = clock
        self._until = clock() + COMPANY_SECONDS

    def candidates(self, context: str) -> Sequence[Candidate]:
        """Nobody, while the first workers of a node wait for each other."""
        members = self._membership.members
        if len(members) < self._identity.company and self._clock() < self._until:
            return []
        return self._membership.candidates(context)

    def is_alive(self, worker: str) -> bool:
        """Heard of, and not said to be dead."""
        return self._membership.is_alive(worker)

    def is_dead(self, worker: str) -> bool:
        """Also of an earlier life: on the node's own bus nobody of one can be left."""
        return self._membership.is_dead(worker) or (self._own_bus and life_of(worker) != self._life)

    def last_heard(self, worker: str) -> float | None:
        """When its heartbeat was seen to change."""
        return self._membership.last_heard(worker)

    async def settled(self) -> bool:
        """All that was sent before this call has been heard."""
        return await self._membership.settled()
