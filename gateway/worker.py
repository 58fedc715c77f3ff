"""The worker: the one place where journals, stage, regions and gateway are put together, and taken apart.

Run by the node as ``python -m gateway.worker <node's pid> <report descriptor> <lock descriptor>`` with its
``Assignment`` on stdin.
It ends with status 0 when it was asked to, ``REFUSED`` when it cannot start as configured and ``FAILED`` when
something it needs has died under it; in both cases it tells its node why, in one line.
"""

import asyncio
import contextlib
import gc
import logging
import math
import os
import signal
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec
import uvloop

from actors import address, lifeline, logs, manifest, reports
from actors.cluster import Cluster, NotJoined
from actors.control.facts import WorkerFacts
from actors.control.gather import Gatherer
from actors.following.following import Following
from actors.identity import Assignment, Identity
from actors.journal.port import JournalError
from actors.journal.sqlite import SqliteJournal
from actors.region import Region, wall_clock
from actors.settings import SQLITE, Settings
from actors.stage import Stage
from actors.views.port import ViewsError, ViewStore
from actors.views.projections import Projections
from actors.views.sqlite import SqliteViews
from gateway.server import Gateway
from gateway.server_sent_events import EventStreamEncoder
from gateway.view_metrics import ViewCollector
from gateway.worker_metrics import ClusterCollector, RegionCollector, StageCollector

if TYPE_CHECKING:
    from actors.journal.postgres import PostgresJournal

log = logging.getLogger("gateway.worker")

REFUSED = 78
"""EX_CONFIG of sysexits.h."""
FAILED = 70
"""EX_SOFTWARE of sysexits.h."""
RESERVE = 0.25
"""The part of what is left of the grace that each step of the end keeps for those after it."""
PULSE = 0.5
"""Seconds between two looks at whether all parts live, and two signs of life to the node."""
HURRY_SECONDS = 1.0
"""What is left of the grace after a second request to stop."""


class Refused(Exception):
    """The worker cannot start as configured; the message is one line."""


class Worker:
    """One worker's life on the running loop."""

    def __init__(self, settings: Settings, identity: Identity, report: int) -> None:
        self._settings = settings
        self._identity = identity
        self._report = report
        self._loop = asyncio.get_running_loop()
        self._regions: dict[str, Region] = {}
        self._journals: dict[str, SqliteJournal | PostgresJournal] = {}
        self._stores: dict[str, ViewStore] = {}
        self._projections: dict[str, Projections] = {}
        self._followings: dict[str, Following] = {}
        self._stage: Stage | None = None
        self._cluster: Cluster | None = None
        self._gateway: Gateway | None = None
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()
        self._end = math.inf

    async def run(self) -> int:
        """Serve until asked to stop or until a part dies; the exit status."""
        self._loop.set_exception_handler(logs.report_uncaught)
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._ask_to_stop)
        async with contextlib.AsyncExitStack() as parts:
            try:
                bound = await self._open(parts)
            except (Refused, NotJoined, manifest.ManifestError, JournalError, ViewsError) as error:
                reports.send(self._report, reports.Refusal(message=str(error)))
                return REFUSED
            settle_memory()
            self._tell_ready(bound)
            failure = await self._serve()
            if failure is not None:
                self._die(failure)
        return 0

    def _die(self, failure: str) -> NoReturn:
        """A part is gone: the others may wait for it for ever, and a new worker serves sooner than they end.
        Nothing is lost, what was acknowledged is in the journal."""
        log.critical("a part of the worker died", extra={"fields": {"reason": failure}})
        reports.send(self._report, reports.Failure(message=failure))
        logging.shutdown()
        os._exit(FAILED)

    async def _open(self, parts: contextlib.AsyncExitStack) -> str:
        """Put everything together; ``parts`` takes it apart in the opposite order. Where it listens; empty
        if it does not."""
        settings = self._settings
        manifests = manifest.load(settings.contexts)
        self._check_contexts(manifests)
        stage = Stage(self._loop, mailbox=settings.stage.mailbox, turn_seconds=settings.stage.turn_seconds)
        self._stage = stage
        parts.callback(stage.shutdown_soon)
        owner, lease = self._identity.worker, Cluster.lease_for(settings)
        for name, context in manifests.items():
            self._journals[name] = journal = await self._open_journal(name)
            parts.push_async_callback(journal.close)
            self._regions[name] = region = Region(context, journal, stage, settings, owner, lease, wall_clock)
            parts.push_async_callback(region.close)
            if context.views:
                self._stores[name] = store = await self._open_views(name)
                parts.push_async_callback(store.close)
                projections = Projections(region, store, settings.views, self._loop.time)
                self._projections[name] = projections
                parts.push_async_callback(projections.close)
                await projections.open()
            following = Following(
                region, self._projections.get(name), EventStreamEncoder(), settings.gateway.followers
            )
            self._followings[name] = following
            parts.push_async_callback(following.close)
            following.open()
        self._cluster = cluster = Cluster(settings, self._identity, self._regions, lease)
        parts.push_async_callback(cluster.close)
        await cluster.join({name: journal.identity for name, journal in self._journals.items()})
        parts.push_async_callback(cluster.release)
        parts.push_async_callback(self._drain_regions)
        parts.push_async_callback(self._hand_over, cluster)
        await self._until_settled(cluster)
        gather = Gatherer(self._identity, settings.node.roles, self._regions, self._projections)
        await cluster.serve(lambda: self._facts(gather), self._projections)
        if "gateway" not in settings.node.roles:
            parts.callback(cluster.leave)
            return ""
        collectors = (
            RegionCollector(self._regions),
            ViewCollector(self._projections),
            StageCollector(stage),
            ClusterCollector(cluster),
        )
        self._gateway = gateway = Gateway(
            settings.gateway,
            self._regions,
            self._troubles,
            collectors,
            notes=self._notes,
            views=self._projections,
            followings=self._followings,
        )
        bind = address.parse(settings.gateway.bind)
        try:
            gateway.start([socket.socket(fileno=descriptor) for descriptor in self._identity.listening])
        except OSError as error:
            raise Refused(f"gateway.bind: cannot listen at {bind}: {error.strerror}") from error
        parts.push_async_callback(self._stop_gateway, gateway)
        parts.callback(cluster.leave)
        return str(bind._replace(port=gateway.port))

    def _check_contexts(self, manifests: Mapping[str, manifest.ContextManifest]) -> None:
        for name in self._settings.node.contexts:
            if name not in manifests:
                known = ", ".join(manifests)
                raise Refused(f"node.contexts: there is no context {name!r}, expected some of {known}")

    async def _open_journal(self, context: str) -> "SqliteJournal | PostgresJournal":
        settings = self._settings
        if settings.journal == SQLITE:
            return await SqliteJournal.open(settings.journal_file(context), settings.shards, settings.commits)
        # It takes a while to load, which nobody pays who does not use it.
        from actors.journal.postgres import PostgresJournal

        return await PostgresJournal.open(settings.journal, context, settings.shards, settings.commits)

    async def _open_views(self, context: str) -> ViewStore:
        settings = self._settings
        if settings.journal == SQLITE:
            return await SqliteViews.open(settings.views_file(context), settings.commits.lock_seconds)
        from actors.views.postgres import PostgresViews

        return await PostgresViews.open(settings.journal, context, settings.commits)

    async def _until_settled(self, cluster: Cluster) -> None:
        """Until this worker serves its share; its node knows how long that may take."""
        while not cluster.settled and not self._stop.is_set():
            failure = cluster.death()
            if failure is not None:
                raise Refused(failure)
            await asyncio.sleep(0.005)

    def _facts(self, gather: Gatherer) -> WorkerFacts:
        gateway, cluster = self._gateway, self._cluster
        return gather.facts(
            leaving=cluster is not None and cluster.leaving,
            in_flight=gateway.in_flight if gateway is not None else 0,
            connections=gateway.connections if gateway is not None else 0,
        )

    def _tell_ready(self, bound: str) -> None:
        settings = self._settings
        where = f"sqlite in {Path(settings.data).resolve()}" if settings.journal == SQLITE else "postgresql"
        ready = reports.Ready(address=bound, contexts=tuple(self._regions), journal=where)
        reports.send(self._report, ready)

    async def _serve(self) -> str | None:
        """Wait until asked to stop, or for a part's death: which one, and why."""
        while not self._stop.is_set():
            failure = self._death()
            if failure is not None:
                return failure
            reports.send(self._report, reports.Pulse())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), PULSE)
        return None

    def _death(self) -> str | None:
        assert self._stage is not None
        assert self._cluster is not None
        if self._stage.stopped:
            return "the stage has stopped"
        for name, region in self._regions.items():
            committer = region.committer.task
            if committer.done():
                cause = None if committer.cancelled() else committer.exception()
                return f"{name}: the committer ended: {cause!r}"
        for name, journal in self._journals.items():
            if journal.dead:
                return f"{name}: {journal.dead}"
        for name, store in self._stores.items():
            if store.dead:
                return f"{name}: {store.dead}"
        tasks = [task for projections in self._projections.values() for task in projections.tasks]
        tasks += [following.hub.task for following in self._followings.values() if following.hub.task]
        for task in tasks:
            if task.done():
                cause = None if task.cancelled() else task.exception()
                return f"{task.get_name()} ended: {cause!r}"
        return self._cluster.death() or (self._gateway.failure() if self._gateway is not None else None)

    def _troubles(self) -> Mapping[str, str]:
        """Why not everything can be served, by context; empty when all is well."""
        assert self._cluster is not None
        found = {name: trouble for name, region in self._regions.items() if (trouble := region.trouble())}
        return {**self._cluster.troubles(), **found}

    def _notes(self) -> Mapping[str, str]:
        """What is wrong with views, by context: their documents are answered as they are, so it is nothing to
        be taken off a balancer for."""
        return {name: trouble for name, found in self._projections.items() if (trouble := found.trouble())}

    # The end

    def _ask_to_stop(self) -> None:
        """The first request lets everything finish within the grace, the second waits for no one."""
        if self._stop.is_set():
            self._hurry.set()
            self._end = min(self._end, self._loop.time() + HURRY_SECONDS)
            return
        self._end = self._loop.time() + self._settings.gateway.grace
        self._stop.set()

    def _left(self) -> float:
        return max(0.0, min(self._end - self._loop.time(), self._settings.gateway.grace))

    async def _stop_gateway(self, gateway: Gateway) -> None:
        """Readiness is red and no connection is taken from here on; what is in flight finishes."""
        stopping = asyncio.create_task(gateway.stop(self._left() * (1 - RESERVE)))
        hurry = asyncio.create_task(self._hurry.wait())
        either: tuple[asyncio.Task[Any], ...] = (stopping, hurry)
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        hurry.cancel()
        if not stopping.done():
            stopping.cancel()
            await asyncio.gather(stopping, return_exceptions=True)
            await gateway.stop(0.0)

    async def _hand_over(self, cluster: Cluster) -> None:
        await cluster.drained(self._left() * (1 - RESERVE))

    async def _drain_regions(self) -> None:
        grace = self._left() * (1 - RESERVE)
        await asyncio.gather(*(region.drain(grace) for region in self._regions.values()))


def settle_memory() -> None:
    """Let the garbage collector leave alone what lives long.

    What there is now lives for ever. Entities live long too, and reference counting frees them when they
    leave; nor do connections, requests or answers leave cycles behind (a test sees to that). Looking through
    all of them for cycles stops the loop: with 10,000 entities and thresholds of (50,000, 20, 50) one run in
    four had a pause of a second, and the slowest of a hundred commands took 46 to 60 ms; as below it was 26
    to 31 ms, where a bare aiohttp handler had 18 to 26, and a sixth more commands were done."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 4, 5_000)


def main() -> int:
    """Run the worker of the node that is named by the arguments; the exit status."""
    parent, report, lock = (int(argument) for argument in sys.argv[1:4])
    lifeline.tie(parent)
    assignment = msgspec.json.decode(lifeline.read_line(0), type=Assignment)
    for descriptor in (report, lock, *assignment.identity.listening):
        os.set_inheritable(descriptor, False)
    settings = assignment.settings
    lifeline.watch(0)
    logs.configure(settings.log)
    # A context may also live in the current folder; last, so that it can hide nothing installed.
    sys.path.append(os.getcwd())

    async def live() -> int:
        return await Worker(settings, assignment.identity, report).run()

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(live())
    except Exception as error:
        log.critical("the worker failed", exc_info=error)
        reports.send(report, reports.Failure(message=f"{type(error).__name__}: {error}"))
        return FAILED


if __name__ == "__main__":
    sys.exit(main())
