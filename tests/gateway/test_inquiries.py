"""Questions: asked by path and query string, answered from one moment, in JSON or as a calendar."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import icalendar
import msgspec
import pytest

from actors.manifest import ManifestError, read
from contexts.vocabulary import Calendar, Context, Get, Inquiry, One, Principal, Query
from gateway import inquiries
from gateway.problems import Refusal
from gateway.question import QuestionDecoder
from tests.gateway import library
from tests.gateway.serving import Reply, Served, serving


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    """Three books of austen's, of 1, 2 and 3 pages; the one with 2 is due."""
    async with serving(library.context) as served:
        for pages in (1, 2, 3):
            due = "2027-03-28T00:30:00Z" if pages == 2 else None
            card = {"title": f"T{pages}", "author": "austen", "pages": pages, "due": due}
            await served.request("POST", f"/library/books/austen-{pages}", card)
        await visible(served)
        yield served


async def visible(served: Served) -> None:
    seqs = {number: shard.seq for number, shard in served.regions["library"].shards.items() if shard.seq}
    deadline = asyncio.get_running_loop().time() + 10
    assert await served.views["library"].fresh(["cards"], seqs, deadline) is None


async def ask(served: Served, path: str, **headers: str) -> Reply:
    return await served.request("GET", f"/library{path}", **headers)


class TestAnswers:
    async def test_an_answer_is_made_of_what_was_found(self, served: Served) -> None:
        reply = await ask(served, "/authors/austen/count?least=2")
        assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
        body = reply.json
        assert (body["books"], body["pages"], body["asked_by"]) == (2, 5, "anonymous")
        assert body["first"]["title"] == "T1"
        assert reply.headers["position"].startswith("library/")
        assert reply.headers["position-age"] == "0.000"

    async def test_it_is_told_who_asks(self, served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(inquiries, "principal", lambda exchange: Principal("ada"))
        assert (await ask(served, "/authors/austen/count")).json["asked_by"] == "ada"

    async def test_it_waits_for_what_the_client_has_seen(self, served: Served) -> None:
        card = {"title": "T9", "author": "austen", "pages": 9}
        for number in range(10):
            reply = await served.request("POST", f"/library/books/more-{number}", card)
            counted = await ask(served, "/authors/austen/count", Read_After=reply.json["position"])
            assert counted.json["books"] == 4 + number

    async def test_a_rejection_is_a_problem_of_the_context(self, served: Served) -> None:
        absent = await ask(served, "/authors/nobody/count?strict=true")
        assert (absent.status, absent.problem) == (404, "no-such-author")
        assert absent.json["author"] == "nobody"
        assert (await ask(served, "/authors/secret/count")).problem == "too-curious"

    async def test_more_documents_than_an_answer_is_made_from_are_refused(self, served: Served) -> None:
        for number in range(147):
            card = {"title": "x", "author": "austen"}
            await served.request("POST", f"/library/books/x{number}", card)
        await visible(served)
        assert (await ask(served, "/authors/austen/count")).json["books"] == 150
        await served.request("POST", "/library/books/x147", {"title": "x", "author": "austen"})
        await visible(served)
        reply = await ask(served, "/authors/austen/count")
        assert (reply.status, reply.problem) == (422, "too-many-documents")
        assert "150" in reply.json["detail"]

    @pytest.mark.parametrize(
        ("path", "name"),
        [
            ("/authors/broken/count", "Between"),
            ("/wrong/raises", "Wrong"),
            ("/wrong/field", "Wrong"),
            ("/wrong/kind", "Wrong"),
        ],
    )
    async def test_a_bug_of_the_context_is_told_by_the_query_s_name_and_logged(
        self, served: Served, caplog: pytest.LogCaptureFixture, path: str, name: str
    ) -> None:
        reply = await ask(served, path)
        assert (reply.status, reply.problem) == (500, "query-failed")
        assert name in reply.json["detail"]
        assert "a bug" not in reply.json["detail"]
        assert "the query of /library/" in caplog.text


class TestQuestions:
    @pytest.mark.parametrize(
        ("query", "name"),
        [
            ("nothing=1", "nothing"),
            ("author=x", "author"),
            ("least=1&least=1", "least"),
            ("least=x", "least"),
            ("least=-1", "least"),
            ("least=10001", "least"),
            ("least=", "least"),
            ("since=2027-03-01T10:00:00", "since"),
            ("since=today", "since"),
            ("strict=maybe", "strict"),
            ("strict=%00", "strict"),
        ],
    )
    async def test_what_cannot_be_asked_is_a_bad_request_that_names_it(
        self, served: Served, query: str, name: str
    ) -> None:
        reply = await ask(served, f"/authors/austen/count?{query}")
        assert (reply.status, reply.problem) == (400, "invalid-query")
        assert name in reply.json["detail"]

    @pytest.mark.parametrize("offset", ["+09:00", "%2B09:00"])
    async def test_the_plus_of_an_offset_may_come_as_it_is(self, served: Served, offset: str) -> None:
        reply = await ask(served, f"/authors/austen/count?since=2027-03-28T09:00:00{offset}")
        assert reply.json["books"] == 1
        reply = await ask(served, f"/authors/austen/count?since=2027-03-28T10:00:00{offset}")
        assert reply.json["books"] == 0

    def test_what_has_no_default_must_be_asked(self) -> None:
        class Asked(Query, frozen=True):
            space: str
            count: int
            note: str = ""

            def __post_init__(self) -> None:
                if self.note == "bad":
                    raise ValueError("a bad note")

        decoder = QuestionDecoder(Asked, ("space",))
        assert decoder.decode(("maple",), "count=3") == Asked("maple", 3)
        with pytest.raises(Refusal, match="'count' is missing"):
            decoder.decode(("maple",), None)
        with pytest.raises(Refusal, match="a bad note"):
            decoder.decode(("maple",), "count=3&note=bad")
        with pytest.raises(Refusal, match="count is '9223372036854775808'"):
            decoder.decode(("maple",), "count=9223372036854775808")


class TestCalendars:
    async def test_a_calendar_goes_out_as_icalendar(self, served: Served) -> None:
        reply = await ask(served, "/authors/austen/due.ics")
        assert (reply.status, reply.headers["content-type"]) == (200, "text/calendar; charset=utf-8")
        (event,) = icalendar.Calendar.from_ical(reply.body).events
        assert event["uid"] == "austen-2@library"
        assert event.start == datetime(2027, 3, 28, 0, 30, tzinfo=UTC)
        assert event["summary"] == "T2"

    @pytest.mark.parametrize(
        "accept", ["text/calendar", "*/*", "text/*;q=0.2", "application/json;q=0, text/calendar"]
    )
    async def test_it_is_sent_to_who_takes_calendars(self, served: Served, accept: str) -> None:
        assert (await ask(served, "/authors/austen/due.ics", Accept=accept)).status == 200

    @pytest.mark.parametrize("accept", ["application/json", "text/html", "text/calendar;q=0"])
    async def test_who_excludes_calendars_gets_a_problem(self, served: Served, accept: str) -> None:
        reply = await ask(served, "/authors/austen/due.ics", Accept=accept)
        assert (reply.status, reply.problem) == (406, "not-acceptable")

    async def test_json_is_not_a_calendar(self, served: Served) -> None:
        reply = await ask(served, "/authors/austen/count", Accept="text/calendar")
        assert (reply.status, reply.problem) == (406, "not-acceptable")

    async def test_a_zone_that_does_not_exist_fails_the_query(self, served: Served) -> None:
        assert (await ask(served, "/authors/austen/due.ics?zone=No/Where")).problem == "query-failed"


class Name(Query):
    name: str


def reads(query: Name) -> tuple[One[library.Card]]:
    return (One(library.cards, query.name),)


def unnamed(query: Name, found: Any) -> Calendar | list[str]:
    return []


def untold(query, found):  # type: ignore[no-untyped-def]
    return []


def no_question(query: str) -> tuple[One[library.Card]]:
    return (One(library.cards, query),)


def fine(query: Name, found: Any) -> list[str]:
    return []


@pytest.mark.parametrize(
    ("inquiry", "why"),
    [
        (Inquiry(reads, unnamed), "not now this, now that"),
        (Inquiry(reads, untold), "no annotation"),
        (Inquiry(no_question, fine), "a subclass of Query"),
    ],
)
def test_a_mistake_in_an_inquiry_is_told_when_the_manifest_is_read(inquiry: Inquiry, why: str) -> None:
    routes = [Get("/names/{name}", inquiry)]
    context = Context("library", aggregates=[library.book], views=[library.cards], routes=routes)
    with pytest.raises(ManifestError, match=f"context 'library', route '/names/{{name}}': .*{why}"):
        read(context)


def test_a_question_s_answer_is_json_of_its_type() -> None:
    counted = library.Counted("a", 1, 2, "x", None)
    assert msgspec.json.decode(msgspec.json.encode(counted), type=library.Counted) == counted
