"""``GET`` of what a context answers to a question, from documents as they are at one moment."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import msgspec

from actors.manifest import ContextManifest, path_parameters
from actors.messages import Answer
from actors.views.inquiry import TooMany, found_of, read_inquiry, wanted_of
from actors.views.port import Page, Reading
from contexts.vocabulary import Calendar, Get, Inquiry, Principal, Query, Rejection
from gateway.calendar_answer import render_calendar
from gateway.exchange import Exchange
from gateway.identity import principal
from gateway.metrics import Recorder
from gateway.negotiation import CALENDAR_ALONE, JSON_ALONE
from gateway.problems import QUERY_FAILED, TOO_MANY_DOCUMENTS, Refusal
from gateway.queries import refuse_body, run
from gateway.question import QuestionDecoder
from gateway.reading import Reader
from gateway.rejections import rejected
from gateway.responses import JSON, STATUS_LINES, Response

log = logging.getLogger("butai.gateway")

MANY = 100
"""Documents from which on an answer is made on a thread: the loop must not stand still for it."""
CALENDAR = b"text/calendar; charset=utf-8"


class InquiryEndpoint:
    """One route that asks a question."""

    limited = True

    def __init__(self, reader: Reader, manifest: ContextManifest, route: Get) -> None:
        assert isinstance(route.source, Inquiry)
        self.route = route
        self.manifest = manifest
        self.inquiry = read_inquiry(route.source)
        self.template = f"/{manifest.name}{route.path}"
        self.recorder = Recorder("GET", self.template)
        self.media_types = CALENDAR_ALONE if self.inquiry.calendar else JSON_ALONE
        self.decoder = QuestionDecoder(self.inquiry.question, path_parameters(route.path))
        self._reader = reader
        self._decode = {
            name: msgspec.json.Decoder(view.document).decode for name, view in manifest.views.items()
        }
        self._tasks: set[asyncio.Task[None]] = set()

    def handle(self, exchange: Exchange, parameters: tuple[str, ...], query: str | None) -> None:
        refuse_body(exchange)
        question = self.decoder.decode(parameters, query)
        after = self._reader.read_after(exchange)
        run(exchange, self._answer(exchange, question, after), self._tasks)

    async def _answer(self, exchange: Exchange, question: Query, after: Mapping[int, int] | None) -> None:
        try:
            reads = self.inquiry.inquiry.reads(question)
            wanted = wanted_of(reads, self.manifest.views)
        except BaseException as error:  # an author's code: whatever it raises is told as its fault
            raise self._failed(error) from error
        reading = await self._reader.read_fresh(wanted, after, exchange) if wanted else Reading([], {})
        by = principal(exchange)
        if sum(len(page.found) for page in reading.pages) >= MANY:
            answer, body = await asyncio.to_thread(self._made, question, reads, reading.pages, by)
        else:
            answer, body = self._made(question, reads, reading.pages, by)
        if isinstance(answer, Rejection):
            exchange.respond(rejected(answer, exchange.path))
            return
        head = b"%sContent-Type: %s\r\nContent-Length: %d\r\n%s" % (
            STATUS_LINES[200],
            CALENDAR if self.inquiry.calendar else JSON,
            len(body),
            self._reader.headers(reading.standings),
        )
        exchange.respond(Response(200, head, body))

    def _made(self, question: Query, reads: Any, pages: list[Page], by: Principal) -> tuple[Any, bytes]:
        """The answer and its bytes; no bytes of a rejection. Raises Refusal."""
        try:
            found = found_of(reads, pages, self._decode)
            asker = (by,) if self.inquiry.takes_principal else ()
            answer = self.inquiry.inquiry.answer(question, *found, *asker)
            if isinstance(answer, Rejection):
                return answer, b""
            if self.inquiry.calendar:
                return answer, render_calendar(_calendar(answer))
            return answer, msgspec.json.encode(answer)
        except TooMany as error:
            raise Refusal(TOO_MANY_DOCUMENTS, f"There are {error}.") from error
        except BaseException as error:  # as above
            raise self._failed(error) from error

    def _failed(self, error: BaseException) -> Refusal:
        log.error("the query of %s failed", self.template, exc_info=error)
        return Refusal(QUERY_FAILED, f"The query {self.inquiry.question.__name__} failed.")

    def finish(self, exchange: Exchange, answer: Answer) -> None:
        raise TypeError(f"an inquiry asks no entity, but was answered with {answer!r}")


def _calendar(answer: Any) -> Calendar:
    if not isinstance(answer, Calendar):
        raise TypeError(f"answer returned {type(answer).__name__}, not a Calendar")
    return answer
