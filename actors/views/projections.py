"""The views of one context on this worker: a projector for each of its shards in every generation that this
worker's code can fold, wherever the shards move to and whatever generations come and go.

Who folds what need not be agreed on: the store lets nobody fold an event twice. Generations are made, paused
and switched in the store; every worker looks there once a second, and at once when it is told to.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from actors.cancellation import end
from actors.journal.port import JournalError, Row
from actors.region import Region
from actors.settings import ViewSettings
from actors.shard import ShardState
from actors.views.folding import Folding
from actors.views.freshness import Freshness
from actors.views.port import Generation, NoSuchView, Place, Standing, ViewsError, ViewStore
from actors.views.projector import LOOK, Projector, ProjectorState
from actors.views.pump import Pump

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""Between two looks at generations, when nothing is heard."""
SWITCH_SECONDS = 0.05
"""Between two attempts to switch to what was built: other workers' shards, or load, may keep it behind."""
HEADS_SECONDS = 0.25
"""Between two looks at how far shards on other workers are, while somebody asks for a view's age."""
ASKED_SECONDS = 5.0
"""How long that goes on after the last question."""


class Projections:
    """From ``open`` to ``close``; everything runs on one loop."""

    def __init__(
        self, region: Region, store: ViewStore, settings: ViewSettings, clock: Callable[[], float]
    ) -> None:
        self.region = region
        self.store = store
        self.generations: dict[int, Generation] = {}
        self.projectors: dict[tuple[int, int], Projector] = {}
        """By generation and shard."""
        codecs = {name: kind.codec for name, kind in region.kinds.items()}
        self.foldings = {name: Folding(view, codecs) for name, view in region.manifest.views.items()}
        self.freshness = Freshness(store, clock)
        self.pump = Pump(region.name, store, region.journal, settings, self._progressed)
        self._clock = clock
        self._of_shard: dict[int, list[Projector]] = {}
        self._news = asyncio.Event()
        self._asked = -ASKED_SECONDS
        self._switch_again = clock()
        self._trouble = ""
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Have a generation for each view, and begin to fold. Raises ViewsError."""
        await self.store.prepare([folding.shape for folding in self.foldings.values()])
        await self._reconcile()
        self.region.committer.on_commit.append(self._committed)
        self.region.on_shards.append(self.changed)
        self.pump.start()
        loop = asyncio.get_running_loop()
        name = self.region.name
        self._tasks = [
            loop.create_task(self._watch(), name=f"view generations of {name}"),
            loop.create_task(self._learn(), name=f"view heads of {name}"),
        ]

    async def close(self) -> None:
        """Fold no more. The store is its opener's to close."""
        await end(*self._tasks)
        await self.pump.close()
        await self.freshness.close()
        for key in list(self.projectors):
            self._stop(key)

    @property
    def tasks(self) -> "list[asyncio.Task[None]]":
        """What must not end; their owner watches them."""
        return [*self._tasks, *self.pump.tasks]

    # Following commits -----------------------------------------------------------------------------------

    def _committed(self, rows: Sequence[Row]) -> None:
        by_shard: dict[int, list[Row]] = {}
        for row in rows:
            of_shard = by_shard.get(row.shard)
            if of_shard is None:
                by_shard[row.shard] = [row]
            else:
                of_shard.append(row)
        offer = self.region.stage.offer
        for shard, of_one in by_shard.items():
            self.freshness.learned(shard, of_one[-1].seq)
            message = tuple(of_one)
            for projector in self._of_shard.get(shard, ()):
                if not offer(projector.myAddress, message):
                    # It finds out by looking.
                    projector.head = max(projector.head, of_one[-1].seq)

    def _progressed(self) -> None:
        for shard, projectors in self._of_shard.items():
            live = [projector.seq for projector in projectors if projector.live]
            if live:
                self.freshness.folded(shard, min(live))
        self.freshness.moved()
        now = self._clock()
        if now >= self._switch_again and any(map(self._may_switch, self.generations.values())):
            self._switch_again = now + SWITCH_SECONDS
            self._news.set()

    # Generations and shards ------------------------------------------------------------------------------

    def changed(self) -> None:
        """A shard has come or gone, or somebody has changed a generation."""
        self._news.set()

    async def _watch(self) -> None:
        while True:
            self._news.clear()
            try:
                await self._reconcile()
                await self._switch()
                self._trouble = ""
            except ViewsError as error:
                if not self._trouble:
                    fields = {"context": self.region.name, "error": str(error)}
                    logger.warning("views cannot be looked at", extra={"fields": fields})
                self._trouble = f"views cannot be looked at: {error}"
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def _reconcile(self) -> None:
        """Have projectors for all that is to be folded here, and no others."""
        self.generations = {one.number: one for one in await self.store.generations()}
        wanted = {(number, shard) for number in self._mine() for shard in self.region.shards}
        for key in self.projectors.keys() - wanted:
            self._stop(key)
        for key, projector in self.projectors.items():
            generation = self.generations[key[0]]
            projector.live = generation.live
            projector.pause(generation.paused)
            if projector.state is ProjectorState.CATCHING_UP:
                projector.look()
        missing = wanted - self.projectors.keys()
        if missing:
            places = await self.store.places()
            for number, shard in sorted(missing):
                self._start(number, shard, places.get(number, {}).get(shard, Place(0)))

    def _mine(self) -> list[int]:
        """The generations that this worker's code can fold."""
        return [
            number
            for number, one in self.generations.items()
            if one.view in self.foldings and self.foldings[one.view].shape == one.shape
        ]

    def _start(self, number: int, shard: int, place: Place) -> None:
        found = self.region.shards.get(shard)
        if found is None or found.state is ShardState.FENCED:
            return
        generation = self.generations[number]
        stage = self.region.stage
        address = stage.spawn(
            partial(
                Projector,
                self.pump,
                generation,
                self.foldings[generation.view],
                shard,
                place,
                found.committed,
            )
        )
        projector: Projector = stage.instance(address)
        self.projectors[number, shard] = projector
        self._of_shard.setdefault(shard, []).append(projector)
        stage.offer(address, LOOK)

    def _stop(self, key: tuple[int, int]) -> None:
        projector = self.projectors.pop(key)
        projector.stop()
        of_shard = self._of_shard[key[1]]
        of_shard.remove(projector)
        if not of_shard:
            del self._of_shard[key[1]]
            self.freshness.folded(key[1], 2**63)
        self.region.stage.stop(projector.myAddress)

    def _may_switch(self, generation: Generation) -> bool:
        """As far as this worker sees."""
        if generation.live:
            return False
        mine = [p for (number, _), p in self.projectors.items() if number == generation.number]
        return bool(mine) and all(p.complete for p in mine)

    async def _switch(self) -> None:
        for generation in list(self.generations.values()):
            if self._may_switch(generation) and await self.store.switch(
                generation.number, self.region.journal.shards
            ):
                fields = {"view": generation.view, "generation": generation.number}
                logger.info("a rebuilt view answers", extra={"fields": fields})
                self._news.set()

    # Freshness -------------------------------------------------------------------------------------------

    async def fresh(
        self, views: Sequence[str], positions: Mapping[int, int], deadline: float
    ) -> Mapping[int, int] | None:
        """See ``Freshness.fresh``."""
        return await self.freshness.fresh(views, positions, deadline)

    def age(self, standing: Standing) -> float:
        """See ``Freshness.age``; of shards on other workers it is known four times a second while somebody
        asks."""
        self._asked = self._clock()
        return self.freshness.age(standing)

    async def _learn(self) -> None:
        """How far the shards are that others serve."""
        views = list(self.foldings)
        while True:
            await asyncio.sleep(HEADS_SECONDS)
            if self._clock() - self._asked > ASKED_SECONDS or len(self.region.shards) == (
                self.region.journal.shards
            ):
                continue
            try:
                heads = await self.region.journal.heads()
                standings = await self.store.standings(views)
            except (JournalError, ViewsError):
                continue
            for shard, seq in heads.items():
                if shard in self.region.shards:
                    continue
                reached = min((s.positions.get(shard, 0) for s in standings.values()), default=0)
                self.freshness.folded(shard, reached)
                if reached < seq:
                    self.freshness.learned(shard, seq)

    # What operators want ---------------------------------------------------------------------------------

    async def pause(self, view: str, paused: bool) -> None:
        """Halt a view in all generations, or let it go on. Raises NoSuchView, ViewsUnavailable."""
        await self.store.pause(view, paused)
        self._news.set()

    async def rebuild(self, view: str) -> Generation:
        """Fold a view anew beside what answers. Raises NoSuchView, ViewsUnavailable."""
        if view not in self.foldings:
            raise NoSuchView(f"{self.region.name} has no view {view!r}")
        generation = await self.store.rebuild(self.foldings[view].shape)
        self._news.set()
        return generation

    def parked(self, view: str, shard: int) -> list[Projector]:
        """The parked projectors of a view's shard on this worker: of what answers, and of what is built."""
        return [
            projector
            for projector in self._of_shard.get(shard, ())
            if projector.view == view and projector.parked
        ]

    def release(self, view: str, shard: int) -> bool:
        """Let a parked shard try again; False if it is not parked here."""
        parked = self.parked(view, shard)
        for projector in parked:
            projector.release()
        return bool(parked)

    async def skip(self, view: str, shard: int, seq: int) -> bool:
        """Pass over the event that a shard is parked with; False if it is not parked with that one here.
        Raises ViewsUnavailable."""
        skipped = False
        for projector in self.parked(view, shard):
            assert projector.failure is not None
            if projector.failure.seq == seq and await self.store.skip(projector.generation, shard, seq):
                projector.skipped(seq)
                skipped = True
                fields = {"view": view, "shard": shard, "seq": seq}
                logger.warning("an event was skipped", extra={"fields": fields})
        return skipped

    @property
    def store_trouble(self) -> str:
        """Why the store or the journal cannot be used at present; empty when they can."""
        return self.pump.trouble or self._trouble

    def trouble(self) -> str:
        """Why views are not what they should be; empty when all is well."""
        if self.store_trouble:
            return self.store_trouble
        parked = [projector for projector in self.projectors.values() if projector.parked]
        if not parked:
            return ""
        first = parked[0]
        assert first.failure is not None
        where = f"{self.region.name}/{first.shard}:{first.failure.seq}"
        return f"view {first.view} is parked at {where} ({first.failure.error}); shards parked: {len(parked)}"
