"""Finding documents: exactly those that a plain Python filter finds, in pages that do not shift."""

import asyncio
import base64
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.gateway import library
from tests.gateway.serving import Reply, Served, serving

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
TOKYO = timezone(timedelta(hours=9))
BOOKS: dict[str, dict[str, Any]] = {
    f"b{number:02}": {
        "title": ("Emma", "emma", "Été", "本棚の本", "Persuasion & more", "a=b+c")[number % 6],
        "author": ("austen", "brontë")[number % 2],
        "pages": (number * 7) % 5 - 1,
        "weight": ((number * 3) % 4) / 4,
        "lent": number % 3 == 0,
        "due": None if number % 4 == 0 else (NOON + timedelta(hours=number % 5)).isoformat(),
        "added": str(date(2027, 1, 1) + timedelta(days=number % 3)),
        "reader": None if number % 5 == 0 else ("ada", "bob")[number % 2],
        "note": "torn" if number % 2 else "",
    }
    for number in range(24)
}


async def shelve(served: Served) -> None:
    """All books, visible in all views."""
    for book, card in BOOKS.items():
        reply = await served.request("POST", f"/library/books/{book}", card)
        assert reply.status == 201, reply
    seqs = {number: shard.seq for number, shard in served.regions["library"].shards.items() if shard.seq}
    views = served.views["library"]
    deadline = asyncio.get_running_loop().time() + 10
    assert await views.fresh(["cards", "shelves", "loans"], seqs, deadline) is None


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with serving(library.context) as served:
        await shelve(served)
        yield served


async def find(served: Served, query: str = "", path: str = "/library/cards") -> Reply:
    return await served.request("GET", f"{path}?{query}" if query else path)


async def books(served: Served, query: str = "", path: str = "/library/cards") -> list[str]:
    reply = await find(served, query, path)
    assert reply.status == 200, reply
    return [item["book"] for item in reply.json["items"]]


def value(field: str, text: Any) -> Any:
    """A field's value to compare by."""
    if field == "due" and text is not None:
        return datetime.fromisoformat(text)
    return text


OPERATIONS: dict[str, Any] = {
    "": lambda one, other: one == other,
    ".ne": lambda one, other: one != other,
    ".lt": lambda one, other: one is not None and one < other,
    ".le": lambda one, other: one is not None and one <= other,
    ".gt": lambda one, other: one is not None and one > other,
    ".ge": lambda one, other: one is not None and one >= other,
}
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "book": st.sampled_from([*BOOKS, "b", "c"]),
    "title": st.sampled_from(["Emma", "emma", "Été", "本棚の本", "Persuasion & more", "a=b+c", ""]),
    "author": st.sampled_from(["austen", "brontë", "z"]),
    "pages": st.integers(-2, 5),
    "weight": st.sampled_from([0.0, 0.25, 0.3, 0.75, 1e300, -1.5]),
    "lent": st.booleans(),
    "due": st.integers(-1, 6).map(
        lambda hours: (NOON + timedelta(hours=hours)).astimezone(TOKYO).isoformat()
    ),
    "added": st.integers(-1, 3).map(lambda days: str(date(2027, 1, 1) + timedelta(days=days))),
    "reader": st.sampled_from(["ada", "bob", "eve"]),
}
FILTERS = st.lists(
    st.sampled_from(list(VALUES)).flatmap(
        lambda field: st.tuples(st.just(field), st.sampled_from(list(OPERATIONS)), VALUES[field])
    ),
    max_size=3,
    unique_by=lambda one: one[0],
)


def text_of(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


ASKED = st.tuples(FILTERS, st.sampled_from([None, *VALUES]), st.booleans(), st.integers(1, 9))


def expected(filters: list[tuple[str, str, Any]], sort: str | None, descending: bool) -> list[str]:
    """What a plain filter finds, in order."""
    found = [
        book
        for book, card in BOOKS.items()
        if all(
            OPERATIONS[operator](value(field, {**card, "book": book}[field]), value(field, wanted))
            for field, operator, wanted in filters
        )
    ]

    def order(book: str) -> Any:
        by = None if sort is None else value(sort, {**BOOKS[book], "book": book}[sort])
        return by is not None, by if by is not None else 0, book

    return sorted(found, key=order, reverse=descending and sort is not None)


@settings(max_examples=5, deadline=None)
@given(st.lists(ASKED, min_size=20, max_size=20))
async def test_find_returns_exactly_what_a_plain_filter_returns(
    queries: list[tuple[list[tuple[str, str, Any]], str | None, bool, int]],
) -> None:
    async with serving(library.context) as served:
        await shelve(served)
        client = await served.connect()
        for filters, sort, descending, limit in queries:
            asked = [(field + operator, text_of(wanted)) for field, operator, wanted in filters]
            if sort is not None:
                asked.append(("sort", f"-{sort}" if descending else sort))
            asked += [("limit", str(limit)), ("total", "true")]
            wanted = expected(filters, sort, descending)
            walked: list[str] = []
            path: str | None = f"/library/cards?{urlencode(asked)}"
            while path is not None:
                page = (await client.request("GET", path)).json
                assert page["total"] == len(wanted)
                walked += [item["book"] for item in page["items"]]
                assert len(page["items"]) == limit or page["next"] is None
                path = page["next"]
            assert walked == wanted, asked


class TestPages:
    async def test_a_page_has_a_hundred_and_no_next_when_that_is_all(self, served: Served) -> None:
        reply = await find(served)
        assert reply.status == 200
        assert [item["book"] for item in reply.json["items"]] == list(BOOKS)
        assert reply.json["next"] is None
        assert "total" not in reply.json
        assert reply.headers["position"].startswith("library/0:")
        assert "position-age" in reply.headers

    async def test_pages_stay_stable_while_documents_come_and_go(self, served: Served) -> None:
        first = (await find(served, "limit=10&sort=pages")).json
        seen = [item["book"] for item in first["items"]]
        last = first["items"][-1]
        # Gone before the page's end, new before it, and the last one of the page itself is gone.
        for gone in (seen[0], seen[-1]):
            await served.request("POST", f"/library/books/{gone}/discard")
        reply = await served.request("POST", "/library/books/a00", {**BOOKS["b00"], "pages": -9})
        path: str | None = first["next"]
        while path is not None:
            page = (await served.request("GET", path, Read_After=reply.json["position"])).json
            seen += [item["book"] for item in page["items"]]
            path = page["next"]
        assert last["book"] == seen[9]
        assert sorted(seen) == sorted(BOOKS)

    async def test_the_next_page_is_the_same_query_with_a_cursor(self, served: Served) -> None:
        page = (await find(served, "limit=3&author=bront%C3%AB&total=true&sort=-due")).json
        path, _, cursor = page["next"].partition("&cursor=")
        assert path == "/library/cards?limit=3&author=bront%C3%AB&total=true&sort=-due"
        assert cursor.replace("-", "").replace("_", "").isalnum()
        again = await served.request("GET", f"{path.replace('limit=3', 'limit=20')}&cursor={cursor}")
        assert len(again.json["items"]) == 9
        assert again.json["total"] == 12


class TestRoutes:
    async def test_what_the_path_says_must_be_equal(self, served: Served) -> None:
        found = await books(served, "sort=book", f"/library/authors/{quote('brontë')}/cards")
        assert found == [book for book, card in BOOKS.items() if card["author"] == "brontë"]
        assert await books(served, "", "/library/authors/nobody/cards") == []

    async def test_a_route_has_an_order_of_its_own(self, served: Served) -> None:
        reply = await find(served, "", "/library/authors/austen/cards")
        pages = [item["pages"] for item in reply.json["items"]]
        assert pages == sorted(pages, reverse=True)

    async def test_what_the_path_says_cannot_be_asked_for_again(self, served: Served) -> None:
        reply = await find(served, "author=austen", "/library/authors/austen/cards")
        assert (reply.status, reply.problem) == (400, "invalid-query")

    async def test_a_view_without_indexes_is_found_by_key_alone(self, served: Served) -> None:
        assert len(await books(served, "limit=1000", "/library/shelves")) == len(BOOKS)
        for query in ("author=austen", "sort=author", "search=emma"):
            assert (await find(served, query, "/library/shelves")).problem == "invalid-query"


class TestSearch:
    @pytest.mark.parametrize(
        ("words", "titles"),
        [
            ("persua", {"Persuasion & more"}),
            ("MORE persuasion", {"Persuasion & more"}),
            ("棚の", {"本棚の本"}),
            ("本", {"本棚の本"}),
            ("emma", {"Emma", "emma"}),
            ("nothing", set()),
        ],
    )
    async def test_all_words_must_be_found(self, served: Served, words: str, titles: set[str]) -> None:
        found = await find(served, urlencode({"search": words}))
        assert {item["title"] for item in found.json["items"]} == titles

    @pytest.mark.parametrize("words", ["", " ", "%00", "x" * 201, "+"])
    async def test_what_holds_no_words_is_a_bad_request(self, served: Served, words: str) -> None:
        reply = await find(served, f"search={words}")
        assert (reply.status, reply.problem) == (400, "invalid-query")
        assert reply.json["detail"].startswith("search is ")


class TestParameters:
    @pytest.mark.parametrize("offset", ["+09:00", "%2B09:00", " 09:00", "%2b09:00"])
    async def test_the_plus_of_an_offset_may_come_as_it_is(self, served: Served, offset: str) -> None:
        query = f"due.ge=2027-03-02T01:00:00{offset}".replace(" ", "%20")
        assert len(await books(served, query)) == len(
            [
                card
                for card in BOOKS.values()
                if card["due"] and value("due", card["due"]) >= NOON + timedelta(hours=4)
            ]
        )

    @pytest.mark.parametrize(
        ("query", "name"),
        [
            ("nothing=1", "nothing"),
            ("note=x", "note"),
            ("pages.xx=1", "pages.xx"),
            ("versions=1", "versions"),
            ("Title=x", "Title"),
            ("=x", "''"),
            ("title=x&", "''"),
            ("title=a&title=a", "title"),
            ("limit=1&limit=2", "limit"),
            ("pages=x", "pages"),
            ("pages=1.5", "pages"),
            ("pages=", "pages"),
            ("pages=%D9%A1", "pages"),
            ("pages=9223372036854775808", "pages"),
            ("pages=%2B1", "pages"),
            ("weight=nan", "weight"),
            ("weight=1e999", "weight"),
            ("weight=0x1", "weight"),
            ("lent=1", "lent"),
            ("lent=True", "lent"),
            ("due=2027-03-01", "due"),
            ("due=2027-03-01T10:00:00", "due"),
            ("due=", "due"),
            ("added=2027-3-1", "added"),
            ("added=2027-02-30", "added"),
            ("title=%00", "title"),
            ("title=a&title.ge=a", "title"),
            ("pages.ge=1&pages.gt=1", "pages"),
            ("pages.lt=1&pages.le=1", "pages"),
            ("sort=note", "sort"),
            ("sort=", "sort"),
            ("sort=--title", "sort"),
            ("limit=0", "limit"),
            ("limit=1001", "limit"),
            ("limit=01", "limit"),
            ("limit=-1", "limit"),
            ("limit=x", "limit"),
            ("total=1", "total"),
            ("total", "total"),
            ("cursor=", "cursor"),
            ("cursor=abc", "cursor"),
            ("cursor=%C3%A4", "cursor"),
            ("cursor=" + "A" * 5000, "cursor"),
        ],
    )
    async def test_what_cannot_be_is_a_bad_request_that_names_it(
        self, served: Served, query: str, name: str
    ) -> None:
        reply = await find(served, query)
        assert (reply.status, reply.problem) == (400, "invalid-query")
        assert name in reply.json["detail"]
        assert len(reply.json["detail"]) < 700

    async def test_bytes_that_are_no_text_are_a_bad_request(self, served: Served) -> None:
        assert (await find(served, "title=%ff")).problem == "invalid-query"

    async def test_a_cursor_fits_its_own_query_alone(self, served: Served) -> None:
        query = "limit=2&author=austen&sort=-title"
        following = (await find(served, query)).json["next"]
        cursor = following.partition("cursor=")[2]
        assert (await served.request("GET", following)).status == 200
        others = [
            "author=austen&sort=title",
            "author=austen",
            "author=austen&sort=-due",
            "author=bront%C3%AB&sort=-title",
            "author.ge=austen&sort=-title",
            "sort=-title",
            "author=austen&sort=-title&search=emma",
            "author=austen&sort=-title&lent=true",
        ]
        for other in others:
            reply = await find(served, f"{other}&cursor={cursor}")
            assert (reply.status, reply.problem) == (400, "invalid-query"), other
            assert reply.json["detail"].startswith("cursor is ")
        elsewhere = await find(served, f"sort=-title&cursor={cursor}", "/library/authors/austen/cards")
        assert elsewhere.problem == "invalid-query"
        changed = base64.urlsafe_b64encode(
            base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).replace(b"b", b"c")
        )
        reply = await find(served, f"{query}&cursor={changed.decode().rstrip('=')}")
        assert reply.problem == "invalid-query"
