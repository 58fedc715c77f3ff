"""What operators have a worker do about its views."""

from collections.abc import Mapping

from actors.control.messages import (
    Begun,
    Done,
    Failed,
    LookAtViews,
    PauseView,
    RebuildView,
    ReleaseView,
    Reply,
    Skipped,
    SkipView,
    ViewAsk,
    Work,
)
from actors.views.port import ViewsError
from actors.views.projections import Projections


class ViewControl:
    """Does it with the projections of the worker's contexts, by name."""

    def __init__(self, projections: Mapping[str, Projections]) -> None:
        self._projections = projections

    def handle(self, ask: ViewAsk) -> Reply | Work:
        """Do it; what the store takes part in is awaited."""
        found = self._projections.get(ask.context)
        if found is None:
            return Failed(f"the views of {ask.context} are not folded on this worker")
        match ask:
            case LookAtViews():
                found.changed()
                return Done()
            case ReleaseView(view=view, shard=shard):
                return Done() if found.release(view, shard) else _not_parked(ask.context, view, shard)
            case PauseView(view=view, paused=paused):
                return _told(_pause(found, view, paused))
            case RebuildView(view=view):
                return _told(_rebuild(found, view))
            case SkipView(view=view, shard=shard, seq=seq):
                return _told(_skip(found, view, shard, seq))


async def _told(work: Work) -> Reply:
    """What a store says is for the operator."""
    try:
        return await work
    except ViewsError as error:
        return Failed(str(error))


async def _pause(projections: Projections, view: str, paused: bool) -> Reply:
    await projections.pause(view, paused)
    return Done()


async def _rebuild(projections: Projections, view: str) -> Reply:
    return Begun((await projections.rebuild(view)).number)


async def _skip(projections: Projections, view: str, shard: int, seq: int) -> Reply:
    parked = [p.failure for p in projections.parked(view, shard) if p.failure and p.failure.seq == seq]
    if not parked or not await projections.skip(view, shard, seq):
        return _not_parked(projections.region.name, view, shard, seq)
    event = parked[0]
    return Skipped(event=event.event, entity=event.entity, version=event.version, error=event.error)


def _not_parked(context: str, view: str, shard: int, seq: int | None = None) -> Failed:
    where = f"{context}/{shard}" if seq is None else f"{context}/{shard}:{seq}"
    return Failed(f"view {view} is not parked at {where} on this worker")
