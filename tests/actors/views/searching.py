"""What stores promise of search: every word is within one of the fields, whatever its case and width."""

import pytest

from actors.views.conditions import Compare
from actors.views.port import ViewStore, Wanted
from tests.actors.views import plain
from tests.actors.views.documents import Card, Remove, put, work
from tests.actors.views.opening import Opening, keys, page

SAMPLE = {
    "1": Card("ada", 1, title="The Green Room", text="quiet, for four"),
    "2": Card("bob", 2, title="緑の間", text="静かな部屋、会議室です"),
    "3": Card("ada", 3, title="GROSSE STRASSE", text="groß und laut"),
    "4": Card("bob", 4, title="カラオケ", text="ｶﾗｵｹ room ＡＢＣ１２３"),
    "5": Card("ada", 5, title='say "yes"', text="100% _sure_ \\ it's AND OR NOT (near*) a:b ^c"),
    "6": Card("bob", 6, title="İstanbul ΣΊΣΥΦΟΣ", text="cafe\u0301 Ⅻ ﬁne"),
    "7": Card("ada", 7, title="", text=""),
    "8": Card("bob", 8, title="ab", text="c\x00d \U0001f600\U0001f601\U0001f602"),
}
SEARCHES = [
    *("green", "GREEN", "gre", "re", "r", "green room", "room green", "green quiet", "green four bob"),
    *("緑", "部屋", "会議", "会議室", "議室で", "静か 会議", "緑の間 部屋", "の間で"),
    *("strasse", "straße", "STRASSE", "gross", "groß", "ss"),
    *("カラオケ", "ｶﾗｵｹ", "カラ", "abc123", "ABC", "１２"),
    *(
        '"yes"',
        '"',
        "100%",
        "%",
        "_",
        "_sure_",
        "\\",
        "it's",
        "AND",
        "OR",
        "NOT",
        "near*",
        "a:b",
        "^c",
        "(near*)",
    ),
    *("istanbul", "i̇stanbul", "σίσυφος", "ΣΊΣ", "café", "cafe\u0301", "CAFÉ", "xii", "fine", "ﬁ"),
    *(
        "ab",
        "ab c",
        "c d",
        "\U0001f600\U0001f601\U0001f602",
        "\U0001f601",
        "c\x00d",
        "",
        "  ",
        "\u3000",
        "zzz",
    ),
    *("green\u3000room", "é", "-", "- room", "*", "room*", "o" * 400),
]


class Searching(Opening):
    """Part of the suite."""

    @pytest.fixture
    async def texts(self, store: ViewStore) -> ViewStore:
        """The sample, and what was there and is not any more."""
        gone = put("0", Card("ada", title="The Green Room", text="部屋"))
        puts = [put(key, card) for key, card in SAMPLE.items()]
        await store.project([work(gone, *puts, Remove(["0"]))])
        return store

    @pytest.mark.parametrize("search", SEARCHES)
    async def test_it_finds_what_has_every_word(self, texts: ViewStore, search: str) -> None:
        for fields in (("title", "text"), ("title",), ("text",), ("text", "title")):
            await plain.check(texts, SAMPLE, Wanted("cards", search=search, fields=fields))

    async def test_some_words_are_found_for_certain(self, texts: ViewStore) -> None:
        both = ("title", "text")
        assert await keys(texts, search="GREEN quiet", fields=both) == ["1"]
        assert await keys(texts, search="GREEN quiet", fields=("title",)) == []
        assert await keys(texts, search="部屋", fields=both) == ["2"]
        assert await keys(texts, search="会議室", fields=both) == ["2"]
        assert await keys(texts, search="straße", fields=both) == ["3"]
        assert await keys(texts, search="カラオケ", fields=("text",)) == ["4"]

    async def test_search_goes_with_conditions_sort_and_pages(self, texts: ViewStore) -> None:
        wanted = Wanted(
            "cards",
            search="o",
            fields=("title", "text"),
            where=Compare("name", "==", "ada"),
            sort="size",
            descending=True,
        )
        await plain.check(texts, SAMPLE, wanted)
        assert await keys(texts, search="room", fields=("title", "text"), sort="size", after=(1, "1")) == [
            "4"
        ]
        found = await page(texts, search="room", fields=("title", "text"), total=True, limit=1)
        assert ([one.key for one in found.found], found.more, found.total) == (["1"], True, 2)

    async def test_hundreds_of_words_are_searched_for(self, texts: ViewStore) -> None:
        both = ("title", "text")
        assert await keys(texts, search="green room " * 300, fields=both) == ["1"]
        many = " ".join(f"nowhere{number}" for number in range(500))
        assert await keys(texts, search=f"green {many}", fields=both) == []

    async def test_without_fields_no_word_is_found(self, texts: ViewStore) -> None:
        assert await keys(texts, search="green", fields=()) == []

    async def test_changed_texts_are_found_as_they_are(self, texts: ViewStore) -> None:
        await texts.project(
            [work(put("1", Card(title="red ruby")), Remove(["2"]), put("0", Card(title="緑色の")), shard=1)]
        )
        both = ("title", "text")
        assert await keys(texts, search="green", fields=both) == []
        assert await keys(texts, search="ruby", fields=both) == ["1"]
        assert await keys(texts, search="会議室", fields=both) == []
        assert await keys(texts, search="緑", fields=both) == ["0"]
        assert await keys(texts, search="緑色の", fields=both) == ["0"]

    async def test_no_tombstone_is_found_by_words(self, texts: ViewStore) -> None:
        for search in ("green", "ee"):
            assert await keys(texts, search=search, fields=("title", "text"), tombstones=True) == ["1"]
