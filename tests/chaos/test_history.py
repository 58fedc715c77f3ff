"""The recorder, and what is read from it about kills."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contexts.booking.commands import Cancel
from tests.chaos.history import Answer, History, Operation, Read
from tests.chaos.kills import moments, outage, recovery
from tests.chaos.scene import ORIGIN

DONE = Answer(200, b"{}")
REFUSED = Answer(503, b"{}")


class Clock:
    """Time as the test says it is."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def history(clock: Clock) -> History:
    return History(clock, lambda: ORIGIN.timestamp())


def test_what_is_never_answered_stays_without_an_answer(clock: Clock, history: History) -> None:
    clock.now = 1.0
    lost = history.invoke("ada", "maple", Read(), "/maple")
    clock.now = 2.0
    heard: list[Operation] = []
    history.heard = heard.append
    told = history.invoke("bob", "maple", Cancel("r1"), "/maple/r1", command_id=b"k" * 16, expected=4)
    clock.now = 3.0
    answered = history.answer(told, DONE)
    assert [operation.number for operation in history.operations] == [lost, told]
    assert history.operations == (Operation(0, "ada", "maple", Read(), "/maple", 1.0), answered)
    assert (answered.invoked, answered.completed, answered.answer) == (2.0, 3.0, DONE)
    assert history.operations[lost].done == float("inf")
    assert heard == [answered]
    assert history.origin == ORIGIN


def test_operations_are_found_by_when_they_were_invoked(clock: Clock, history: History) -> None:
    for clock.now in (1.0, 2.0, 3.0):
        history.invoke("ada", "maple", Read(), "/maple")
    assert [operation.number for operation in history.since(2.0)] == [1, 2]
    assert not history.since(3.1)


def test_recovery_is_the_first_acceptance_of_what_was_sent_after_a_kill(
    clock: Clock, history: History
) -> None:
    for sent, answered, answer in ((1, 6, DONE), (5, 7, REFUSED), (5, 9, DONE), (6, 8, DONE)):
        clock.now = float(sent)
        number = history.invoke("ada", "maple", Read(), "/maple")
        clock.now = float(answered)
        if answered == 6:
            assert recovery(history, 5.0) is None
        history.answer(number, answer)
    assert recovery(history, 5.0) == 3.0


def test_an_outage_is_the_longest_time_without_an_acceptance(clock: Clock, history: History) -> None:
    for answered, answer in ((4, DONE), (6, DONE), (7, REFUSED), (9, DONE), (10, DONE)):
        clock.now = float(answered)
        history.answer(history.invoke("ada", "maple", Read(), "/maple"), answer)
    assert outage(history, 5.0, 10.0) == 3.0
    assert outage(history, 5.0, 20.0) == 10.0


@given(st.integers(), st.integers(100, 10_000), st.integers(1, 9))
def test_kills_come_in_order_while_there_is_load(seed: int, commands: int, kills: int) -> None:
    at = moments(seed, commands, kills)
    assert at == sorted(at)
    assert len(at) == kills
    assert at[0] >= 1
    assert at[-1] <= commands * 0.9 + 1
    assert at == moments(seed, commands, kills)
