"""What an operator's commands do about views: find who folds them, ask, and look until it has happened."""

import asyncio
import time
from collections.abc import Iterable

from actors.control.messages import (
    Begun,
    LookAtViews,
    PauseView,
    RebuildView,
    ReleaseView,
    Skipped,
    SkipView,
    ViewAsk,
)
from actors.control.operator import Refused
from actors.control.view_survey import ViewSurvey, view_surveys
from gateway.operating import PERIOD, Cluster, NotDone
from gateway.view_table import told

STORE_SECONDS = 12.0
"""How long to wait for what a store takes part in; a worker gives up before."""
SEEN_SECONDS = 10.0
"""How long it may take until all workers have seen what changed; each looks once a second."""


class Views:
    """The views of a cluster that was reached. All methods raise Refused, NotDone, Unreachable and
    TimeoutError."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._workers: list[str] = []
        """Who answered last."""

    async def all(self, context: str | None) -> list[ViewSurvey]:
        """Every generation of every view, or of one context's."""
        survey = await self._cluster.survey()
        self._workers = [worker.worker for worker in survey.workers]
        if context is None:
            return view_surveys(survey)
        _known("context", context, survey.sizes(), f"the cluster {self._cluster.name}")
        return [view for view in view_surveys(survey) if view.context == context]

    async def of(self, context: str, view: str) -> list[ViewSurvey]:
        """The generations of a view that is there."""
        found = await self.all(context)
        _known("view", view, [each.view for each in found], context)
        return [each for each in found if each.view == view]

    async def pause(self, context: str, view: str, paused: bool) -> None:
        """Halt a view, or let it go on; returns when every worker has."""
        found = await self.of(context, view)
        worker = _folder(found)
        await self._ask(worker, PauseView(context=context, view=view, paused=paused), STORE_SECONDS)
        await self._tell_others(context, worker)
        end = time.monotonic() + SEEN_SECONDS
        while any(p.facts.paused != paused for v in await self.of(context, view) for p in v.parts):
            if time.monotonic() >= end:
                wanted = "paused" if paused else "resumed"
                raise NotDone(f"view {view} of {context} is {wanted}, but not every worker has seen it")
            await asyncio.sleep(PERIOD)

    async def rebuild(self, context: str, view: str) -> int:
        """Begin another generation; its number."""
        found = await self.of(context, view)
        worker = _folder(found)
        reply = await self._ask(worker, RebuildView(context=context, view=view), STORE_SECONDS)
        await self._tell_others(context, worker)
        if not isinstance(reply, Begun):
            raise NotDone(f"worker {worker} answered what this release does not know")
        return reply.generation

    async def until_live(self, context: str, view: str, generation: int, timeout: float) -> None:  # noqa: ASYNC109
        """Look until all workers answer from this generation."""
        end = time.monotonic() + timeout
        while True:
            found = await self.of(context, view)
            if [each.generation for each in found] == [generation] and found[0].live:
                return
            mine = next((each for each in found if each.generation == generation), None)
            _refuse_to_wait(found, mine, generation)
            state = mine.state if mine is not None else "about to begin"
            self._cluster.say(f"generation {generation} of view {view}: {state}")
            if time.monotonic() >= end:
                raise NotDone(
                    f"waited {timeout:g} s for generation {generation} of view {view}, which is {state};"
                    " it goes on"
                )
            await asyncio.sleep(PERIOD)

    async def release(self, context: str, view: str, shard: int) -> list[str]:
        """Let a parked shard try again; the workers it is on."""
        found = await self.of(context, view)
        workers = _parked_on(found, context, shard)
        for worker in workers:
            await self._ask(worker, ReleaseView(context=context, view=view, shard=shard))
        return workers

    async def skip(self, context: str, view: str, shard: int, seq: int) -> Skipped:
        """Pass over the event that a shard is parked with; which it was."""
        found = await self.of(context, view)
        workers = _parked_on(found, context, shard)
        listed = [e for each in found for _, e in each.parked() if e.shard == shard]
        if listed and all(event.seq != seq for event in listed):
            expected = " or ".join(str(event.seq) for event in listed)
            raise NotDone(f"seq: expected {expected}, found {seq}: it is parked at {told(listed[0])}")
        skipped = None
        for worker in workers:
            ask = SkipView(context=context, view=view, shard=shard, seq=seq)
            reply = await self._ask(worker, ask, STORE_SECONDS)
            skipped = reply if isinstance(reply, Skipped) else skipped
        if skipped is None:
            raise NotDone(f"worker {workers[0]} answered what this release does not know")
        return skipped

    async def _ask(self, worker: str, ask: ViewAsk, seconds: float = 2.0) -> object:
        return await self._cluster.operator.ask_worker(worker, ask, seconds)

    async def _tell_others(self, context: str, told: str) -> None:
        """Who does not hear it looks by itself, a second later at most."""
        others = [worker for worker in self._workers if worker != told]
        asks = (self._ask(worker, LookAtViews(context=context)) for worker in others)
        for error in await asyncio.gather(*asks, return_exceptions=True):
            if isinstance(error, BaseException) and not isinstance(error, Refused | TimeoutError):
                raise error


def _known(key: str, value: str, known: Iterable[str], whose: str) -> None:
    names = sorted(set(known))
    if value not in names:
        expected = f"expected one of {', '.join(names)}" if names else "there is none"
        raise NotDone(f"{key}: {expected} in {whose}, found {value!r}")


def _folder(found: list[ViewSurvey]) -> str:
    """A worker whose release can fold the view, of the latest release that is known."""
    for view in reversed(found):
        for part in view.parts:
            if part.facts.foldable:
                return part.worker
    raise NotDone(f"no worker's release can fold view {found[0].view} of {found[0].context}")


def _parked_on(found: list[ViewSurvey], context: str, shard: int) -> list[str]:
    """The workers on which a shard is parked."""
    parked = [(worker, event.shard) for view in found for worker, event in view.parked()]
    unlisted = {p.worker for v in found for p in v.parts if p.facts.parks > len(p.facts.parked)}
    workers = sorted({worker for worker, each in parked if each == shard}) or sorted(unlisted)
    if not workers:
        shards = sorted({each for _, each in parked})
        expected = f"expected one of {', '.join(map(str, shards))}" if shards else "none is"
        raise NotDone(f"shard: view {found[0].view} is not parked at {context}/{shard}: {expected}")
    return workers


def _refuse_to_wait(found: list[ViewSurvey], mine: ViewSurvey | None, generation: int) -> None:
    """For what cannot come without an operator."""
    if any(each.generation > generation for each in found):
        raise NotDone(f"generation {generation} was given up for generation {found[-1].generation}")
    if mine is not None and mine.parks:
        parked = mine.parked()
        where = f" at {told(parked[0][1])}" if parked else ""
        raise NotDone(f"generation {generation} is parked{where}")
    if mine is not None and mine.paused:
        raise NotDone(f"view {mine.view} of {mine.context} is paused: resume it first")
