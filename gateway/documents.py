"""``GET`` of a view's document: the JSON that was folded, as far as whoever asks may see it."""

import asyncio
from collections.abc import Mapping

from actors.manifest import ContextManifest
from actors.messages import Answer
from actors.views.conditions import NEVER
from actors.views.folding import Unfoldable, key_of
from actors.views.port import Wanted
from contexts.vocabulary import Get, View
from gateway.exchange import Exchange
from gateway.gathering import Asked, Gathering
from gateway.header_names import IF_MATCH, IF_NONE_MATCH, READ_AFTER
from gateway.identity import principal
from gateway.metrics import Recorder
from gateway.negotiation import JSON_ALONE
from gateway.problems import INVALID_QUERY, NOT_FOUND, Refusal
from gateway.queries import refuse_body, run
from gateway.reading import Reader
from gateway.responses import STATUS_LINES, Response
from gateway.showing import Showing
from gateway.tags import tag_of, unchanged


class DocumentEndpoint:
    """One route to a view's documents."""

    limited = True
    media_types = JSON_ALONE

    def __init__(self, reader: Reader, manifest: ContextManifest, route: Get) -> None:
        assert isinstance(route.source, View)
        self.route = route
        self.manifest = manifest
        self.view = manifest.views[route.source.name]
        self.template = f"/{manifest.name}{route.path}"
        self.recorder = Recorder("GET", self.template)
        self._reader = reader
        self._showing = Showing(self.view)
        self._gathering = Gathering(reader, self.view.name, self._answer)
        self._tasks: set[asyncio.Task[None]] = set()

    def handle(self, exchange: Exchange, parameters: tuple[str, ...], query: str | None) -> None:
        refuse_body(exchange)
        if query:
            raise Refusal(INVALID_QUERY, "A document takes no query parameters.")
        try:
            key = key_of(parameters)
        except Unfoldable:
            raise Refusal(NOT_FOUND) from None
        visible = self._showing.ruling(principal(exchange)).visible
        if visible == NEVER:
            raise Refusal(NOT_FOUND)
        if READ_AFTER not in exchange.message.headers:
            self._gathering.ask(Asked(exchange, key, visible))
            return
        after = self._reader.read_after(exchange)
        run(exchange, self._read_after(exchange, Wanted(self.view.name, (key,), visible), after), self._tasks)

    async def _read_after(self, exchange: Exchange, wanted: Wanted, after: Mapping[int, int] | None) -> None:
        reading = await self._reader.read_fresh((wanted,), after, exchange)
        found = reading.pages[0].found
        self._answer(exchange, found[0].document if found else None, self._reader.headers(reading.standings))

    def _answer(self, exchange: Exchange, document: bytes | None, position: bytes) -> None:
        if document is None:
            raise Refusal(NOT_FOUND)
        body = self._showing.shown(principal(exchange), document)
        tag = tag_of(body)
        headers = exchange.message.headers
        if (IF_NONE_MATCH in headers or IF_MATCH in headers) and unchanged(exchange, tag):
            exchange.respond(Response(304, b'%sETag: "%s"\r\n%s' % (STATUS_LINES[304], tag, position)))
            return
        head = (
            b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nETag: "%s"\r\n%s'
            % (
                len(body),
                tag,
                position,
            )
        )
        exchange.respond(Response(200, head, body))

    def finish(self, exchange: Exchange, answer: Answer) -> None:
        raise TypeError(f"a document asks no entity, but was answered with {answer!r}")
