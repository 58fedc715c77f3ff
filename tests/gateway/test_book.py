"""Booking a calendar, against a server that behaves as the gateway does."""

import asyncio
import io
from collections.abc import AsyncIterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from rich.console import Console

from gateway.book import BookError, book, book_file
from gateway.calendar_file import CalendarError

TITLES = {
    "taken": "The slot, or the reservation's id, is already taken.",
    "too-many-guests": "The space does not hold that many guests.",
}


class Gateway:
    """One space's reservations, with faults to order."""

    def __init__(self) -> None:
        self.reservations: dict[str, dict[str, Any]] = {}
        self.answers: dict[str, tuple[str, str]] = {}
        self.faults: list[str] = []
        """What happens to the next requests to reserve."""
        self.asked = 0
        self.in_flight = 0
        self.most_in_flight = 0
        self.url = ""

    def application(self) -> web.Application:
        application = web.Application()
        application.router.add_get("/booking/spaces/{space}", self.space)
        application.router.add_post("/booking/spaces/{space}/reservations", self.reserve)
        application.router.add_get("/booking/spaces/{space}/reservations/{id}", self.reservation)
        return application

    async def space(self, request: web.Request) -> web.Response:
        if request.match_info["space"] != "maple room":
            return problem(404, "not-open", "The space was never opened for booking.")
        state = {"capacity": 16, "time_zone": "Europe/Berlin", "opens": "00:00", "closes": "24:00"}
        return web.json_response({"version": 1, "position": "booking/0:1", "state": state})

    async def reservation(self, request: web.Request) -> web.Response:
        standing = self.reservations.get(request.match_info["id"])
        if standing is None:
            return problem(404, "not-found", "There is nothing here.")
        return web.json_response({"version": 1, "position": "booking/0:1", "state": standing})

    async def reserve(self, request: web.Request) -> web.Response:
        self.asked += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        await asyncio.sleep(0)
        try:
            return await self.decide(request)
        finally:
            self.in_flight -= 1

    async def decide(self, request: web.Request) -> web.Response:
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "busy":
            return problem(503, "overloaded", "Too much is in progress.", {"Retry-After": "0"})
        if fault == "garbage":
            return web.Response(status=502, text="<html>")
        key, text, body = request.headers["Idempotency-Key"], await request.text(), await request.json()
        if key in self.answers:
            assert self.answers[key][0] == text
            return self.answer(self.answers[key][1], {"Idempotency-Replayed": "true"})
        if body["guest"] == "nobody":
            name = "too-many-guests"
        elif body["reservation"] in self.reservations or self.overlaps(body):
            name = "taken"
        else:
            self.reservations[body.pop("reservation")] = body
            name = ""
        self.answers[key] = text, name
        if fault == "lost":
            assert request.transport is not None
            request.transport.close()
        return self.answer(name)

    def answer(self, name: str, headers: dict[str, str] | None = None) -> web.Response:
        if name:
            return problem(409, name, TITLES[name], headers)
        body = {"version": 1, "position": "booking/0:1", "events": []}
        return web.json_response(body, status=201, headers=headers)

    def overlaps(self, body: dict[str, Any]) -> bool:
        start, end = (datetime.fromisoformat(body[name]) for name in ("start", "end"))
        return any(
            start < datetime.fromisoformat(other["end"]) and datetime.fromisoformat(other["start"]) < end
            for other in self.reservations.values()
        )


def problem(status: int, name: str, title: str, headers: dict[str, str] | None = None) -> web.Response:
    body = {"type": f"/problems/{name}", "title": title, "status": status}
    return web.json_response(body, status=status, headers=headers, content_type="application/problem+json")


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    gateway = Gateway()
    async with TestServer(gateway.application(), host="127.0.0.1") as server:
        gateway.url = str(server.make_url("/"))
        yield gateway


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=200)


def printed(console: Console) -> list[str]:
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def calendar(*events: str) -> bytes:
    parts = [f"BEGIN:VEVENT\n{event.strip()}\nEND:VEVENT\n" for event in events]
    return f"BEGIN:VCALENDAR\nVERSION:2.0\n{''.join(parts)}END:VCALENDAR\n".replace("\n", "\r\n").encode()


TEA = "UID:tea\nSUMMARY:Tea [4 o'clock]\nDTSTART:20270701T140000Z\nDURATION:PT1H"
DAILY = "UID:daily\nSUMMARY:Stand-up\nDTSTART:20270705T070000Z\nDURATION:PT15M\nRRULE:FREQ=DAILY;COUNT=30"
CANCELLED = "UID:off\nSUMMARY:Off\nDTSTART:20270705T070000Z\nDURATION:PT15M\nSTATUS:CANCELLED"


async def test_a_calendar_is_booked_and_booking_it_again_adds_nothing(
    gateway: Gateway, console: Console
) -> None:
    data = calendar(TEA, DAILY, CANCELLED)
    assert await book(data, "maple room", url=gateway.url, console=console) == 0
    assert len(gateway.reservations) == 31
    assert printed(console)[-1] == "31 reserved, 1 skipped"
    assert "reserved      2027-07-01 14:00+0000 Tea [4 o'clock]" in printed(console)
    assert "skipped       2027-07-05 07:00 Off: cancelled" in printed(console)
    before = dict(gateway.reservations)
    assert await book(data, "maple room", url=gateway.url, console=console) == 0
    assert gateway.reservations == before
    assert printed(console)[-1] == "31 already there, 1 skipped"
    assert gateway.most_in_flight <= 8


async def test_what_is_reserved_is_what_the_calendar_says(gateway: Gateway, console: Console) -> None:
    await book(calendar(TEA), "maple room", guest="ada", url=gateway.url, console=console)
    assert list(gateway.reservations.values()) == [
        {
            "guest": "ada",
            "guests": 1,
            "start": "2027-07-01T14:00:00+00:00",
            "end": "2027-07-01T15:00:00+00:00",
        }
    ]


async def test_a_slot_that_another_has_is_a_conflict(gateway: Gateway, console: Console) -> None:
    gateway.reservations["r1"] = {"start": "2027-07-01T16:30:00+02:00", "end": "2027-07-01T18:00:00+02:00"}
    assert await book(calendar(TEA), "maple room", url=gateway.url, console=console) == 1
    assert printed(console) == [
        "conflict      2027-07-01 14:00+0000 Tea [4 o'clock]: "
        "The slot, or the reservation's id, is already taken.",
        "1 conflict",
    ]


async def test_an_event_that_was_moved_since_is_a_conflict_that_says_so(
    gateway: Gateway, console: Console
) -> None:
    await book(calendar(TEA), "maple room", url=gateway.url, console=console)
    moved = calendar(TEA.replace("T140000Z", "T160000Z"))
    assert await book(moved, "maple room", url=gateway.url, console=console) == 1
    assert printed(console)[-2].endswith(
        "it is booked for 2027-07-01T14:00:00+00:00 to 2027-07-01T15:00:00+00:00"
    )


async def test_what_was_cancelled_or_in_conflict_is_booked_by_the_next_run(
    gateway: Gateway, console: Console
) -> None:
    other = {"start": "2027-07-01T16:30:00+02:00", "end": "2027-07-01T18:00:00+02:00"}
    gateway.reservations["r1"] = other
    assert await book(calendar(TEA), "maple room", url=gateway.url, console=console) == 1
    gateway.reservations.clear()
    assert await book(calendar(TEA), "maple room", url=gateway.url, console=console) == 0
    gateway.reservations.clear()
    assert await book(calendar(TEA), "maple room", url=gateway.url, console=console) == 0
    assert len(gateway.reservations) == 1


async def test_a_refusal_is_told_and_does_not_stop_the_rest(gateway: Gateway, console: Console) -> None:
    refused = "UID:no\nORGANIZER;CN=nobody:mailto:n@example.org\nDTSTART:20270701T100000Z\nDURATION:PT1H"
    assert await book(calendar(refused, TEA), "maple room", url=gateway.url, console=console) == 1
    assert printed(console)[-1] == "1 refused, 1 reserved"
    assert len(gateway.reservations) == 1


async def test_an_event_that_cannot_be_read_fails_the_command_but_not_the_rest(
    gateway: Gateway, console: Console
) -> None:
    broken = "UID:b\nDTSTART:20270701T100000Z\nDURATION:PT1H\nRRULE:FREQ=NOW"
    assert await book(calendar(broken, TEA), "maple room", url=gateway.url, console=console) == 1
    assert len(gateway.reservations) == 1


@pytest.mark.parametrize("fault", ["busy", "garbage", "lost"])
async def test_a_gateway_that_is_busy_or_away_is_asked_again(
    gateway: Gateway, console: Console, fault: str
) -> None:
    gateway.faults = [fault, fault]
    assert await book(calendar(TEA), "maple room", url=gateway.url, console=console) == 0
    assert printed(console)[-1] == "1 reserved"
    assert len(gateway.reservations) == 1
    assert gateway.asked == (2 if fault == "lost" else 3)


async def test_patience_ends(gateway: Gateway, console: Console) -> None:
    gateway.faults = ["busy"] * 1000
    status = await book(calendar(TEA), "maple room", url=gateway.url, console=console, patience=0.2)
    assert status == 1
    assert printed(console)[-2].endswith("Too much is in progress.")
    assert printed(console)[-1] == "1 failed"


async def test_only_what_starts_until_the_given_day_is_booked(gateway: Gateway, console: Console) -> None:
    data = calendar(DAILY)
    await book(data, "maple room", until=date(2027, 7, 6), url=gateway.url, console=console)
    assert len(gateway.reservations) == 2


async def test_a_calendar_without_events_is_no_failure(gateway: Gateway, console: Console) -> None:
    assert await book(calendar(), "maple room", url=gateway.url, console=console) == 0
    assert printed(console) == ["The calendar has no events."]


async def test_what_is_no_calendar_is_one_line(gateway: Gateway, console: Console) -> None:
    with pytest.raises(CalendarError, match="not an iCalendar file"):
        await book(b"hello", "maple room", url=gateway.url, console=console)


async def test_a_space_that_is_not_open_is_one_line(gateway: Gateway, console: Console) -> None:
    with pytest.raises(BookError, match=r"^space 'oak' is not open for booking at http"):
        await book(calendar(TEA), "oak", url=gateway.url, console=console)


def test_a_file_that_is_missing_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(BookError, match="No such file"):
        book_file(tmp_path / "missing.ics", "maple room")


def test_a_gateway_that_is_not_there_is_one_line(tmp_path: Path, unused_tcp_port: int) -> None:
    (tmp_path / "tea.ics").write_bytes(calendar(TEA))
    url = f"http://127.0.0.1:{unused_tcp_port}"
    with pytest.raises(BookError, match=f"^{url} does not answer: [^\n]*$"):
        book_file(tmp_path / "tea.ics", "maple room", url=url, patience=0.1)


@pytest.mark.parametrize("url", ["nowhere", "ftp://127.0.0.1/", "http://"])
def test_what_is_no_address_is_one_line_at_once(tmp_path: Path, url: str) -> None:
    (tmp_path / "tea.ics").write_bytes(calendar(TEA))
    with pytest.raises(BookError, match="that is no HTTP address"):
        book_file(tmp_path / "tea.ics", "maple room", url=url)
