"""An entity's past, read from its journal: its state at a version or an instant, and its history.

An entity's events carry the time of the worker that decided them, and clocks may be set back. So the state at
an instant is that after the longest run of events, from the first on, that are not later: the first later
one ends it, and what was once told of an instant stays true however the clock goes."""

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import takewhile

import msgspec

from actors.aggregate import AggregateType, Replayed
from actors.journal.port import Journal, JournalError, Row, Snapshot
from actors.messages import Absent, Reason, Refused, Shown
from actors.recovery import unreplayed
from actors.replies import history_body, state_body

logger = logging.getLogger(__name__)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class History(msgspec.Struct, frozen=True):
    """A page of an entity's history."""

    events: bytes
    """JSON array of events."""
    last: int
    """Version of the last event in it; the version asked after, if it is empty."""
    more: bool


class Past:
    """Of one context's entities."""

    def __init__(
        self,
        journal: Journal,
        kinds: Mapping[str, AggregateType],
        position: Callable[[str, str, int], str],
    ) -> None:
        """``position`` is told aggregate, id and sequence."""
        self._journal = journal
        self._kinds = kinds
        self._position = position

    async def state_at(self, aggregate: str, id: str, version: int) -> Shown | Absent | Refused:
        """The state an entity had at ``version``, replayed from its first event."""
        past = await self._replayed(aggregate, id, version, None)
        if isinstance(past, Replayed) and 0 < past.version < version:
            return Refused(Reason.NO_SUCH_VERSION, f"the version is {past.version}, {version} is not yet")
        return self._shown(aggregate, id, past)

    async def state_when(self, aggregate: str, id: str, instant: datetime) -> Shown | Absent | Refused:
        """The state an entity had at an instant."""
        latest = (instant - _EPOCH) // timedelta(microseconds=1)
        return self._shown(aggregate, id, await self._replayed(aggregate, id, None, latest))

    async def history(self, aggregate: str, id: str, after: int, limit: int) -> History | Absent | Refused:
        """At most ``limit`` events of an entity with versions above ``after``."""
        kind = self._kinds[aggregate]
        try:
            rows = await self._journal.history(aggregate, id, after, limit + 1)
            if not rows and (after == 0 or not await self._journal.history(aggregate, id, 0, 1)):
                return Absent(0)
            page = rows[:limit]
            events = history_body([kind.told(row, self._position(aggregate, id, row.seq)) for row in page])
        except JournalError as error:
            return unreplayed(error)
        return History(events, page[-1].version if page else after, len(rows) > limit)

    async def _replayed(
        self, aggregate: str, id: str, version: int | None, latest: int | None
    ) -> Replayed | Refused:
        kind = self._kinds[aggregate]

        def fold(snapshot: Snapshot | None, rows: Iterable[Row]) -> Replayed:
            if latest is not None:
                rows = takewhile(lambda row: row.at <= latest, rows)
            return kind.fold(snapshot, rows)

        try:
            return await self._journal.replay_all(aggregate, id, fold, version)
        except JournalError as error:
            return unreplayed(error)
        except Exception as error:
            logger.exception("a past state could not be replayed")
            return unreplayed(error)

    def _shown(self, aggregate: str, id: str, past: Replayed | Refused) -> Shown | Absent | Refused:
        if isinstance(past, Refused):
            return past
        if past.version == 0:
            return Absent(0)
        position = self._position(aggregate, id, past.seq)
        return Shown(past.version, state_body(past.version, position, past.state))
