"""``GET .../events`` as Server-Sent Events: a context's events, an entity's, and a view's documents."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from actors.following.port import AheadOfJournal, Sink, TooManyFollowers
from actors.journal.port import JournalError
from actors.manifest import ContextManifest
from actors.messages import Answer
from actors.positions import PositionError, parse_position
from actors.region import shard_of
from actors.views.conditions import NEVER, Condition
from actors.views.folding import Unfoldable, key_of
from contexts.vocabulary import Find, Get, View
from gateway.exchange import Exchange
from gateway.find_query import FindQuery
from gateway.header_names import LAST_EVENT_ID
from gateway.identity import principal
from gateway.metrics import Recorder
from gateway.negotiation import EVENT_STREAM
from gateway.problems import (
    INVALID_HEADER,
    INVALID_QUERY,
    JOURNAL_UNAVAILABLE,
    NOT_FOUND,
    OVERLOADED,
    STOPPING,
    ProblemType,
    Refusal,
)
from gateway.queries import refuse_body, run
from gateway.query_string import texts, unknown
from gateway.regions import Region
from gateway.responses import STATUS_LINES, Response
from gateway.server_sent_events import CONTENT_TYPE, RETRY, heartbeat
from gateway.showing import Showing
from gateway.stream import Stream

_HEAD = Response(
    200,
    STATUS_LINES[200]
    + b"Content-Type: %s\r\nCache-Control: no-cache, no-transform\r\nX-Accel-Buffering: no\r\n"
    % CONTENT_TYPE,
)


class Follower(Protocol):
    """Somebody who follows."""

    def close(self) -> None: ...

    def position(self) -> str: ...


class Following(Protocol):
    """What followers of one context are given to."""

    async def context(self, after: Mapping[int, int] | None, sink: Sink) -> Follower: ...

    async def entity(self, aggregate: str, id: str, after: int | None, sink: Sink) -> Follower: ...

    async def documents(
        self,
        view: str,
        where: Condition,
        keys: frozenset[str] | None,
        shown: Callable[[bytes], bytes],
        after: Mapping[int, int] | None,
        sink: Sink,
    ) -> Follower: ...

    def end(self, why: str) -> None: ...

    @property
    def followers(self) -> int: ...


Begin = Callable[[Mapping[int, int] | None, Sink], Awaitable[Follower]]


class Streaming:
    """Begins streams of one context."""

    def __init__(self, region: Region, following: Following) -> None:
        self.following = following
        self._context = region.name
        self._shards = region.shard_count

    def shard_of(self, aggregate: str, id: str) -> int:
        """The shard an entity belongs to."""
        return shard_of(aggregate, id, self._shards)

    def after(self, exchange: Exchange, query: str | None) -> Mapping[int, int] | None:
        """The position to go on from, by ``Last-Event-ID`` or else ``?after=``; None: from now. Raises
        Refusal."""
        asked = texts(query)
        for name in asked:
            if name != "after":
                raise unknown(name, ("after",))
        if LAST_EVENT_ID in exchange.message.headers:
            return self._position(exchange.header(LAST_EVENT_ID) or "", INVALID_HEADER, "Last-Event-ID")
        return self._position(asked["after"], INVALID_QUERY, "after") if "after" in asked else None

    def _position(self, text: str, problem: ProblemType, name: str) -> Mapping[int, int]:
        try:
            return parse_position(text, self._context, self._shards)
        except PositionError as error:
            raise Refusal(problem, f"{name}: {error}.") from None

    async def begin(self, exchange: Exchange, begin: Begin, after: Mapping[int, int] | None) -> None:
        """Answer with a stream."""
        if exchange.listener.draining:
            raise Refusal(STOPPING)
        opening = Opening()
        try:
            follower = await begin(after, opening)
        except AheadOfJournal as error:
            named = INVALID_HEADER if LAST_EVENT_ID in exchange.message.headers else INVALID_QUERY
            name = "Last-Event-ID" if named is INVALID_HEADER else "after"
            raise Refusal(named, f"{name}: {error}.") from None
        except TooManyFollowers as error:
            raise Refusal(OVERLOADED, f"{error}.") from None
        except JournalError as error:
            raise Refusal(JOURNAL_UNAVAILABLE, str(error)) from error
        stream = exchange.stream(_HEAD)
        if stream is None:
            follower.close()
            return
        stream.beat = lambda: heartbeat(follower.position())
        stream.on_close = follower.close
        stream.send(RETRY)
        opening.opened(stream)


class Opening:
    """Keeps what a follower is sent before its answer has begun: nothing, or very little."""

    def __init__(self) -> None:
        self._kept: list[bytes] = []
        self._stream: Stream | None = None
        self._opened = asyncio.Event()
        self._ended: str | None = None

    def opened(self, stream: Stream) -> None:
        """From here on it goes to the stream."""
        for message in self._kept:
            stream.send(message)
        self._kept.clear()
        self._stream = stream
        self._opened.set()
        if self._ended is not None:
            stream.end(self._ended)

    def send(self, message: bytes) -> bool:
        """See ``following.port.Sink``."""
        if self._stream is not None:
            return self._stream.send(message)
        self._kept.append(message)
        return True

    async def room(self) -> None:
        """See ``following.port.Sink``."""
        await self._opened.wait()
        if self._stream is not None:
            await self._stream.room()

    def end(self, why: str) -> None:
        """See ``following.port.Sink``."""
        if self._stream is None:
            self._ended = why
        else:
            self._stream.end(why)


class _Events:
    """What the endpoints have in common."""

    limited = True
    media_types = (EVENT_STREAM,)

    def __init__(self, streaming: Streaming, template: str) -> None:
        self.template = template
        self.recorder = Recorder("GET", template)
        self._streaming = streaming
        self._tasks: set[asyncio.Task[None]] = set()

    def _begin(self, exchange: Exchange, begin: Begin, query: str | None) -> None:
        refuse_body(exchange)
        after = self._streaming.after(exchange, query)
        run(exchange, self._streaming.begin(exchange, begin, after), self._tasks)

    def finish(self, exchange: Exchange, answer: Answer) -> None:
        raise TypeError(f"a stream asks no entity, but was answered with {answer!r}")


class EntityEvents:
    """The events of one entity, at the path of its history."""

    def __init__(self, streaming: Streaming, aggregate: str) -> None:
        self._streaming = streaming
        self._aggregate = aggregate

    async def begin(self, exchange: Exchange, id: str, after: Mapping[int, int] | None) -> None:
        """Answer with a stream; raises Refusal."""
        shard = self._streaming.shard_of(self._aggregate, id)
        if after is not None and set(after) - {shard}:
            raise Refusal(INVALID_HEADER, f"Last-Event-ID: all events of {id!r} are in shard {shard}.")

        def begin(after: Mapping[int, int] | None, sink: Sink) -> Awaitable[Follower]:
            begun = None if after is None else after.get(shard, 0)
            return self._streaming.following.entity(self._aggregate, id, begun, sink)

        await self._streaming.begin(exchange, begin, after)

    def after(self, exchange: Exchange, query: str | None) -> Mapping[int, int] | None:
        """See ``Streaming.after``."""
        return self._streaming.after(exchange, query)


class ContextEvents(_Events):
    """All events of a context."""

    def __init__(self, streaming: Streaming, manifest: ContextManifest) -> None:
        super().__init__(streaming, f"/{manifest.name}/events")
        self.manifest = manifest

    def handle(self, exchange: Exchange, parameters: tuple[str, ...], query: str | None) -> None:
        self._begin(exchange, self._streaming.following.context, query)


class DocumentEvents(_Events):
    """The documents of a view, at the path of its ``Find`` or ``Get``."""

    def __init__(self, streaming: Streaming, manifest: ContextManifest, route: Get | Find) -> None:
        template = f"/{manifest.name}{route.path}"
        super().__init__(streaming, f"{template}/events")
        self.manifest = manifest
        self.route = route
        source = route.view if isinstance(route, Find) else route.source
        assert isinstance(source, View)
        self.view = manifest.views[source.name]
        self._find = FindQuery(self.view, route, template) if isinstance(route, Find) else None
        self._showing = Showing(self.view)

    def handle(self, exchange: Exchange, parameters: tuple[str, ...], query: str | None) -> None:
        by = principal(exchange)
        ruling = self._showing.ruling(by)
        keys: frozenset[str] | None = None
        where = ruling.visible
        if self._find is not None:
            where = self._find.read(parameters, None, ruling).wanted.where
        else:
            try:
                keys = frozenset([key_of(parameters)])
            except Unfoldable:
                raise Refusal(NOT_FOUND) from None
        if where == NEVER:
            raise Refusal(NOT_FOUND)

        def begin(after: Mapping[int, int] | None, sink: Sink) -> Awaitable[Follower]:
            following = self._streaming.following
            return following.documents(
                self.view.name, where, keys, lambda document: self._showing.shown(by, document), after, sink
            )

        self._begin(exchange, begin, query)
