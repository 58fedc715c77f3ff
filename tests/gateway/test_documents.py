"""Documents as they are served: exact, tagged, at a position, fresh when asked, to those who may see them."""

import asyncio
from collections.abc import AsyncIterator
from hashlib import blake2b
from typing import Any

import msgspec
import pytest

from actors.views.port import ViewsUnavailable
from contexts.vocabulary import ANONYMOUS, Principal
from gateway import documents, find, inquiries
from tests.gateway import library
from tests.gateway.serving import Reply, Served, serving, until

EMMA = {"title": "Emma", "author": "austen", "pages": 474}


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with serving(library.context) as served:
        yield served


async def put(served: Served, book: str, **card: Any) -> str:
    """Put a book on the shelf; the position of that."""
    reply = await served.request("POST", f"/library/books/{book}", {**EMMA, **card})
    assert reply.status in (200, 201), reply
    return str(reply.json["position"])


async def get(served: Served, path: str, after: str | None = None, **headers: str) -> Reply:
    if after is not None:
        headers["Read_After"] = after
    return await served.request("GET", f"/library{path}", **headers)


def asked_by(monkeypatch: pytest.MonkeyPatch, principal: Principal) -> None:
    for module in (documents, find, inquiries):
        monkeypatch.setattr(module, "principal", lambda exchange: principal)


class TestDocument:
    async def test_the_document_itself_is_served_with_tag_and_position(self, served: Served) -> None:
        position = await put(served, "b1")
        reply = await get(served, "/cards/b1", position)
        assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
        assert reply.json == {
            **EMMA,
            "book": "b1",
            "weight": 0.5,
            "lent": False,
            "due": None,
            "added": "2027-01-01",
            "reader": None,
            "note": "",
            "versions": 1,
        }
        assert reply.headers["etag"] == f'"{blake2b(reply.body, digest_size=8).hexdigest()}"'
        assert reply.headers["position"] == position
        assert reply.headers["position-age"] == "0.000"

    async def test_a_key_of_several_parts_is_the_path_s_parameters_in_their_order(
        self, served: Served
    ) -> None:
        position = await put(served, "b1", author="jane austen %2F")
        path = "/shelves/jane%20austen%20%252F/b1"
        assert (await get(served, path, position)).json["book"] == "b1"
        assert (await get(served, "/shelves/b1/jane%20austen%20%252F", position)).problem == "not-found"

    async def test_what_is_not_or_no_more_there_is_not_found(self, served: Served) -> None:
        assert (await get(served, "/cards/b1")).problem == "not-found"
        position = await put(served, "b1")
        assert (await get(served, "/cards/b1", position)).status == 200
        gone = await served.request("POST", "/library/books/b1/discard")
        reply = await get(served, "/cards/b1", gone.json["position"])
        assert (reply.status, reply.problem) == (404, "not-found")
        assert (await get(served, "/cards/" + "%C3%A4" * 128)).problem == "not-found"

    async def test_head_is_get_without_the_body(self, served: Served) -> None:
        position = await put(served, "b1")
        got = await get(served, "/cards/b1", position)
        head = await served.request("HEAD", "/library/cards/b1")
        assert (head.status, head.body) == (200, b"")
        assert (head.headers["etag"], head.headers["content-length"]) == (
            got.headers["etag"],
            str(len(got.body)),
        )

    async def test_a_query_or_a_body_is_refused(self, served: Served) -> None:
        assert (await get(served, "/cards/b1?version=1")).problem == "invalid-query"
        assert (await served.request("GET", "/library/cards/b1", {})).problem == "unexpected-body"


class TestConditions:
    async def test_who_has_the_document_is_told_so(self, served: Served) -> None:
        position = await put(served, "b1")
        tag = (await get(served, "/cards/b1", position)).headers["etag"]
        for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            reply = await get(served, "/cards/b1", If_None_Match=known)
            assert (reply.status, reply.body, reply.headers["etag"]) == (304, b"", tag)
            assert reply.headers["position"] == position
        assert (await get(served, "/cards/b1", If_None_Match='"1"')).status == 200
        later = await put(served, "b1", pages=475)
        assert (await get(served, "/cards/b1", later, If_None_Match=tag)).status == 200

    async def test_who_insists_on_another_document_is_refused(self, served: Served) -> None:
        tag = (await get(served, "/cards/b1", await put(served, "b1"))).headers["etag"]
        assert (await get(served, "/cards/b1", If_Match=tag)).status == 200
        assert (await get(served, "/cards/b1", If_Match="*")).status == 200
        for other in ('"0123456789abcdef"', f"W/{tag}"):
            reply = await get(served, "/cards/b1", If_Match=other)
            assert (reply.status, reply.problem) == (412, "precondition-failed")

    @pytest.mark.parametrize("header", ["If_Match", "If_None_Match"])
    async def test_what_is_no_tag_is_a_bad_request(self, served: Served, header: str) -> None:
        position = await put(served, "b1")
        reply = await get(served, "/cards/b1", position, **{header: "abc"})
        assert (reply.status, reply.problem) == (400, "invalid-header")


class TestFreshness:
    async def test_case_20_a_saved_change_is_shown_or_said_to_be_missing_never_mixed(
        self, served: Served
    ) -> None:
        before = await put(served, "b1", title="Emma", pages=1)
        old = await get(served, "/cards/b1", before)
        for view in ("cards", "loans"):
            await served.views["library"].pause(view, True)
        await until(
            lambda: all(g.paused for g in served.views["library"].generations.values() if g.view == "cards")
        )
        after = await put(served, "b1", title="Persuasion", pages=2)

        async with asyncio.timeout(5):
            while float((await get(served, "/cards/b1")).headers["position-age"]) == 0:
                await asyncio.sleep(0.001)
        without = await get(served, "/cards/b1")
        assert (without.status, without.body) == (200, old.body)
        assert without.headers["position"] == before

        reply = await get(served, "/cards/b1", after, Prefer="wait=1")
        assert (reply.status, reply.problem) == (503, "not-yet-visible")
        assert reply.headers["retry-after"] == "1"
        assert (reply.json["wanted"], reply.json["reached"]) == (after, before)
        page = await get(served, "/cards?pages=1", after, Prefer="wait=1")
        assert page.problem == "not-yet-visible"

        waiting = asyncio.ensure_future(get(served, "/cards/b1", after))
        await served.views["library"].pause("cards", False)
        fresh = await waiting
        assert (fresh.json["title"], fresh.json["pages"]) == ("Persuasion", 2)
        assert fresh.headers["position"] == after

    async def test_a_change_is_visible_to_whoever_made_it_at_once(self, served: Served) -> None:
        for number in range(20):
            position = await put(served, "b1", pages=number)
            assert (await get(served, "/cards/b1", position)).json["pages"] == number
            assert (await get(served, f"/cards?pages={number}", position)).json["items"] != []

    async def test_a_vector_waits_for_all_it_names(self, served: Served) -> None:
        places = {await put(served, f"b{number}") for number in range(8)}
        latest: dict[str, int] = {}
        for place in places:
            shard, _, seq = place.removeprefix("library/").partition(":")
            latest[shard] = max(latest.get(shard, 0), int(seq))
        vector = "library/" + ",".join(f"{shard}:{latest[shard]}" for shard in sorted(latest))
        reply = await get(served, "/cards?total=true", vector)
        assert reply.json["total"] == 8
        assert reply.headers["position"] == vector

    @pytest.mark.parametrize(
        "position",
        [
            "",
            "x",
            "notes/1:1",
            "library",
            "library/9:1",
            "library/1:x",
            "library/1:1,1:1",
            "library/1:9" * 30,
        ],
    )
    async def test_what_is_no_position_of_the_context_is_a_bad_request(
        self, served: Served, position: str
    ) -> None:
        for path in ("/cards/b1", "/cards", "/authors/austen/count"):
            reply = await get(served, path, position)
            assert (reply.status, reply.problem) == (400, "invalid-header")
            assert reply.json["detail"].startswith("Read-After: ")

    async def test_views_that_cannot_be_read_are_unavailable(
        self, served: Served, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def fail(*args: object) -> None:
            raise ViewsUnavailable("the database is away")

        monkeypatch.setattr(served.views["library"].store, "read", fail)
        for path in ("/cards/b1", "/cards", "/authors/austen/count"):
            reply = await get(served, path)
            assert (reply.status, reply.problem) == (503, "views-unavailable")
            assert reply.headers["retry-after"] == "1"


STAFF = Principal("eve", frozenset({"staff"}))
ADA = Principal("ada")


class TestRules:
    async def lend(self, served: Served) -> str:
        await put(served, "b1", title="Emma", note="torn", pages=10)
        await put(served, "b2", title="Ada", note="clean", pages=20, reader="ada")
        return await put(served, "b3", title="Bob", note="torn", pages=30, reader="bob")

    async def settled(self, served: Served) -> None:
        await self.lend(served)
        seqs = {s: shard.seq for s, shard in served.regions["library"].shards.items() if shard.seq}
        missing = await served.views["library"].fresh(["loans"], seqs, asyncio.get_running_loop().time() + 5)
        assert missing is None

    async def test_an_invisible_document_is_as_absent_as_one_that_never_was(
        self, served: Served, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await self.settled(served)
        asked_by(monkeypatch, ADA)
        assert (await get(served, "/loans/b2")).status == 200
        invisible, absent = await get(served, "/loans/b3"), await get(served, "/loans/b9")
        assert (invisible.status, invisible.problem) == (404, "not-found")
        shown = [msgspec.json.encode({**r.json, "instance": ""}) for r in (invisible, absent)]
        assert shown[0] == shown[1]
        assert invisible.headers.keys() == absent.headers.keys()

    async def test_pages_and_totals_count_only_what_is_visible(
        self, served: Served, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await self.settled(served)
        for principal, books in ((ANONYMOUS, ["b1"]), (ADA, ["b1", "b2"]), (STAFF, ["b1", "b2", "b3"])):
            asked_by(monkeypatch, principal)
            page = (await get(served, "/loans?total=true&sort=book")).json
            assert [item["book"] for item in page["items"]] == books
            assert page["total"] == len(books)
            walked: list[str] = []
            path: str | None = "/library/loans?limit=1&sort=book"
            while path is not None:
                found = (await served.request("GET", path)).json
                walked += [item["book"] for item in found["items"]]
                path = found["next"]
            assert walked == books

    async def test_masked_fields_are_left_out_where_they_are_kept(
        self, served: Served, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await self.settled(served)
        asked_by(monkeypatch, ADA)
        own, other = (await get(served, "/loans/b2")).json, (await get(served, "/loans/b1")).json
        assert (own["note"], own["pages"], own["title"]) == ("clean", 20, "Ada")
        assert own.keys() - other.keys() == {"note", "pages", "title"}
        asked_by(monkeypatch, STAFF)
        assert (await get(served, "/loans/b1")).json["note"] == "torn"

    async def test_what_is_kept_cannot_be_found_out_by_filters_order_or_search(
        self, served: Served, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await self.settled(served)
        asked_by(monkeypatch, ADA)

        async def books(query: str) -> list[str]:
            return [item["book"] for item in (await get(served, f"/loans?{query}")).json["items"]]

        assert await books("pages=10") == []
        assert await books("pages.ne=99") == ["b2"]
        assert await books("title=Emma") == []
        assert await books("search=torn") == []
        refused = await get(served, "/loans?sort=-pages")
        assert (refused.status, refused.problem) == (400, "invalid-query")
        assert "sort" in refused.json["detail"]
        # The route's own order is by title, which is kept from some: it gives way.
        assert await books("limit=10") == ["b1", "b2"]
        asked_by(monkeypatch, STAFF)
        assert await books("pages=10&search=torn") == ["b1"]
        assert await books("sort=-pages") == ["b3", "b2", "b1"]
        assert await books("limit=10") == ["b2", "b3", "b1"]

    async def test_a_query_that_found_what_its_rule_forbids_shows_nothing(
        self, served: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        await self.settled(served)
        monkeypatch.setattr("gateway.showing.Rules.sees", lambda *args: False)
        for path in ("/loans/b1", "/loans"):
            reply = await get(served, path)
            assert (reply.status, reply.problem) == (500, "query-failed")
            assert b"torn" not in reply.body
        assert "a rule of a view failed" in caplog.text
