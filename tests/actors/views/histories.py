"""Random histories of the boxes, and what folding them plainly gives."""

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import msgspec

from contexts.vocabulary import Event
from tests.actors.views.documents import Card, Count, Pass, Put, Remove, encoded

_NAMES = ("ada", "Ada", "bob", "", "部屋", "ß", "\U0001f600")
_TEXTS = ("green room", "緑の間 会議室", "GROSSE Straße", "ｶﾗｵｹ", "", "a%b_c", "room room")
_DAY = date(2026, 10, 25)
_NOON = datetime(2026, 10, 25, 12, tzinfo=UTC)


def history(seed: int, shard: int, events: int, keys: int = 40) -> list[Event]:
    """The events of one shard; shards share documents, in which no order between them shows."""
    rnd = random.Random(f"{seed}/{shard}")
    made: list[Event] = []
    for _ in range(events):
        own = [f"s{shard}/{rnd.randrange(keys)}" for _ in range(rnd.choice((1, 1, 1, 2, 3)))]
        match rnd.randrange(8):
            case 0 | 1 | 2 | 3:
                made.append(Put(own, card(rnd)))
            case 4 | 5:
                made.append(Count([*own, f"shared{rnd.randrange(5)}"]))
            case 6:
                made.append(Remove(own))
            case _:
                made.append(Pass())
    return made


def card(rnd: random.Random) -> Card:
    """Few different values in each field, so that ties are frequent, and missing ones."""
    maybe = rnd.random() < 0.6
    return Card(
        rnd.choice(_NAMES),
        rnd.choice((0, 1, -1, 2**62, 7)),
        rnd.choice((0.1, -0.0, 0.0, 1e300, 1 / 3)),
        rnd.random() < 0.5,
        _DAY + timedelta(rnd.randrange(-2, 3)),
        _NOON + timedelta(microseconds=rnd.randrange(4)),
        rnd.choice(_NAMES) if maybe else None,
        rnd.randrange(-1, 3) if rnd.random() < 0.6 else None,
        rnd.choice((0.1 + 0.2, -5e-324, 2.0)) if maybe else None,
        maybe if rnd.random() < 0.5 else None,
        _DAY if maybe else None,
        _NOON if rnd.random() < 0.5 else None,
        rnd.choice(_TEXTS),
        rnd.choice(_TEXTS),
    )


def replayed(histories: Sequence[Sequence[Event]]) -> dict[str, Card | None]:
    """The documents after all of it, and what is gone as None; keys as they are stored."""
    cards: dict[str, Card | None] = {}
    for event in (event for events in histories for event in events):
        for key in dict.fromkeys(getattr(event, "keys", ())):
            stored = key.replace("/", "%2F")
            before = cards.get(stored) or Card()
            match event:
                case Put(_, put):
                    cards[stored] = msgspec.structs.replace(put, folds=before.folds + 1)
                case Count():
                    cards[stored] = msgspec.structs.replace(before, folds=before.folds + 1)
                case Remove() if stored in cards:
                    cards[stored] = None
    return cards


def stored(cards: dict[str, Card | None]) -> dict[str, bytes | None]:
    """As a store keeps them."""
    return {key: None if card is None else encoded(card) for key, card in cards.items()}
