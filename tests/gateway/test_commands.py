from collections.abc import AsyncIterator

import pytest

from contexts.vocabulary import Aggregate, Context, Post, Rejection
from tests.gateway import notes
from tests.gateway.serving import Served, request, serving, until

BOARD = "/notes/boards/b1"


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with serving() as served:
        yield served


@pytest.fixture
async def started(served: Served) -> Served:
    reply = await served.request("POST", BOARD, {"title": "plans"})
    assert reply.status == 201
    return served


class TestAcceptance:
    async def test_a_command_that_creates_answers_201_with_location_and_version(self, served: Served) -> None:
        reply = await served.request("POST", BOARD, {"title": "plans"})
        assert reply.status == 201
        assert reply.headers["location"] == BOARD
        assert reply.headers["etag"] == '"1"'
        assert reply.headers["content-type"] == "application/json"
        answer = reply.json
        assert answer.keys() == {"version", "position", "events"}
        assert answer["version"] == 1
        event = answer["events"][0]
        assert (event["version"], event["type"], event["data"]) == (1, "Started", {"title": "plans"})

    async def test_the_location_is_filled_from_the_command_and_can_be_followed(self, started: Served) -> None:
        reply = await started.request("POST", f"{BOARD}/notes", {"note": "ä b/c", "text": "x"})
        assert reply.headers["location"] == f"{BOARD}/notes/%C3%A4%20b%2Fc"
        plain = await started.request("POST", f"{BOARD}/notes", {"note": "n1", "text": "x"})
        assert (await started.request("GET", plain.headers["location"])).json["state"]["text"] == "x"

    async def test_a_command_that_changes_answers_200(self, started: Served) -> None:
        reply = await started.request("PUT", f"{BOARD}/title", {"title": "other"})
        assert (reply.status, reply.headers["etag"]) == (200, '"2"')
        assert "location" not in reply.headers

    async def test_a_command_with_nothing_to_do_answers_200_without_events(self, started: Served) -> None:
        reply = await started.request("PUT", f"{BOARD}/title", {"title": "plans"})
        assert (reply.status, reply.json["events"], reply.json["version"]) == (200, [], 1)

    async def test_path_parameters_fill_the_command_and_are_converted(self, started: Served) -> None:
        assert (await started.request("PATCH", f"{BOARD}/notes/n1/7")).status == 200
        for place in ("seven", "7.5", "9" * 20):
            reply = await started.request("PATCH", f"{BOARD}/notes/n1/{place}")
            assert (reply.status, reply.problem) == (400, "invalid-path")

    async def test_a_command_without_required_fields_needs_no_body(self, started: Served) -> None:
        assert (await started.request("POST", f"{BOARD}/keep")).problem == "not-yours"
        assert (await started.request("POST", f"{BOARD}/keep", {})).problem == "not-yours"

    async def test_delete_takes_no_body(self, started: Served) -> None:
        await started.request("POST", f"{BOARD}/notes", {"note": "n1", "text": "x"})
        assert (
            await started.request("DELETE", f"{BOARD}/notes/n1", {"note": "n2"})
        ).problem == "unexpected-body"
        assert (await started.request("DELETE", f"{BOARD}/notes/n1", raw=b"")).status == 200


class TestRejection:
    async def test_a_rejection_is_a_conflict_with_its_fields_and_words(self, started: Served) -> None:
        reply = await started.request("POST", BOARD, {"title": "again"})
        assert (reply.status, reply.problem) == (409, "already-there")
        members = reply.json
        assert members["title"] == "The board, or a note of that name, is already there."
        assert members["instance"] == BOARD
        assert members["count"] == 0

    async def test_a_field_named_like_a_member_of_problems_does_not_hide_it(self, started: Served) -> None:
        members = (await started.request("POST", BOARD, {"title": "again"})).json
        assert members["status"] == 409
        assert members["rejection_status"] == "there"

    @pytest.mark.parametrize(
        ("method", "path", "body", "status", "name"),
        [
            ("POST", "/notes/boards/none/notes", {"note": "n", "text": "x"}, 404, "not-started"),
            ("POST", f"{BOARD}/keep", None, 403, "not-yours"),
            ("POST", f"{BOARD}/notes", {"note": "n", "text": "x", "weight": 101}, 422, "too-heavy"),
        ],
    )
    async def test_the_kind_of_rejection_decides_the_status(
        self, started: Served, method: str, path: str, body: object, status: int, name: str
    ) -> None:
        reply = await started.request(method, path, body)
        assert (reply.status, reply.problem) == (status, name)

    async def test_a_bug_in_a_context_is_a_500_that_tells_nothing_of_the_code(self, started: Served) -> None:
        reply = await started.request("POST", f"{BOARD}/break")
        assert (reply.status, reply.problem) == (500, "failed")
        assert b"Traceback" not in reply.body


class Odd(Rejection, frozen=True):
    """Cannot be shown."""

    value: object = None


def odd(state: int, command: notes.Clear) -> list[notes.Started] | Odd:
    return Odd(object())


def unchanged(state: int, event: notes.Started) -> int:
    return state


class TestFaults:
    async def test_an_answer_that_cannot_be_shown_is_a_fault_of_the_server(self) -> None:
        aggregate = Aggregate("thing", 0, odd, unchanged)
        routes = [Post("/things/{thing}", notes.Clear)]
        async with serving(Context("oddities", aggregates=[aggregate], routes=routes)) as served:
            reply = await served.request("POST", "/oddities/things/t1")
            assert (reply.status, reply.problem) == (500, "internal-error")
            assert (await served.request("GET", "/openapi.json")).status == 200


class TestConditions:
    async def test_the_expected_version_passes_and_another_does_not(self, started: Served) -> None:
        passed = await started.request("PUT", f"{BOARD}/title", {"title": "a"}, If_Match='"1"')
        failed = await started.request("PUT", f"{BOARD}/title", {"title": "b"}, If_Match='"1"')
        assert (passed.status, failed.status, failed.problem) == (200, 412, "precondition-failed")

    @pytest.mark.parametrize("tag", ['W/"1"', '"abc"', '"01"', '"9", "foreign"'])
    async def test_a_weak_or_foreign_tag_never_matches(self, started: Served, tag: str) -> None:
        reply = await started.request("PUT", f"{BOARD}/title", {"title": "a"}, If_Match=tag)
        assert reply.status == 412

    @pytest.mark.parametrize("tag", ["1", '"1', "", '"1" "2"', '"1", "2"', "W/1"])
    async def test_a_malformed_or_ambiguous_tag_is_a_bad_request(self, started: Served, tag: str) -> None:
        reply = await started.request("PUT", f"{BOARD}/title", {"title": "a"}, If_Match=tag)
        assert (reply.status, reply.problem) == (400, "invalid-header")

    async def test_if_none_match_star_creates_only_what_is_not_there(self, served: Served) -> None:
        first = await served.request("POST", BOARD, {"title": "plans"}, If_None_Match="*")
        second = await served.request("POST", BOARD, {"title": "plans"}, If_None_Match="*")
        assert (first.status, second.status, second.problem) == (201, 412, "precondition-failed")

    async def test_if_none_match_with_a_version_is_refused_on_commands(self, served: Served) -> None:
        reply = await served.request("POST", BOARD, {"title": "plans"}, If_None_Match='"1"')
        assert reply.problem == "invalid-header"

    async def test_if_match_star_needs_something_there(self, served: Served) -> None:
        absent = await served.request("POST", BOARD, {"title": "plans"}, If_Match="*")
        await served.request("POST", BOARD, {"title": "plans"})
        present = await served.request("PUT", f"{BOARD}/title", {"title": "a"}, If_Match="*")
        assert (absent.status, present.status) == (412, 200)


class TestDeadline:
    async def test_a_commit_that_takes_longer_leaves_the_outcome_unknown(self) -> None:
        async with serving(gateway={"deadline": 0.1}) as served:
            await served.request("GET", BOARD)
            served.journal.hold()
            reply = await served.request("POST", BOARD, {"title": "plans"}, Idempotency_Key="k")
            assert (reply.status, reply.problem) == (504, "outcome-unknown")
            served.journal.let_go()
            retry = await served.request("POST", BOARD, {"title": "plans"}, Idempotency_Key="k")
            assert (retry.status, retry.json["version"]) == (201, 1)

    async def test_a_query_that_takes_longer_has_expired(self) -> None:
        async with serving(gateway={"deadline": 0.1}) as served:
            served.journal.hold()
            writing = await served.connect()
            await writing.send(request("POST", BOARD, {"title": "a"}, Prefer="wait=30"))
            await until(lambda: served.journal.held)
            reply = await served.request("GET", BOARD)
            assert (reply.status, reply.problem) == (503, "expired")
            assert int(reply.headers["retry-after"]) >= 1
            served.journal.let_go()
            assert (await writing.read()).status == 201

    async def test_prefer_wait_is_bounded_by_the_setting(self) -> None:
        async with serving(gateway={"deadline": 0.1, "deadline_limit": 0.1}) as served:
            served.journal.hold()
            reply = await served.request("POST", BOARD, {"title": "plans"}, Prefer="wait=3600")
            assert reply.status == 504


class TestOverload:
    async def test_a_full_in_flight_limit_refuses_at_once(self) -> None:
        async with serving(gateway={"in_flight": 1}) as served:
            served.journal.hold()
            first = await served.connect()
            await first.send(request("POST", BOARD, {"title": "a"}))
            await until(lambda: served.journal.held)
            refused = await served.request("GET", BOARD)
            assert (refused.status, refused.problem) == (503, "overloaded")
            assert int(refused.headers["retry-after"]) >= 1
            assert (await served.request("GET", "/healthz")).status == 200
            served.journal.let_go()
            assert (await first.read()).status == 201
            assert (await served.request("GET", BOARD)).status == 200
