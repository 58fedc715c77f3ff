"""What is in the file beside the documents, as one transaction sees it."""

from functools import lru_cache

import apsw
import msgspec

from actors.journal.sqlite.connection import select
from actors.views.port import Generation, Place, Shape, Standing, ViewsDamaged
from actors.views.sqlite.connection import sql

_generations = msgspec.json.Decoder(list[tuple[int, str, str, str, int]])
_positions = msgspec.json.Decoder(list[tuple[int, int, int, int]])


class Catalog:
    """Generations and positions."""

    def __init__(self, generations: str, positions: str) -> None:
        self.generations: dict[int, Generation] = {}
        self.dropping: list[int] = []
        self.live: dict[str, Generation] = {}
        self.building: dict[str, Generation] = {}
        self.places: dict[int, dict[int, Place]] = {}
        self._standings: dict[str, Standing] = {}
        for number, view, shape, state, paused in _generations.decode(generations):
            if state == "dropping":
                self.dropping.append(number)
                continue
            made = Generation(number, _shape(shape), state == "live", paused == 1)
            self.generations[number] = made
            (self.live if made.live else self.building)[view] = made
        for generation, shard, seq, complete in _positions.decode(positions):
            self.places.setdefault(generation, {})[shard] = Place(seq, complete == 1)

    def seq(self, generation: int, shard: int) -> int | None:
        """How far a shard is folded; None if there is no such generation."""
        if generation not in self.generations:
            return None
        place = self.places.get(generation, {}).get(shard)
        return 0 if place is None else place.seq

    def moved(self, generation: int, shard: int, seq: int, complete: bool) -> None:
        """What this connection has committed itself."""
        places = self.places.setdefault(generation, {})
        before = places.get(shard)
        places[shard] = Place(seq, complete or (before is not None and before.complete))
        self._standings.clear()

    def standing(self, view: str) -> Standing | None:
        """What answers; the same object as long as nothing changes."""
        standing = self._standings.get(view)
        if standing is None and (live := self.live.get(view)) is not None:
            places = self.places.get(live.number, {})
            standing = Standing(live.number, {shard: p.seq for shard, p in places.items() if p.seq})
            self._standings[view] = standing
        return standing


class Catalogs:
    """One connection's catalog, read again when another connection has changed the file."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._version = -1
        self._known: Catalog | None = None

    def now(self) -> Catalog:
        """As of the transaction that is open, which begins with this if nothing was read in it before."""
        [(version,)] = select(self._connection, "PRAGMA data_version")
        if self._known is None or version != self._version:
            [(generations, positions)] = select(self._connection, sql("catalog"))
            try:
                self._known = Catalog(generations, positions)
            except msgspec.MsgspecError as error:
                raise ViewsDamaged(f"what is stored of generations makes no sense: {error}") from error
            self._version = version
        return self._known

    def forget(self) -> None:
        """This connection has changed the file, or does not know whether it has."""
        self._known = None


@lru_cache(256)
def _shape(text: str) -> Shape:
    return msgspec.json.decode(text, type=Shape)
