"""``GET`` of a view's document: the JSON that was folded, as far as whoever asks may see it."""

import asyncio
from collections.abc import Mapping

from actors.manifest import ContextManifest
from actors.messages import Answer
from actors.views.conditions import NEVER
from actors.views.folding import Unfoldable, key_of
from actors.views.port import Page, Reading, Wanted
from contexts.vocabulary import Get, Principal, View
from gateway.exchange import Exchange
from gateway.header_names import IF_MATCH, IF_NONE_MATCH, READ_AFTER
from gateway.identity import principal
from gateway.metrics import Recorder
from gateway.negotiation import JSON_ALONE
from gateway.problems import INVALID_QUERY, NOT_FOUND, Refusal
from gateway.queries import refuse_body, run
from gateway.reading import Reader
from gateway.responses import Response
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
        self._tasks: set[asyncio.Task[None]] = set()

    def handle(self, exchange: Exchange, parameters: tuple[str, ...], query: str | None) -> None:
        refuse_body(exchange)
        if query:
            raise Refusal(INVALID_QUERY, "A document takes no query parameters.")
        try:
            key = key_of(parameters)
        except Unfoldable:
            raise Refusal(NOT_FOUND) from None
        by = principal(exchange)
        ruling = self._showing.ruling(by)
        if ruling.visible == NEVER:
            raise Refusal(NOT_FOUND)
        after = self._reader.read_after(exchange) if READ_AFTER in exchange.message.headers else None
        wanted = Wanted(self.view.name, (key,), ruling.visible, limit=1)
        run(exchange, self._answer(exchange, wanted, after, by), self._tasks)

    async def _answer(
        self, exchange: Exchange, wanted: Wanted, after: Mapping[int, int] | None, by: Principal
    ) -> None:
        reading = await self._reader.read((wanted,), after, exchange)
        exchange.respond(self._response(exchange, reading, reading.pages[0], by))

    def _response(self, exchange: Exchange, reading: Reading, page: Page, by: Principal) -> Response:
        if not page.found or page.found[0].document is None:
            raise Refusal(NOT_FOUND)
        body = self._showing.shown(by, page.found[0].document)
        tag = tag_of(body)
        position = self._reader.headers(reading.standings)
        headers = exchange.message.headers
        if (IF_NONE_MATCH in headers or IF_MATCH in headers) and unchanged(exchange, tag):
            head = b'HTTP/1.1 304 Not Modified\r\nETag: "%s"\r\n%s' % (tag.encode(), position)
            return Response(304, head)
        return Response(
            200,
            b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nETag: "%s"\r\n%s'
            % (len(body), tag.encode(), position),
            body,
        )

    def finish(self, exchange: Exchange, answer: Answer) -> None:
        raise TypeError(f"a document asks no entity, but was answered with {answer!r}")
