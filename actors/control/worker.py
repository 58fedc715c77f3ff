"""A worker's side of the control plane: it tells its facts, and does what operators ask of it."""

from collections.abc import Callable

from actors.control import subjects
from actors.control.facts import WorkerFacts
from actors.control.messages import (
    Ask,
    Done,
    Failed,
    LookAtViews,
    PauseView,
    RebuildView,
    Release,
    ReleaseView,
    Reply,
    SkipView,
    Status,
    ViewAsk,
    Work,
    WorkerStatus,
)
from actors.control.responder import Responder
from actors.fabric.connection import Connection
from actors.identity import Identity


class Control:
    """Answers for one worker, from ``start`` to ``stop``.

    ``status`` tells the facts; ``release(context, aggregate, id)`` lets a quarantined entity try again and
    says whether it was quarantined here. Both are called on the loop and must be quick. ``views`` does what
    is asked about views, and may take its time."""

    def __init__(
        self,
        connection: Connection,
        identity: Identity,
        status: Callable[[], WorkerFacts],
        release: Callable[[str, str, str], bool],
        views: Callable[[ViewAsk], Reply | Work],
    ) -> None:
        cluster = identity.cluster
        own = subjects.worker(cluster, identity.worker)
        self._status = status
        self._release = release
        self._views = views
        self._responder = Responder(connection, (own, subjects.everyone(cluster)), self._handle)

    async def start(self) -> None:
        """Begin to answer; raises Unreachable or TimeoutError."""
        await self._responder.start()

    async def stop(self) -> None:
        """Answer no more."""
        await self._responder.stop()

    def _handle(self, ask: Ask) -> Reply | Work:
        match ask:
            case Status():
                return WorkerStatus(self._status())
            case Release(context=context, aggregate=aggregate, id=id):
                if self._release(context, aggregate, id):
                    return Done()
                return Failed(f"{context}/{aggregate}/{id} is not quarantined on this worker")
            case PauseView() | RebuildView() | ReleaseView() | SkipView() | LookAtViews():
                return self._views(ask)
            case _:
                return Failed("this is asked of a node, not of a worker")
