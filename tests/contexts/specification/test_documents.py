"""The author's specification of a view finds what a cluster would trip over."""

from datetime import UTC, datetime
from typing import Any

import pytest

from contexts.specification import asked, folded, happened
from contexts.vocabulary import (
    Aggregate,
    Event,
    Inquiry,
    Is,
    Many,
    Moment,
    One,
    Origin,
    Principal,
    Query,
    Value,
    View,
)


class Said(Event, frozen=True):
    word: str


class Passed(Event, frozen=True):
    pass


class Words(Value, frozen=True):
    words: list[str] = []  # noqa: RUF012
    count: int = 0
    last: Moment | None = None


def key(event: Said | Passed, origin: Origin) -> str:
    return "all"


def in_order(words: Words, event: Said) -> Words:
    return Words([*words.words, event.word])


def counted(words: Words, event: Said) -> Words:
    return Words(count=words.count + 1)


def in_place(words: Words, event: Said) -> Words:
    words.words.append(event.word)
    return words


def when(words: Words, event: Said, origin: Origin) -> Words:
    return Words(count=origin.version, last=origin.at)


speaker: Aggregate[Any] = Aggregate("speaker", None, lambda state, command: [], lambda state, event: state)


def view(fold: Any, of: Any = key) -> View[Words]:
    return View("words", Words(), of, fold, indexes=("count", "last"))


def test_documents_are_told_by_their_keys() -> None:
    folded(view(in_order), happened(speaker, "a", Said("x")), happened(speaker, "a", Said("y"))).then(
        {"all": Words(["x", "y"])}
    )


def test_events_that_fold_does_not_take_are_passed_over() -> None:
    folded(view(in_order), happened(speaker, "a", Passed())).then({})


def test_versions_count_by_entity_and_instants_by_the_second() -> None:
    second = datetime(2027, 1, 1, 12, 0, 1, tzinfo=UTC)
    past = [happened(speaker, "a", Said("x")), happened(speaker, "a", Said("y"))]
    folded(view(when), *past).then({"all": Words(count=2, last=second)})


def test_a_story_that_ends_otherwise_is_told() -> None:
    story = folded(view(in_order), happened(speaker, "a", Said("x")))
    with pytest.raises(
        AssertionError, match=r"(?s)happened.*a: Said.*folded.*words=\['x'\].*expected.*nothing"
    ):
        story.then({})


def test_a_fold_that_depends_on_the_order_of_entities_is_found() -> None:
    past = [happened(speaker, "a", Said("x")), happened(speaker, "b", Said("y"))]
    with pytest.raises(AssertionError, match="the order of events of several entities matters"):
        folded(view(in_order), *past)
    folded(view(counted), *past).then({"all": Words(count=2)})


def test_the_order_within_an_entity_is_kept() -> None:
    def by_speaker(event: Said, origin: Origin) -> str:
        return origin.id

    past = [happened(speaker, id, Said(word)) for word in ("x", "y") for id in ("a", "b")]
    folded(view(in_order, by_speaker), *past).then({"a": Words(["x", "y"]), "b": Words(["x", "y"])})


def test_a_fold_that_changes_what_it_is_given_is_found() -> None:
    with pytest.raises(AssertionError, match="changed the document it was given"):
        folded(view(in_place), happened(speaker, "a", Said("x")))


@pytest.mark.parametrize("wrong", [3, (), "", ("a", 3)])
def test_a_key_that_is_none_is_found(wrong: Any) -> None:
    with pytest.raises(AssertionError, match="a key is text or a tuple of texts"):
        folded(view(in_order, lambda event, origin: wrong), happened(speaker, "a", Said("x")))


# Questions


class HowMany(Query, frozen=True):
    least: int


def reads(query: HowMany) -> tuple[One[Words], Many[Words]]:
    return One(COUNTED, "all"), Many(COUNTED, Is("count", ">=", query.least), sort="-count", limit=2)


def answer(query: HowMany, one: Words | None, many: list[Words], by: Principal) -> list[object]:
    return [one, [words.count for words in many], by.subject]


def each(event: Said, origin: Origin) -> list[str]:
    return [event.word, "all"]


COUNTED = View("counted", Words(), each, counted, indexes=("count",))
INQUIRY = Inquiry(reads, answer)


def test_a_question_is_answered_from_documents() -> None:
    documents = folded(COUNTED, *(happened(speaker, "a", Said(word)) for word in ("x", "y", "x")))
    found = asked(INQUIRY, HowMany(2), documents, by=Principal("ada"))
    found.then([Words(count=3), [3, 2], "ada"])
    with pytest.raises(AssertionError, match=r"(?s)asked.*HowMany.*expected.*answered"):
        found.then([])


def test_a_view_that_is_not_given_has_no_documents() -> None:
    asked(INQUIRY, HowMany(1)).then([None, [], "anonymous"])


def test_more_documents_than_may_be_read_are_refused() -> None:
    documents = folded(COUNTED, *(happened(speaker, "a", Said(word)) for word in "xyz"))
    with pytest.raises(AssertionError, match=r"4 documents .* are too many"):
        asked(INQUIRY, HowMany(1), documents)


def test_what_is_not_indexed_cannot_be_asked_for() -> None:
    inquiry = Inquiry(lambda query: (Many(COUNTED, Is("words", "==", "x")),), lambda query, found: found)
    with pytest.raises(AssertionError, match="no index of words"):
        asked(inquiry, HowMany(1))
