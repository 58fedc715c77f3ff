"""Reading documents for a request: as fresh as ``Read-After`` wants them, all from one moment, and with the
position they stand at."""

import asyncio
import logging
from collections.abc import Mapping, Sequence

from actors.positions import PositionError, behind, format_position, parse_position
from actors.views.port import Reading, Standing, ViewsDamaged, ViewsError, Wanted
from gateway.exchange import Exchange
from gateway.header_names import READ_AFTER
from gateway.problems import INVALID_HEADER, NOT_YET_VISIBLE, VIEWS_UNAVAILABLE, Refusal
from gateway.regions import Region
from gateway.views import Views

log = logging.getLogger("butai.gateway")

MARGIN = 0.1
"""Seconds before a request's deadline at which waiting ends, so that the answer says what is missing."""
AGAIN = 0.005
"""Seconds until another look, where what was read is older than what was waited for."""


class Reader:
    """Of one context's views, for its endpoints."""

    def __init__(self, region: Region, views: Views) -> None:
        self.context = region.name
        self._views = views
        self._shards = region.shard_count
        self._positions: Mapping[int, int] = {}
        self._line = b"Position: %s/\r\n" % region.name.encode()

    def read_after(self, exchange: Exchange) -> Mapping[int, int] | None:
        """What the request has seen already; raises Refusal."""
        if READ_AFTER not in exchange.message.headers:
            return None
        try:
            return parse_position(exchange.header(READ_AFTER) or "", self.context, self._shards)
        except PositionError as error:
            raise Refusal(INVALID_HEADER, f"Read-After: {error}.") from None

    async def read(self, wanted: Sequence[Wanted]) -> Reading:
        """What is wanted, as it is now; raises Refusal."""
        try:
            return await self._views.store.read(wanted)
        except ViewsError as error:
            raise self._unavailable(error) from error

    async def read_fresh(
        self, wanted: Sequence[Wanted], after: Mapping[int, int] | None, exchange: Exchange
    ) -> Reading:
        """What is wanted, at least as fresh as ``after``; raises Refusal."""
        if not after:
            return await self.read(wanted)
        try:
            return await self._read_after(wanted, after, exchange)
        except ViewsError as error:
            raise self._unavailable(error) from error

    def _unavailable(self, error: ViewsError) -> Refusal:
        if isinstance(error, ViewsDamaged):
            log.error("views are damaged", extra={"fields": {"context": self.context, "error": str(error)}})
            return Refusal(VIEWS_UNAVAILABLE, "What is stored of the views cannot be read.")
        return Refusal(VIEWS_UNAVAILABLE, str(error))

    async def _read_after(
        self, wanted: Sequence[Wanted], after: Mapping[int, int], exchange: Exchange
    ) -> Reading:
        clock = asyncio.get_running_loop().time
        left = exchange.deadline - clock()
        end = exchange.deadline - min(MARGIN, left / 2)
        views = list(dict.fromkeys(one.view for one in wanted))
        while True:
            missing = await self._views.fresh(views, after, end)
            if missing:
                raise self._not_yet(after, missing)
            reading = await self._views.store.read(wanted)
            # Another worker may have switched to a generation of whose lead nothing was known here.
            missing = _behind(reading, after)
            if not missing:
                return reading
            if clock() >= end:
                raise self._not_yet(after, missing)
            await asyncio.sleep(AGAIN)

    def _not_yet(self, after: Mapping[int, int], missing: Mapping[int, int]) -> Refusal:
        wanted = format_position(self.context, {shard: after[shard] for shard in missing})
        reached = format_position(self.context, missing)
        return Refusal(
            NOT_YET_VISIBLE,
            f"The view has reached {reached}, not yet {wanted}.",
            members={"wanted": wanted, "reached": reached},
        )

    def headers(self, standings: Mapping[str, Standing]) -> bytes:
        """``Position`` and ``Position-Age`` of an answer, as lines of its head."""
        if len(standings) == 1:
            (standing,) = standings.values()
        else:
            standing = _least(list(standings.values()))
        positions = standing.positions
        if positions is not self._positions and positions != self._positions:
            # It changes with commits, not with requests.
            folded = {shard: seq for shard, seq in positions.items() if seq}
            self._line = b"Position: %s\r\n" % format_position(self.context, folded).encode()
            self._positions = positions
        return b"%sPosition-Age: %.3f\r\n" % (self._line, self._views.age(standing))


def _behind(reading: Reading, after: Mapping[int, int]) -> dict[int, int]:
    missing: dict[int, int] = {}
    for standing in reading.standings.values():
        for shard, seq in behind(standing.positions, after).items():
            missing[shard] = min(missing.get(shard, seq), seq)
    return missing


def _least(standings: Sequence[Standing]) -> Standing:
    """What all of them have folded."""
    shards = set.intersection(*(set(one.positions) for one in standings)) if standings else set()
    return Standing(0, {shard: min(one.positions[shard] for one in standings) for shard in shards})
