"""The gateway as a whole: which endpoint answers what, and its life from start to stop."""

import asyncio
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache

import msgspec
from prometheus_client.registry import Collector

from actors import address
from actors.manifest import ContextManifest, ManifestError
from actors.settings import GatewaySettings
from actors.shared_port import SharedPort
from contexts.vocabulary import Aggregate, CommandRoute, Find, Get, Inquiry, View
from gateway import docs
from gateway.commands import CommandEndpoint
from gateway.deadline import wait_preference
from gateway.detours import at_events
from gateway.documents import DocumentEndpoint
from gateway.endpoint import Endpoint
from gateway.events import ContextEvents, DocumentEvents, EntityEvents, Following, Streaming
from gateway.exchange import Exchange, target_of
from gateway.find import FindEndpoint
from gateway.header_names import ACCEPT, PREFER
from gateway.inquiries import InquiryEndpoint
from gateway.listener import Listener
from gateway.metrics import Exposition, GatewayCollector, Recorder
from gateway.negotiation import accepts
from gateway.openapi import Described, document
from gateway.pages import Page, Readiness, alive, readiness
from gateway.problems import (
    METHOD_NOT_ALLOWED,
    NOT_ACCEPTABLE,
    NOT_FOUND,
    OVERLOADED,
    Refusal,
)
from gateway.queries import HistoryEndpoint, StateEndpoint
from gateway.reading import Reader
from gateway.regions import Region
from gateway.responses import Response, respond
from gateway.router import Match, Router
from gateway.views import Views


class Gateway:
    """The HTTP edge of a worker.

    ``ready`` returns reasons by name why the worker cannot serve, nothing when it can; ``notes`` what is
    wrong while it serves all the same; ``collectors`` are shown at ``/metrics`` beside the gateway's own
    figures; ``clock`` is the loop's unless a test says otherwise. ``views`` and ``followings`` are
    by context; raises ManifestError when a route needs views that are not there.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        regions: Mapping[str, Region],
        ready: Readiness,
        collectors: Iterable[Collector] = (),
        clock: Callable[[], float] | None = None,
        notes: Readiness = dict,
        views: Mapping[str, Views] | None = None,
        followings: Mapping[str, Following] | None = None,
    ) -> None:
        self._settings = settings
        self._notes = notes
        self._followings = followings or {}
        self._ready = ready
        self._clock = clock
        self._router: Router[Endpoint] = Router()
        self._recorders: list[Recorder] = []
        self.operations: list[Described] = []
        """What the OpenAPI document describes."""
        unmatched = Recorder("", "")
        self._recorders.append(unmatched)
        self._listener = Listener(settings, self._dispatch, unmatched)
        own = GatewayCollector(
            self._recorders, lambda: self.in_flight, lambda: self.connections, lambda: self.followers
        )
        self._exposition = Exposition((own, *collectors))
        for region in regions.values():
            self._mount(region, views.get(region.name) if views else None)
        self._mount_pages()

    @property
    def port(self) -> int:
        """The port that is listened on; 0 before ``start``."""
        return self._listener.port

    @property
    def connections(self) -> int:
        """Open connections."""
        return len(self._listener.connections)

    @property
    def in_flight(self) -> int:
        """Requests being worked on."""
        return len(self._listener.in_flight)

    @property
    def followers(self) -> int:
        """Clients that follow."""
        return sum(following.followers for following in self._followings.values())

    def failure(self) -> str | None:
        """Why the gateway cannot go on, should it have come to that: one of its tasks has ended."""
        return self._listener.failure()

    def start(self, sockets: Sequence[socket.socket] = ()) -> None:
        """Listen on these, or else at ``settings.bind``. Raises PortUnavailable, and OSError when it cannot
        be listened on them."""
        if self._clock is None:
            self._clock = asyncio.get_running_loop().time
        if not sockets:
            with SharedPort(address.parse(self._settings.bind)) as port:
                sockets = [each.dup() for each in port.sockets(0)]
        self._listener.start(sockets)

    def drain(self) -> None:
        """Stop being ready, take no new connections and end those there are after their next answer; who
        follows is told to come again."""
        self._listener.drain()
        for following in self._followings.values():
            following.end("the server is stopping")

    async def stop(self, grace: float) -> None:
        """Drain, let running requests finish for at most ``grace`` seconds, and close."""
        self.drain()
        await self._listener.stop(grace)

    def _mount(self, region: Region, views: Views | None) -> None:
        manifest = region.manifest
        following = self._followings.get(region.name)
        streaming = None if following is None else Streaming(region, following)
        reader = None if views is None else Reader(region, views)
        for route in manifest.context.routes:
            if isinstance(route, CommandRoute):
                self._describe_and_add(CommandEndpoint(region, manifest, route, self._settings))
            elif isinstance(route, Get) and isinstance(route.source, Aggregate):
                self._describe_and_add(StateEndpoint(region, manifest, route))
                if route.part is None:
                    stream = None if streaming is None else EntityEvents(streaming, route.source.name)
                    self._describe_and_add(HistoryEndpoint(region, manifest, route, stream))
            elif reader is None:
                where = f"context {manifest.name!r}, route {route.path!r}"
                raise ManifestError(f"{where}: there are no views to read")
            elif isinstance(route, Find):
                self._describe_and_add(FindEndpoint(reader, manifest, route))
            elif isinstance(route.source, Inquiry):
                self._describe_and_add(InquiryEndpoint(reader, manifest, route))
            else:
                self._describe_and_add(DocumentEndpoint(reader, manifest, route))
        if streaming is not None:
            self._mount_events(manifest, streaming)

    def _mount_events(self, manifest: ContextManifest, streaming: Streaming) -> None:
        """After everything else: what is there already must stay to be reached."""
        streams: list[ContextEvents | DocumentEvents] = [ContextEvents(streaming, manifest)]
        for route in manifest.context.routes:
            if isinstance(route, Find) or (isinstance(route, Get) and isinstance(route.source, View)):
                streams.append(DocumentEvents(streaming, manifest, route))
        for stream in streams:
            self.operations.append(stream)
            self._recorders.append(stream.recorder)
            for method, endpoint in at_events(self._router, stream.template, stream).items():
                self._router.add(method, stream.template, endpoint)

    def _describe_and_add(self, endpoint: Described) -> None:
        self.operations.append(endpoint)
        self._add(endpoint.recorder.method, endpoint.template, endpoint)

    def _mount_pages(self) -> None:
        pages: dict[str, Callable[[], Response]] = {
            **docs.pages(),
            "/openapi.json": cache(self._describe),
            "/healthz": alive,
            "/readyz": readiness(self._readiness, self._notes),
            "/metrics": lambda: respond(
                200, self._exposition.render(), self._exposition.content_type.encode()
            ),
        }
        for path, make in pages.items():
            self._add("GET", path, Page(path, make))

    def _describe(self) -> Response:
        return respond(200, msgspec.json.encode(document(self.operations, self._settings)))

    def _readiness(self) -> Mapping[str, str]:
        return {"gateway": "stopping"} if self._listener.draining else self._ready()

    def _add(self, method: str, template: str, endpoint: Endpoint) -> None:
        self._router.add(method, template, endpoint)
        self._recorders.append(endpoint.recorder)

    def _dispatch(self, exchange: Exchange) -> None:
        if exchange.refusal is not None:
            raise exchange.refusal
        message = exchange.message
        path, query = target_of(message.path)
        if path == "*" and message.method == "OPTIONS":
            exchange.respond(
                respond(204, headers=(("Allow", "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"),))
            )
            return
        match = self._router.find(path)
        if match is None:
            raise Refusal(NOT_FOUND, "No operation has this path.")
        endpoint = match.endpoints.get(message.method)
        if endpoint is None:
            endpoint = self._other_method(exchange, match)
            if endpoint is None:
                return
        exchange.endpoint = endpoint
        headers = message.headers
        if ACCEPT in headers:
            accept = exchange.header(ACCEPT) or ""
            if endpoint.limited and accept != "*/*" and not accepts(accept, endpoint.media_types):
                raise Refusal(NOT_ACCEPTABLE)
        if endpoint.limited:
            self._limit(exchange)
        endpoint.handle(exchange, match.parameters, query)

    def _limit(self, exchange: Exchange) -> None:
        """Count the request in, if there is room, and give it a deadline."""
        settings = self._settings
        in_flight = self._listener.in_flight
        if len(in_flight) >= settings.in_flight:
            raise Refusal(OVERLOADED, f"{settings.in_flight} requests are in progress.")
        seconds = settings.deadline
        if PREFER in exchange.message.headers:
            wanted = wait_preference(exchange.header(PREFER) or "")
            if wanted is not None:
                seconds = min(float(wanted), settings.deadline_limit)
        assert self._clock is not None
        exchange.deadline = self._clock() + seconds
        in_flight.add(exchange)

    def _other_method(self, exchange: Exchange, match: Match[Endpoint]) -> Endpoint | None:
        """HEAD is GET without the body, OPTIONS lists the methods, anything else is refused."""
        method = exchange.method
        if method == "HEAD" and "GET" in match.endpoints:
            return match.endpoints["GET"]
        methods = {*match.endpoints, "OPTIONS"} | ({"HEAD"} if "GET" in match.endpoints else set())
        allow = (("Allow", ", ".join(sorted(methods))),)
        if method != "OPTIONS":
            raise Refusal(METHOD_NOT_ALLOWED, headers=allow)
        exchange.respond(respond(204, headers=allow))
        return None
