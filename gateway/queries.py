"""Endpoints that read: an entity's state, a part of it, a past state, its history."""

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import quote

import msgspec

from actors.manifest import ContextManifest, path_parameters
from actors.messages import Absent, Answer, Ask, Refused, Shown
from contexts.vocabulary import Aggregate, Get
from gateway.conditions import check_match, not_modified
from gateway.exchange import Exchange
from gateway.filters import EXPECTED, moment_of
from gateway.header_names import ACCEPT, IF_MATCH, IF_NONE_MATCH
from gateway.identity import principal
from gateway.metrics import Recorder
from gateway.negotiation import EVENT_STREAM, JSON_ALONE, accepts_by_name
from gateway.problems import INTERNAL_ERROR, INVALID_QUERY, NOT_FOUND, UNEXPECTED_BODY, Refusal, refusal
from gateway.query_string import HIGHEST, impossible, integers, texts, unknown
from gateway.regions import Region
from gateway.responses import respond, versioned

log = logging.getLogger("butai.gateway")

PAGE = 100
"""Events on a page of history that does not say."""
LARGEST_PAGE = 1000


class StateEndpoint:
    """``GET`` of an aggregate or a part of it: the committed state, or with ``?version=N`` or
    ``?at=<instant>`` a past one."""

    limited = True
    media_types = JSON_ALONE

    def __init__(self, region: Region, manifest: ContextManifest, route: Get) -> None:
        assert isinstance(route.source, Aggregate)
        self.route = route
        self.manifest = manifest
        self.aggregate = manifest.aggregates[route.source.name]
        self.template = f"/{manifest.name}{route.path}"
        self.recorder = Recorder("GET", self.template)
        self._region = region
        self._aggregate = route.source.name
        names = path_parameters(route.path)
        self._identity = names.index(self._aggregate)
        self._tasks: set[asyncio.Task[None]] = set()

    def handle(self, exchange: Exchange, parameters: tuple[str, ...], query: str | None) -> None:
        refuse_body(exchange)
        identity = self._identity
        if query:
            when = past_of(query, ("version", "at") if self.route.part is None else ())
            run(exchange, self._past(exchange, parameters[identity], when), self._tasks)
            return
        ask = exchange.ask = Ask(
            self._aggregate,
            parameters[identity],
            None,
            exchange.deadline,
            exchange.reply,
            principal(exchange),
        )
        if self.route.part is not None:
            ask.part = self.route.part
            ask.arguments = parameters[:identity] + parameters[identity + 1 :]
        self._region.tell(ask)

    async def _past(self, exchange: Exchange, id: str, when: int | datetime) -> None:
        past = self._region.past
        if isinstance(when, datetime):
            answer = await past.state_when(self._aggregate, id, when)
        else:
            answer = await past.state_at(self._aggregate, id, when)
        self.finish(exchange, answer)

    def finish(self, exchange: Exchange, answer: Answer) -> None:
        if type(answer) is Shown:
            headers = exchange.message.headers
            if IF_NONE_MATCH in headers or IF_MATCH in headers:
                try:
                    check_match(exchange.header(IF_MATCH), answer.version)
                    unchanged = not_modified(exchange.header(IF_NONE_MATCH), answer.version)
                except Refusal as refused:
                    exchange.refuse(refused)
                    return
                if unchanged:
                    exchange.respond(respond(304, headers=(("ETag", f'"{answer.version}"'),)))
                    return
            exchange.respond(versioned(answer.version, answer.body))
        elif isinstance(answer, Absent):
            exchange.refuse(Refusal(NOT_FOUND))
        elif isinstance(answer, Refused):
            exchange.refuse(refusal(answer))
        else:
            raise TypeError(f"a query was answered with {answer!r}")


class EventStream(Protocol):
    """Follows an entity, for those who accept a stream of events."""

    def after(self, exchange: Exchange, query: str | None) -> Mapping[int, int] | None: ...

    async def begin(self, exchange: Exchange, id: str, after: Mapping[int, int] | None) -> None: ...


class HistoryEndpoint:
    """``GET .../events``: an entity's events, in pages; or as they happen, where ``Accept`` names event
    streams."""

    limited = True

    def __init__(
        self, region: Region, manifest: ContextManifest, route: Get, stream: EventStream | None = None
    ) -> None:
        assert isinstance(route.source, Aggregate)
        self.route = route
        self.manifest = manifest
        self.aggregate = manifest.aggregates[route.source.name]
        self.template = f"/{manifest.name}{route.path}/events"
        self.recorder = Recorder("GET", self.template)
        self.media_types = JSON_ALONE if stream is None else (*JSON_ALONE, EVENT_STREAM)
        self.follows = stream is not None
        self._stream = stream
        self._region = region
        self._aggregate = route.source.name
        self._tasks: set[asyncio.Task[None]] = set()

    def handle(self, exchange: Exchange, parameters: tuple[str, ...], query: str | None) -> None:
        refuse_body(exchange)
        if self._stream is not None and wants(exchange, EVENT_STREAM):
            after_event = self._stream.after(exchange, query)
            run(exchange, self._follow(exchange, parameters[0], after_event), self._tasks)
            return
        wanted = integers(query, {"after": (0, HIGHEST), "limit": (1, LARGEST_PAGE)})
        after, limit = wanted.get("after", 0), wanted.get("limit", PAGE)
        run(exchange, self._page(exchange, parameters[0], after, limit), self._tasks)

    async def _follow(self, exchange: Exchange, id: str, after: Mapping[int, int] | None) -> None:
        assert self._stream is not None
        first = await self._region.past.history(self._aggregate, id, 0, 1)
        if isinstance(first, Absent):
            raise Refusal(NOT_FOUND)
        if isinstance(first, Refused):
            raise refusal(first)
        await self._stream.begin(exchange, id, after)

    async def _page(self, exchange: Exchange, id: str, after: int, limit: int) -> None:
        page = await self._region.past.history(self._aggregate, id, after, limit)
        if isinstance(page, Absent):
            exchange.refuse(Refusal(NOT_FOUND))
        elif isinstance(page, Refused):
            exchange.refuse(refusal(page))
        else:
            path = self.template.replace(f"{{{self._aggregate}}}", quote(id, safe=""))
            following = f"{path}?after={page.last}&limit={limit}" if page.more else None
            body = b'{"events":%s,"next":%s}' % (page.events, msgspec.json.encode(following))
            exchange.respond(respond(200, body))

    def finish(self, exchange: Exchange, answer: Answer) -> None:
        raise TypeError(f"history asks no entity, but was answered with {answer!r}")


def past_of(query: str, known: tuple[str, ...]) -> int | datetime:
    """The version or the instant that is asked for. Raises Refusal."""
    asked = texts(query)
    for name in asked:
        if name not in known:
            raise unknown(name, known)
    if len(asked) > 1:
        raise Refusal(INVALID_QUERY, "version and at cannot be given together.")
    if "version" in asked:
        return integers(query, {"version": (1, HIGHEST)})["version"]
    try:
        return moment_of(asked["at"])
    except ValueError:
        raise impossible("at", asked["at"], EXPECTED["moment"]) from None


def wants(exchange: Exchange, media_type: str) -> bool:
    """Whether ``Accept`` names it."""
    return ACCEPT in exchange.message.headers and accepts_by_name(exchange.header(ACCEPT) or "", media_type)


def refuse_body(exchange: Exchange) -> None:
    if exchange.body:
        raise Refusal(UNEXPECTED_BODY)


def run(exchange: Exchange, work: Coroutine[Any, Any, None], tasks: set[asyncio.Task[None]]) -> None:
    """Answer an exchange in a task, which its deadline cancels; ``tasks`` is what keeps it alive. It may
    raise Refusal."""
    task = asyncio.get_running_loop().create_task(work)
    exchange.on_overdue = task.cancel
    tasks.add(task)

    def ended(task: asyncio.Task[None]) -> None:
        tasks.discard(task)
        if task.cancelled():
            exchange.refuse(Refusal(INTERNAL_ERROR))
        elif isinstance(error := task.exception(), Refusal):
            exchange.refuse(error)
        elif error is not None:
            log.error("%s %s failed", exchange.method, exchange.path, exc_info=error)
            exchange.refuse(Refusal(INTERNAL_ERROR))

    task.add_done_callback(ended)
