"""What the writer's thread does: calls first, upkeep in its pauses."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from actors.journal.port import Claim, Corrupted, Row, Snapshot
from actors.journal.sqlite.store import Store
from actors.journal.sqlite.thread import Job
from actors.journal.sqlite.upkeep import Upkeep


class Writer:
    """The only one in its process that writes to the file."""

    def __init__(self, path: Path, shards: int, lock_seconds: float, window: int) -> None:
        # A stretch of the tail is as long as a window: in a shorter one each entity has fewer events, and
        # its entry is what costs.
        self.store = Store(path, shards, lock_seconds, window)
        self._job: Job | None = None
        try:
            self.upkeep = Upkeep(path, self.store, window)
        except BaseException:
            self.store.close()
            raise

    def work(self, jobs: list[Job]) -> None:
        """Do the calls in order, but for those that nobody waits for any more."""
        for job in jobs:
            if not job.withdrawn:
                self._job = job
                job.do()

    def hold_all(self) -> None:
        """See ``Store.hold_all``."""
        self.store.hold_all()

    def claim(self, shards: Sequence[int], owner: str, after: Mapping[int, int] | None) -> list[Claim]:
        """See ``port.Journal.claim``."""
        return self.store.claim(shards, owner, self._begin, after)

    def release(self, epochs: Mapping[int, int]) -> None:
        """See ``port.Journal.release``."""
        self.store.release(epochs, self._begin)

    def append(
        self, rows: Sequence[Row], epochs: Mapping[int, int], snapshots: Sequence[Snapshot]
    ) -> frozenset[int]:
        """See ``port.Journal.append``."""
        self.upkeep.before_append()
        if self.upkeep.corruption is not None:
            raise Corrupted(str(self.upkeep.corruption))
        fenced = self.store.append(rows, epochs, snapshots, self._begin)
        self.upkeep.after_append()
        return fenced

    def rest(self) -> float:
        """One small piece of upkeep; seconds until the next."""
        return self.upkeep.rest()

    def close(self) -> None:
        """Leave the upkeep to others and let go of the file."""
        self.upkeep.close()
        self.store.close()

    def _begin(self) -> None:
        if self._job is not None:
            self._job.begin()
