"""What contains a text has all its grams."""

from hypothesis import given
from hypothesis import strategies as st

from actors.views.postgres.grams import grams

texts = st.text(st.characters(exclude_categories=["Cs"]))


@given(texts, texts, texts)
def test_whatever_stands_around_it(before: str, text: str, after: str) -> None:
    assert set(grams([text])) <= set(grams([before + text + after]))


def test_they_are_pairs_of_neighbours_and_single_characters_beyond_ascii() -> None:
    assert grams(["a"]) == []
    assert grams(["ab"]) == [0x61 << 21 | 0x62]
    assert sorted(grams(["a駅"])) == [0x99C5, 0x61 << 21 | 0x99C5]
    highest = 0x10FFFF
    assert sorted(grams([2 * chr(highest)])) == [highest, highest << 21 | highest]


def test_two_texts_make_no_pair() -> None:
    assert grams(["a", "b"]) == []
