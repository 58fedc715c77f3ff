"""Endpoints that are not about entities: health, metrics, the API's description and its page."""

from collections.abc import Callable, Mapping

import msgspec

from actors.messages import Answer
from gateway.exchange import Exchange
from gateway.metrics import Recorder
from gateway.negotiation import JSON_ALONE
from gateway.problems import NOT_READY, Refusal
from gateway.query_string import integers
from gateway.responses import Response, respond

Readiness = Callable[[], Mapping[str, str]]


class Page:
    """Answers ``GET`` with what ``make`` returns."""

    limited = False
    media_types = JSON_ALONE

    def __init__(self, path: str, make: Callable[[], Response]) -> None:
        self.recorder = Recorder("GET", path)
        self._make = make

    def handle(self, exchange: Exchange, parameters: tuple[str, ...], query: str | None) -> None:
        integers(query, {})
        exchange.respond(self._make())

    def finish(self, exchange: Exchange, answer: Answer) -> None:
        raise TypeError(f"a page asks no entity, but was answered with {answer!r}")


def alive() -> Response:
    """The loop turns, or this would not be answered."""
    return respond(200, b'{"status":"alive"}', headers=(("Cache-Control", "no-store"),))


def readiness(ready: Readiness, notes: Readiness = dict) -> Callable[[], Response]:
    """200 when ``ready`` names no reason against it, with the ``notes`` there are; else 503 with the
    reasons."""

    def make() -> Response:
        reasons = ready()
        if reasons:
            detail = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
            raise Refusal(NOT_READY, detail, headers=(("Cache-Control", "no-store"),))
        told = notes()
        body = {"status": "ready", "notes": told} if told else {"status": "ready"}
        return respond(200, msgspec.json.encode(body), headers=(("Cache-Control", "no-store"),))

    return make
