"""Answers, each of them one statement: its documents and positions are from one moment."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import asyncpg

from actors.journal.postgres.failures import ConnectionLost
from actors.journal.postgres.pool import Pool
from actors.journal.postgres.reading import repeatable
from actors.journal.postgres.session import Session
from actors.views.port import Found, NoSuchView, Page, Reading, Shape, Standing, ViewsUnavailable, Wanted
from actors.views.postgres.catalogue import generations
from actors.views.postgres.comparing import Arguments
from actors.views.postgres.failures import told
from actors.views.postgres.finding import NOTHING, branches
from actors.views.postgres.gets import Gets
from actors.views.postgres.statements import sql

ATTEMPTS = 4
_STANDING = """(
    SELECT {part} AS part, {nothing}, NULL::text, g.number, NULL::double precision, p.shards, p.seqs
    FROM generations AS g
    CROSS JOIN LATERAL (
        SELECT array_agg(shard) AS shards, array_agg(seq) AS seqs
        FROM positions
        WHERE generation = g.number AND seq > 0
    ) AS p
    WHERE g.live AND g.view = {view}
)"""


class Reads:
    """Knows which generation answers for a view, and looks again when that turns out to be another."""

    def __init__(self, pool: Pool, lane: str) -> None:
        self._pool = pool
        self._lane = lane
        self._live: dict[str, tuple[int, Shape]] = {}
        self._gets = Gets(self._now)

    async def read(self, wanted: Sequence[Wanted]) -> Reading:
        """See ``port.ViewStore.read``."""
        if len(wanted) == 1 and Gets.takes(wanted[0]):
            return await self._gets.read(wanted[0])
        return await self._now(wanted)

    async def standings(self, views: Sequence[str]) -> dict[str, Standing]:
        """See ``port.ViewStore.standings``."""
        async with told():
            records = await self._fetch(sql("standings"), [list(views)])
        return {view: Standing(number, _positions(shards, seqs)) for view, number, shards, seqs in records}

    async def _now(self, wanted: Sequence[Wanted]) -> Reading:
        views = list(dict.fromkeys(one.view for one in wanted))
        async with told():
            for _ in range(ATTEMPTS):
                if any(view not in self._live for view in views):
                    await self._look(views)
                live = {view: self._live[view] for view in views}
                text, arguments = _statement(wanted, live)
                reading = _reading(wanted, views, live, await self._fetch(text, arguments))
                if reading is not None:
                    return reading
                self._live.clear()
        raise ViewsUnavailable("views are switched all the time")

    async def _look(self, views: Sequence[str]) -> None:
        records = await self._fetch(sql("generations"), [])
        for one in generations(records):
            if one.live:
                self._live[one.view] = (one.number, one.shape)
        for view in views:
            if view not in self._live:
                raise NoSuchView(f"no generation of view {view!r} answers")

    async def _fetch(self, text: str, arguments: Sequence[Any]) -> list[Any]:
        async def fetch(session: Session) -> list[Any]:
            records: list[Any] = []
            # A generation that was dropped by now answers nothing, and so another is looked for.
            with suppress(asyncpg.UndefinedTableError):
                records = await session.connection.fetch(text, *arguments)
            if not session.writable:
                raise ConnectionLost("the server has become read-only")
            return records

        return await repeatable(self._pool, self._lane, fetch)


def _statement(wanted: Sequence[Wanted], live: Mapping[str, tuple[int, Shape]]) -> tuple[str, Arguments]:
    """First how far each view is, then page after page. Raises NoSuchView."""
    arguments = Arguments()
    parts = [
        _STANDING.format(part=-1 - n, nothing=NOTHING, view=arguments.place(view, "text"))
        for n, view in enumerate(live)
    ]
    for n, one in enumerate(wanted):
        number, shape = live[one.view]
        parts += [
            f"(SELECT *, NULL::integer[], NULL::bigint[] FROM {branch} AS found)"
            for branch in branches(n, one, number, shape, arguments)
        ]
    return "\nUNION ALL\n".join(parts), arguments


def _reading(
    wanted: Sequence[Wanted],
    views: Sequence[str],
    live: Mapping[str, tuple[int, Shape]],
    records: Sequence[Any],
) -> Reading | None:
    """None if other generations answer by now."""
    found: list[list[Found]] = [[] for _ in wanted]
    totals: list[int | None] = [None] * len(wanted)
    standings: dict[str, Standing] = {}
    for part, key, document, text, whole, real, shards, seqs in records:
        if part < 0:
            standings[views[-1 - part]] = Standing(whole, _positions(shards, seqs))
        elif key is None:
            totals[part] = whole
        else:
            value = text if text is not None else whole if whole is not None else real
            found[part].append(Found(key, document, value))
    if any(view not in standings or standings[view].generation != live[view][0] for view in views):
        return None
    pages = [
        Page(of_one[: one.limit], len(of_one) > one.limit, total)
        for one, of_one, total in zip(wanted, found, totals, strict=True)
    ]
    return Reading(pages, standings)


def _positions(shards: Sequence[int] | None, seqs: Sequence[int] | None) -> dict[int, int]:
    return dict(zip(shards or (), seqs or (), strict=True))
