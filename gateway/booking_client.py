"""A client of the booking context's REST surface: what ``butai book`` needs of it."""

import asyncio
import random
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from types import TracebackType
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import aiohttp
import msgspec

from gateway.calendar_items import Occurrence, one_line

TRY_SECONDS = 10.0
"""For one try of a request."""
PATIENCE = 30.0
"""Seconds after which a request is not tried again."""
FIRST_CONTACT = 5.0
"""The same for the first request of all: whoever mistyped the address wants to know."""
BACKOFF = 0.1
"""Seconds before the second try; doubled each time, never longer than ``BACKOFF_LIMIT``."""
BACKOFF_LIMIT = 5.0
RETRIED = frozenset({408, 429, 502, 503, 504})


class Outcome(StrEnum):
    """What became of an occurrence."""

    RESERVED = "reserved"
    THERE = "already there"
    CONFLICT = "conflict"
    """Its slot is taken by another reservation, or it is booked for another time."""
    REFUSED = "refused"
    FAILED = "failed"


class Unavailable(Exception):
    """The gateway did not answer sensibly until patience ran out; the message is one line."""


class SpaceNotOpen(Exception):
    """The space was never opened for booking."""


class Answer(msgspec.Struct, frozen=True):
    """One HTTP answer."""

    status: int
    body: dict[str, Any]

    def problem_is(self, name: str) -> bool:
        """Whether it is a problem of this type."""
        return self.status >= 400 and str(self.body.get("type", "")).endswith(f"/problems/{name}")

    def problem(self) -> str:
        """A refusal in one line."""
        name = str(self.body.get("type", "")).rsplit("/", 1)[-1]
        text = self.body.get("detail") or self.body.get("title") or name
        return one_line(text) or f"HTTP status {self.status}"


class Standing(msgspec.Struct, frozen=True):
    """A reservation as the gateway shows it, as far as it matters here."""

    start: datetime
    end: datetime


class BookingClient:
    """Talks to one space's reservations. An async context manager that owns its connections."""

    def __init__(self, url: str, space: str, patience: float = PATIENCE) -> None:
        self._space = f"{url.rstrip('/')}/booking/spaces/{quote(space, safe='')}"
        self._patience = patience
        # With the same key in the next run, a conflict would be repeated that has been resolved meanwhile.
        self._run = uuid4().hex
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "BookingClient":
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TRY_SECONDS))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def time_zone(self) -> str:
        """The space's time zone; raises SpaceNotOpen or Unavailable."""
        answer = await self._ask("GET", self._space, patience=min(self._patience, FIRST_CONTACT))
        if answer.status == 404:
            raise SpaceNotOpen
        zone = answer.body.get("state", {}).get("time_zone") if answer.status == 200 else None
        if not isinstance(zone, str):
            raise Unavailable(answer.problem())
        return zone

    async def reserve(self, occurrence: Occurrence) -> tuple[Outcome, str]:
        """Reserve an occurrence, once however often it is asked; the second part says why not."""
        body = {
            "reservation": occurrence.reservation,
            "guest": occurrence.guest,
            "guests": 1,
            "start": occurrence.start.isoformat(),
            "end": occurrence.end.isoformat(),
        }
        content = msgspec.json.encode(body)
        try:
            answer = await self._ask("POST", f"{self._space}/reservations", content)
            if answer.problem_is("taken"):
                return await self._compare(occurrence, answer)
        except Unavailable as error:
            return Outcome.FAILED, str(error)
        if answer.status in (200, 201):
            return Outcome.RESERVED, ""
        return (Outcome.FAILED if answer.status >= 500 else Outcome.REFUSED), answer.problem()

    async def _compare(self, occurrence: Occurrence, taken: Answer) -> tuple[Outcome, str]:
        """By whom the slot is taken: by this occurrence itself, or not."""
        answer = await self._ask("GET", f"{self._space}/reservations/{occurrence.reservation}")
        if answer.status == 404:
            return Outcome.CONFLICT, taken.problem()
        try:
            standing = msgspec.convert(answer.body.get("state"), Standing)
        except msgspec.ValidationError:
            return Outcome.FAILED, answer.problem()
        if (standing.start, standing.end) == (occurrence.start, occurrence.end):
            return Outcome.THERE, ""
        return (
            Outcome.CONFLICT,
            f"it is booked for {standing.start.isoformat()} to {standing.end.isoformat()}",
        )

    async def _ask(
        self, method: str, url: str, content: bytes | None = None, patience: float | None = None
    ) -> Answer:
        """Ask until there is an answer that trying again would not change; raises Unavailable."""
        loop = asyncio.get_running_loop()
        stop = loop.time() + (self._patience if patience is None else patience)
        pause = BACKOFF
        while True:
            try:
                answer, wait = await self._try(method, url, content)
                if answer.status not in RETRIED:
                    return answer
                reason = answer.problem()
            except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
                raise Unavailable("that is no HTTP address") from error
            except (aiohttp.ClientError, TimeoutError) as error:
                reason, wait = one_line(error) or "no answer in time", None
            wait = min(BACKOFF_LIMIT, pause if wait is None else wait)
            wait += random.uniform(0, pause)  # so that eight workers do not come back at once
            if loop.time() + wait > stop:
                raise Unavailable(reason)
            await asyncio.sleep(wait)
            pause = min(2 * pause, BACKOFF_LIMIT)

    async def _try(self, method: str, url: str, content: bytes | None) -> tuple[Answer, float | None]:
        assert self._session is not None, "use it with `async with`"
        headers = {}
        if content is not None:
            headers["Content-Type"] = "application/json"
            headers["Idempotency-Key"] = f'"{self._run}-{sha256(content).hexdigest()}"'
        async with self._session.request(method, url, data=content, headers=headers) as response:
            raw = await response.read()
            try:
                body = msgspec.json.decode(raw, type=dict[str, Any])
            except msgspec.DecodeError:
                body = {}
            after = response.headers.get("Retry-After", "")
            return Answer(response.status, body), float(after) if after.isdecimal() else None
