"""Clients leave a gateway alone that did not answer, and what a run was like for them is measured."""

import random

from contexts.booking.commands import Cancel
from tests.chaos.cluster.figures import Episode, Figures, episodes, figures
from tests.chaos.gateways import AVOIDED, Gateways
from tests.chaos.history import Answer, History

DONE = Answer(200, b"{}")
REFUSED = Answer(503, b"{}")


def chosen(gateways: Gateways) -> set[str]:
    rng = random.Random(1)
    return {gateways.choose(rng) for _ in range(50)}


async def test_a_gateway_that_did_not_answer_is_avoided_for_a_while() -> None:
    now = 0.0
    gateways = Gateways(lambda: ["a", "b"], lambda: now, 1.0)
    assert chosen(gateways) == {"a", "b"}
    gateways.unanswered("a")
    assert chosen(gateways) == {"b"}
    gateways.unanswered("b")
    assert chosen(gateways) == {"a", "b"}, "one must be asked, if none answers"
    now = AVOIDED
    assert chosen(gateways) == {"a", "b"}


def test_silence_and_waits_are_told_for_the_mishap_in_which_they_ended() -> None:
    now = 0.0
    history = History(lambda: now, lambda: 0.0)
    for key, sent, answered, answer in (
        (b"1", 1.0, 2.0, REFUSED),
        (b"1", 3.0, 6.0, DONE),
        (b"2", 7.0, 7.5, DONE),
        (b"3", 8.0, None, None),
    ):
        now = sent
        number = history.invoke("ada", "maple", Cancel("r"), "/maple", command_id=key)
        if answered is not None and answer is not None:
            now = answered
            history.answer(number, answer)
    found = episodes([("one", 0.0), ("two", 6.5)], 10.0)
    assert found == [Episode("one", 0.0, 6.5), Episode("two", 6.5, 10.0)]
    assert figures(history, found) == [Figures("one", 6.0, 5.0), Figures("two", 2.5, 0.5)]
