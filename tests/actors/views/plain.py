"""Finding in plain Python, over cards: what the stores' answers are compared with."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from unicodedata import normalize

from actors.views.conditions import All, Compare, Condition, Either, Stored
from actors.views.port import ViewStore, Wanted
from tests.actors.views.documents import Card

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def column(card: Card, name: str) -> Stored:
    """A field as columns hold it."""
    value: Any = getattr(card, name)
    if name in ("at", "due"):
        if value is None:
            return None
        passed = value - _EPOCH
        return int((passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds)
    if name in ("day", "until"):
        return None if value is None else str(value.isoformat())
    if name in ("open", "checked"):
        return None if value is None else int(value)
    return value  # type: ignore[no-any-return]


def met(condition: Condition, card: Card) -> bool:
    """As Python compares, but that nothing is more or less than a missing value."""
    match condition:
        case All(of):
            return all(met(one, card) for one in of)
        case Either(of):
            return any(met(one, card) for one in of)
        case Compare(name, operator, value):
            mine: Any = column(card, name)
            other: Any = value
            if operator == "==":
                return bool(mine == other)
            if operator == "!=":
                return bool(mine != other)
            if mine is None or other is None:
                return False
            return {
                "<": lambda: bool(mine < other),
                "<=": lambda: bool(mine <= other),
                ">": lambda: bool(mine > other),
                ">=": lambda: bool(mine >= other),
            }[operator]()


def folded(text: str) -> str:
    """Text without what search takes no account of."""
    return normalize("NFKC", normalize("NFKC", text).casefold())


def found(cards: Mapping[str, Card], wanted: Wanted) -> list[str]:
    """The keys of all that is wanted, in order, whatever ``after``, ``limit`` and ``tombstones`` say."""

    def holds(key: str, card: Card) -> bool:
        texts = [folded(getattr(card, field).replace("\x00", " ")) for field in wanted.fields]
        return (
            (wanted.keys is None or key in wanted.keys)
            and met(wanted.where, card)
            and all(any(folded(word) in text for text in texts) for word in wanted.search.split())
        )

    def order(key: str) -> tuple[bool, Any, str]:
        value = None if wanted.sort is None else column(cards[key], wanted.sort)
        return value is not None, "" if value is None else value, key

    chosen = [key for key, card in cards.items() if holds(key, card)]
    values = {order(key)[0] for key in chosen}
    if values <= {True} or values <= {False}:
        return sorted(chosen, key=order, reverse=wanted.descending)
    missing = sorted((key for key in chosen if not order(key)[0]), reverse=wanted.descending)
    present = sorted((key for key in chosen if order(key)[0]), key=order, reverse=wanted.descending)
    return present + missing if wanted.descending else missing + present


async def check(store: ViewStore, cards: Mapping[str, Card], wanted: Wanted) -> None:
    """The store finds exactly the same."""
    [page] = (await store.read([wanted])).pages
    assert [one.key for one in page.found] == found(cards, wanted), wanted
