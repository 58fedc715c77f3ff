from collections.abc import AsyncIterator
from datetime import datetime, timedelta, timezone

import pytest

from actors.journal.port import JournalUnavailable
from tests.gateway.serving import Served, serving

BOARD = "/notes/boards/b1"


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    """A board at version 6: started, and five notes written."""
    async with serving() as served:
        await served.request("POST", BOARD, {"title": "plans"})
        for number in range(5):
            await served.request("POST", f"{BOARD}/notes", {"note": f"n{number}", "text": "x"})
        yield served


class TestState:
    async def test_the_committed_state_comes_with_its_version(self, served: Served) -> None:
        reply = await served.request("GET", BOARD)
        assert (reply.status, reply.headers["etag"]) == (200, '"6"')
        assert reply.json["version"] == 6
        assert len(reply.json["state"]["notes"]) == 5

    async def test_what_does_not_exist_is_not_found(self, served: Served) -> None:
        reply = await served.request("GET", "/notes/boards/none")
        assert (reply.status, reply.problem) == (404, "not-found")

    async def test_a_part_is_shown_alone_and_an_absent_part_is_not_found(self, served: Served) -> None:
        assert (await served.request("GET", f"{BOARD}/notes/n3")).json["state"]["note"] == "n3"
        assert (await served.request("GET", f"{BOARD}/notes/n9")).problem == "not-found"

    async def test_head_is_get_without_the_body(self, served: Served) -> None:
        got = await served.request("GET", BOARD)
        head = await served.request("HEAD", BOARD)
        assert (head.status, head.body, head.headers["etag"]) == (200, b"", got.headers["etag"])
        assert head.headers["content-length"] == got.headers["content-length"]

    async def test_a_body_on_a_query_is_refused(self, served: Served) -> None:
        assert (await served.request("GET", BOARD, {})).problem == "unexpected-body"


class TestConditions:
    @pytest.mark.parametrize("tag", ['"6"', 'W/"6"', '"1", "6"', "*"])
    async def test_a_known_version_is_not_modified(self, served: Served, tag: str) -> None:
        reply = await served.request("GET", BOARD, If_None_Match=tag)
        assert (reply.status, reply.body, reply.headers["etag"]) == (304, b"", '"6"')

    async def test_an_older_version_gets_the_new_one(self, served: Served) -> None:
        assert (await served.request("GET", BOARD, If_None_Match='"5"')).status == 200

    async def test_if_match_holds_for_queries_too(self, served: Served) -> None:
        assert (await served.request("GET", BOARD, If_Match='"6"')).status == 200
        assert (await served.request("GET", BOARD, If_Match='"5"')).problem == "precondition-failed"

    async def test_a_malformed_tag_is_a_bad_request(self, served: Served) -> None:
        assert (await served.request("GET", BOARD, If_None_Match="6")).problem == "invalid-header"


class TestPast:
    async def test_a_past_version_shows_the_state_of_then(self, served: Served) -> None:
        reply = await served.request("GET", f"{BOARD}?version=3")
        assert (reply.status, reply.headers["etag"]) == (200, '"3"')
        assert list(reply.json["state"]["notes"]) == ["n0", "n1"]

    async def test_a_future_version_is_a_problem_of_its_own(self, served: Served) -> None:
        reply = await served.request("GET", f"{BOARD}?version=7")
        assert (reply.status, reply.problem) == (404, "no-such-version")

    async def test_the_past_of_nothing_is_not_found(self, served: Served) -> None:
        assert (await served.request("GET", "/notes/boards/none?version=1")).problem == "not-found"

    @pytest.mark.parametrize(
        "query",
        [
            "version=0",
            "version=-1",
            "version=x",
            "version=",
            "version=1&version=1",
            "other=1",
            "version=9" * 20,
            "version=%ff",
            "version",
            "version=1&",
            "version=%D9%A1",
        ],
    )
    async def test_anything_else_in_the_query_is_a_bad_request(self, served: Served, query: str) -> None:
        reply = await served.request("GET", f"{BOARD}?{query}")
        assert (reply.status, reply.problem) == (400, "invalid-query")

    async def test_an_instant_shows_the_state_of_then(self, served: Served) -> None:
        events = (await served.request("GET", f"{BOARD}/events")).json["events"]
        for event in events:
            reply = await served.request("GET", f"{BOARD}?at={event['at']}")
            # Events may be of one microsecond.
            last = max(other["version"] for other in events if other["at"] <= event["at"])
            assert (reply.status, reply.json["version"], reply.headers["etag"]) == (200, last, f'"{last}"')
        later = await served.request("GET", f"{BOARD}?at=9999-12-31T23:59:59%2B00:00")
        assert later.json == (await served.request("GET", BOARD)).json

    async def test_before_its_first_event_there_was_nothing(self, served: Served) -> None:
        assert (await served.request("GET", f"{BOARD}?at=2001-01-01T00:00:00Z")).problem == "not-found"

    async def test_a_plus_that_came_as_a_space_is_an_offset(self, served: Served) -> None:
        (first, *_) = (await served.request("GET", f"{BOARD}/events")).json["events"]
        there = datetime.fromisoformat(first["at"]).astimezone(timezone(timedelta(hours=9)))
        for sign in ("+", "%2B", "%2b"):
            at = there.isoformat().replace("+", sign)
            assert (await served.request("GET", f"{BOARD}?at={at}")).status == 200

    @pytest.mark.parametrize(
        "query",
        ["at=", "at=now", "at=2027-01-15", "at=2027-01-15T10:00:00", "at=2027-13-15T10:00:00Z", "at=1"],
    )
    async def test_anything_but_an_instant_is_a_bad_request(self, served: Served, query: str) -> None:
        reply = await served.request("GET", f"{BOARD}?{query}")
        assert (reply.status, reply.problem) == (400, "invalid-query")
        assert "RFC 3339" in reply.json["detail"]

    async def test_version_and_instant_together_are_a_bad_request(self, served: Served) -> None:
        reply = await served.request("GET", f"{BOARD}?version=1&at=2027-01-15T10:00:00Z")
        assert (reply.status, reply.problem) == (400, "invalid-query")

    async def test_a_part_has_no_past(self, served: Served) -> None:
        assert (await served.request("GET", f"{BOARD}/notes/n1?version=1")).problem == "invalid-query"

    async def test_a_journal_that_is_away_is_unavailable(self, served: Served) -> None:
        served.journal.fail_read(JournalUnavailable("it is away"))
        reply = await served.request("GET", f"{BOARD}?version=1")
        assert (reply.status, reply.problem) == (503, "journal-unavailable")


class TestHistory:
    async def test_pages_follow_each_other_to_the_end(self, served: Served) -> None:
        seen: list[int] = []
        path: str | None = f"{BOARD}/events?limit=4"
        while path is not None:
            page = (await served.request("GET", path)).json
            seen += [event["version"] for event in page["events"]]
            path = page["next"]
        assert seen == [1, 2, 3, 4, 5, 6]

    async def test_events_look_the_same_as_in_the_command_s_answer(self, served: Served) -> None:
        answer = await served.request("PUT", f"{BOARD}/title", {"title": "other"})
        page = await served.request("GET", f"{BOARD}/events?after=6")
        assert page.json["next"] is None
        (event,) = page.json["events"]
        assert event == {
            **answer.json["events"][0],
            "by": "anonymous",
            "command": event["command"],
            "position": answer.json["position"],
        }
        (row,) = await served.journal.history("board", "b1", 6, 1)
        assert bytes.fromhex(event["command"]) == row.command_id

    async def test_a_history_tells_the_trace_and_the_command_of_each_event(self, served: Served) -> None:
        trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        await served.request("DELETE", f"{BOARD}/notes", traceparent=trace, Idempotency_Key="k1")
        events = (await served.request("GET", f"{BOARD}/events")).json["events"]
        assert [event.get("trace") for event in events] == [None] * 6 + [trace] * 5
        assert len({event["command"] for event in events}) == 7
        assert all(len(event["command"]) == 32 for event in events)
        assert len({event["position"] for event in events}) == 11

    async def test_the_history_of_nothing_is_not_found(self, served: Served) -> None:
        assert (await served.request("GET", "/notes/boards/none/events")).problem == "not-found"

    @pytest.mark.parametrize("query", ["limit=0", "limit=1001", "after=-1", "after=x", "version=1"])
    async def test_impossible_pages_are_bad_requests(self, served: Served, query: str) -> None:
        assert (await served.request("GET", f"{BOARD}/events?{query}")).problem == "invalid-query"


class TestNegotiation:
    @pytest.mark.parametrize(
        "accept", ["*/*", "application/json", "text/html, application/*;q=0.1", "*/*;q=0.1"]
    )
    async def test_json_is_sent_to_who_takes_it(self, served: Served, accept: str) -> None:
        assert (await served.request("GET", BOARD, Accept=accept)).status == 200

    @pytest.mark.parametrize("accept", ["text/html", "application/json;q=0, */*", "image/*"])
    async def test_who_excludes_json_gets_a_problem(self, served: Served, accept: str) -> None:
        reply = await served.request("GET", BOARD, Accept=accept)
        assert (reply.status, reply.problem) == (406, "not-acceptable")


class TestPaths:
    @pytest.mark.parametrize("path", ["/nowhere", "/notes/boards/", "/notes//boards/b1", "/notes/boards/b1/"])
    async def test_an_unknown_path_is_not_found(self, served: Served, path: str) -> None:
        assert (await served.request("GET", path)).problem == "not-found"

    @pytest.mark.parametrize(
        "id", ["..", ".", "%2e%2e", "a%2Fb", "a%5cb", "a\\b", "a%00", "a;b", "%ff", "%zz", "a%0a", "x" * 129]
    )
    async def test_a_path_with_two_meanings_is_a_bad_request(self, served: Served, id: str) -> None:
        reply = await served.request("GET", f"/notes/boards/{id}")
        assert (reply.status, reply.problem) == (400, "invalid-path")

    async def test_escapes_of_plain_characters_are_the_same_path(self, served: Served) -> None:
        assert (await served.request("GET", "/%6eotes/boards/b%31")).status == 200

    async def test_an_absolute_target_is_understood(self, served: Served) -> None:
        assert (await served.request("GET", f"http://elsewhere{BOARD}")).status == 200

    async def test_a_wrong_method_is_told_the_right_ones(self, served: Served) -> None:
        reply = await served.request("DELETE", BOARD)
        assert (reply.status, reply.problem) == (405, "method-not-allowed")
        assert reply.headers["allow"] == "GET, HEAD, OPTIONS, POST"

    async def test_options_lists_the_methods(self, served: Served) -> None:
        reply = await served.request("OPTIONS", f"{BOARD}/title")
        assert (reply.status, reply.headers["allow"]) == (204, "OPTIONS, PUT")
        assert (await served.request("OPTIONS", "*")).status == 204
