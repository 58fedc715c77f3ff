"""Given, when, then: how the author of a context says what it does, without a cluster and any test framework.

    given(aggregate, Opened(16, "Asia/Tokyo", "00:00", "24:00")).when(LUNCH).then(Reserved(...))
    folded(diary.view, happened(aggregate, "maple", Reserved(...))).then({("maple", "r1"): Entry(...)})
    asked(availability.inquiry, Availability("maple", NOON, EVENING), folded(...)).then(FreeSlots(...))

What fails is an AssertionError that tells the story."""

from contexts.specification.answers import Asked, asked
from contexts.specification.decisions import NOW, Given, When, given, stored
from contexts.specification.documents import Folded, Happened, folded, happened

__all__ = [
    "NOW",
    "Asked",
    "Folded",
    "Given",
    "Happened",
    "When",
    "asked",
    "folded",
    "given",
    "happened",
    "stored",
]
