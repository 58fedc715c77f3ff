"""The store in memory: the reference of what the port means. Everything happens on the loop, in the order of
the calls; like a real store it never answers in the loop turn of the call."""

import asyncio
from collections.abc import Callable, Sequence
from operator import eq, ge, gt, le, lt, ne
from typing import Any

import msgspec

from actors.views.asking import check
from actors.views.batch import Batch
from actors.views.conditions import All, Compare, Condition, Either
from actors.views.port import (
    Change,
    Done,
    Found,
    Generation,
    NoSuchView,
    Page,
    Place,
    Reading,
    Shape,
    Standing,
    ViewsUnavailable,
    Wanted,
    Work,
)
from actors.views.words import folded, words

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {"<": lt, "<=": le, ">": gt, ">=": ge, "==": eq, "!=": ne}


class MemoryDocuments:
    """What several stores share, as they would share a file."""

    def __init__(self) -> None:
        self.generations: dict[int, Generation] = {}
        self.documents: dict[int, dict[str, Change]] = {}
        self.places: dict[int, dict[int, Place]] = {}
        self.paused: set[str] = set()
        self.skipped: list[tuple[int, int, int]] = []
        self.last = 0
        """The highest number that a generation ever had."""

    def live(self, view: str) -> Generation | None:
        """The generation that answers."""
        return next((one for one in self.generations.values() if one.view == view and one.live), None)

    def begin(self, shape: Shape) -> Generation:
        """Another generation, instead of any that was being built."""
        for number, one in list(self.generations.items()):
            if one.view == shape.view and not one.live:
                self.drop(number)
        self.last += 1
        made = Generation(self.last, shape, self.live(shape.view) is None, shape.view in self.paused)
        self.generations[made.number] = made
        self.documents[made.number] = {}
        self.places[made.number] = {}
        return made

    def drop(self, number: int) -> None:
        """Forget a generation with all that is in it."""
        del self.generations[number], self.documents[number], self.places[number]

    def standing(self, live: Generation) -> Standing:
        """How far it is."""
        places = self.places[live.number]
        return Standing(live.number, {shard: place.seq for shard, place in places.items() if place.seq})


class MemoryViews:
    """See ``port.ViewStore``."""

    def __init__(self, data: MemoryDocuments | None = None) -> None:
        self._data = MemoryDocuments() if data is None else data
        self._closed = False

    @property
    def dead(self) -> str:
        """See ``port.ViewStore.dead``."""
        return "the store is closed" if self._closed else ""

    async def prepare(self, shapes: Sequence[Shape]) -> None:
        """See ``port.ViewStore.prepare``."""
        await self._turn()
        for shape in shapes:
            if all(one.shape != shape for one in self._data.generations.values()):
                self._data.begin(shape)

    async def rebuild(self, shape: Shape) -> Generation:
        """See ``port.ViewStore.rebuild``."""
        await self._turn()
        return self._data.begin(shape)

    async def generations(self) -> list[Generation]:
        """See ``port.ViewStore.generations``."""
        await self._turn()
        return list(self._data.generations.values())

    async def places(self) -> dict[int, dict[int, Place]]:
        """See ``port.ViewStore.places``."""
        await self._turn()
        return {number: dict(places) for number, places in self._data.places.items() if places}

    async def project(self, works: Sequence[Work]) -> list[Done]:
        """See ``port.ViewStore.project``."""
        await self._turn()
        data = self._data
        positions = {
            (work.generation, work.shard): data.places[work.generation].get(work.shard, Place(0)).seq
            for work in works
            if work.generation in data.generations
        }
        batch = Batch(works, positions)
        documents: dict[int, dict[str, bytes]] = {}
        for number, wanted in batch.wanted().items():
            stored = data.documents[number]
            loaded = ((key, stored[key].document) for key in wanted if key in stored)
            documents[number] = {key: document for key, document in loaded if document is not None}
        batch.fold(documents)
        for number, changes in batch.changes.items():
            data.documents[number].update(changes)
        for move in batch.moves:
            places = data.places[move.generation]
            complete = move.complete or places.get(move.shard, Place(0)).complete
            places[move.shard] = Place(move.after, complete)
        return batch.done

    async def switch(self, number: int, shards: int) -> bool:
        """See ``port.ViewStore.switch``."""
        await self._turn()
        data = self._data
        following = data.generations.get(number)
        if following is None or following.live:
            return following is not None
        live = data.live(following.view)
        places, before = data.places[number], {} if live is None else data.places[live.number]
        if not all(places.get(shard, Place(0)).complete for shard in range(shards)):
            return False
        if any(places.get(shard, Place(0)).seq < place.seq for shard, place in before.items()):
            return False
        for other, one in list(data.generations.items()):
            if one.view == following.view and other != number:
                data.drop(other)
        data.generations[number] = msgspec.structs.replace(following, live=True)
        return True

    async def pause(self, view: str, paused: bool) -> None:
        """See ``port.ViewStore.pause``."""
        await self._turn()
        data = self._data
        if data.live(view) is None:
            raise NoSuchView(f"there is no view {view!r}")
        (data.paused.add if paused else data.paused.discard)(view)
        for number, one in data.generations.items():
            if one.view == view:
                data.generations[number] = msgspec.structs.replace(one, paused=paused)

    async def skip(self, number: int, shard: int, seq: int) -> bool:
        """See ``port.ViewStore.skip``."""
        await self._turn()
        places = self._data.places.get(number)
        place = Place(0) if places is None else places.get(shard, Place(0))
        if places is None or place.seq + 1 != seq:
            return False
        places[shard] = place._replace(seq=seq)
        self._data.skipped.append((number, shard, seq))
        return True

    async def read(self, wanted: Sequence[Wanted]) -> Reading:
        """See ``port.ViewStore.read``."""
        await self._turn()
        pages: list[Page] = []
        standings: dict[str, Standing] = {}
        for one in wanted:
            live = self._data.live(one.view)
            if live is None:
                raise NoSuchView(f"no generation of the view {one.view!r} answers")
            check(live.shape, one)
            pages.append(_page(live.shape, self._data.documents[live.number].values(), one))
            standings[one.view] = self._data.standing(live)
        return Reading(pages, standings)

    async def standings(self, views: Sequence[str]) -> dict[str, Standing]:
        """See ``port.ViewStore.standings``."""
        await self._turn()
        live = {view: self._data.live(view) for view in views}
        return {view: self._data.standing(one) for view, one in live.items() if one is not None}

    async def close(self) -> None:
        """See ``port.ViewStore.close``."""
        self._closed = True

    async def _turn(self) -> None:
        if self._closed:
            raise ViewsUnavailable("the store is closed")
        await asyncio.sleep(0)


# Reading


def _page(shape: Shape, changes: Any, wanted: Wanted) -> Page:
    """All documents are looked at and sorted, whatever is wanted."""
    place = {column.name: number for number, column in enumerate(shape.columns)}
    sought = words(wanted.search)
    fields = [shape.search.index(field) for field in wanted.fields]

    def value(change: Change) -> Any:
        return None if wanted.sort is None else change.columns[place[wanted.sort]]

    def fits(change: Change) -> bool:
        texts = [folded(change.texts[field]) for field in fields]
        return (
            (change.document is not None or wanted.tombstones)
            and (wanted.keys is None or change.key in wanted.keys)
            and met(wanted.where, dict(zip(place, change.columns, strict=True)))
            and all(any(word in text for text in texts) for word in sought)
        )

    chosen = sorted(filter(fits, changes), key=lambda change: order(value(change), change.key))
    if wanted.descending:
        chosen.reverse()
    rest = chosen
    if wanted.after is not None:
        begin = order(*wanted.after)
        past = lt if wanted.descending else gt
        rest = [change for change in chosen if past(order(value(change), change.key), begin)]
    found = [Found(change.key, change.document, value(change)) for change in rest[: wanted.limit]]
    return Page(found, len(rest) > wanted.limit, len(chosen) if wanted.total else None)


def order(value: Any, key: str) -> tuple[bool, Any, str]:
    """What sorts documents: missing values first, then by value, equal ones by key."""
    return value is not None, 0 if value is None else value, key


def met(condition: Condition, columns: dict[str, Any]) -> bool:
    """Whether a document with these columns meets it."""
    match condition:
        case All(of):
            return all(met(one, columns) for one in of)
        case Either(of):
            return any(met(one, columns) for one in of)
        case Compare(column, operator, value):
            if operator not in ("==", "!=") and (value is None or columns[column] is None):
                return False
            return bool(_COMPARE[operator](columns[column], value))
