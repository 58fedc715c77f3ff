"""``GET`` of a view's documents in pages: filtered, sorted, searched, counted."""

import asyncio
from collections.abc import Mapping

import msgspec

from actors.manifest import ContextManifest
from actors.messages import Answer
from actors.views.port import Page
from contexts.vocabulary import Find, Principal
from gateway.cursors import cursor_of
from gateway.exchange import Exchange, target_of
from gateway.find_query import FindQuery, Question
from gateway.identity import principal
from gateway.metrics import Recorder
from gateway.negotiation import JSON_ALONE
from gateway.queries import refuse_body, run
from gateway.reading import Reader
from gateway.responses import Response
from gateway.showing import Showing


class FindEndpoint:
    """One route that finds a view's documents."""

    limited = True
    media_types = JSON_ALONE

    def __init__(self, reader: Reader, manifest: ContextManifest, route: Find) -> None:
        self.route = route
        self.manifest = manifest
        self.view = manifest.views[route.view.name]
        self.template = f"/{manifest.name}{route.path}"
        self.recorder = Recorder("GET", self.template)
        self.query = FindQuery(self.view, route, self.template)
        self._reader = reader
        self._showing = Showing(self.view)
        self._tasks: set[asyncio.Task[None]] = set()

    def handle(self, exchange: Exchange, parameters: tuple[str, ...], query: str | None) -> None:
        refuse_body(exchange)
        by = principal(exchange)
        question = self.query.read(parameters, query, self._showing.ruling(by))
        after = self._reader.read_after(exchange)
        run(exchange, self._answer(exchange, question, after, by), self._tasks)

    async def _answer(
        self, exchange: Exchange, question: Question, after: Mapping[int, int] | None, by: Principal
    ) -> None:
        reading = await self._reader.read_fresh((question.wanted,), after, exchange)
        page = reading.pages[0]
        items = b",".join([self._showing.shown(by, one.document) for one in page.found if one.document])
        total = b"" if page.total is None else b',"total":%d' % page.total
        following = msgspec.json.encode(_next(exchange, question, page))
        body = b'{"items":[%s],"next":%s%s}' % (items, following, total)
        exchange.respond(
            Response(
                200,
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s"
                % (len(body), self._reader.headers(reading.standings)),
                body,
            )
        )

    def finish(self, exchange: Exchange, answer: Answer) -> None:
        raise TypeError(f"a find asks no entity, but was answered with {answer!r}")


def _next(exchange: Exchange, question: Question, page: Page) -> str | None:
    """The path of the page behind this one: the same query, with another cursor."""
    if not page.more or not page.found:
        return None
    path, query = target_of(exchange.message.path)
    kept = [item for item in (query or "").split("&") if item and not item.startswith("cursor=")]
    last = page.found[-1]
    return f"{path}?{'&'.join([*kept, 'cursor=' + cursor_of(question.bound, last.value, last.key)])}"
