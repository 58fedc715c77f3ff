"""Given, when, then hold an author to their word, and to what a cluster relies on."""

import pytest

from contexts.specification import given
from contexts.vocabulary import Aggregate, Call, Command, Event, Principal, Rejection, State


class Add(Command):
    amount: int


class Added(Event):
    amount: int
    by: str


class TooMuch(Rejection):
    """No more than ten."""


class Total(State):
    total: int = 0


def evolve(total: Total, event: Added) -> Total:
    total.total += event.amount
    return total


def decide(total: Total, command: Add, call: Call) -> list[Added] | TooMuch:
    if total.total + command.amount > 10:
        return TooMuch()
    return [Added(command.amount, call.by.subject)] if command.amount else []


def meddle(total: Total, command: Add) -> list[Added]:
    total.total += command.amount
    return []


class Secretive(State):
    total: object = 0


def hide(total: Secretive, event: Added) -> Secretive:
    total.total = (event.amount,)
    return total


counter = Aggregate("counter", Total(), decide, evolve)


def test_a_story_goes_on_from_what_happened() -> None:
    ada = Principal("ada")
    story = given(counter, Added(3, "bob")).when(Add(4), by=ada).then(Added(4, "ada"))
    assert story.state == Total(7)
    story.when(Add(4)).then(TooMuch()).when(Add(0)).then_nothing().when(Add(3)).then(Added(3, "anonymous"))


def test_the_aggregates_initial_state_is_left_alone() -> None:
    given(counter, Added(3, "bob"))
    assert counter.initial == Total(0)


def test_a_failing_expectation_tells_the_whole_story() -> None:
    with pytest.raises(AssertionError) as failure:
        given(counter, Added(3, "bob")).when(Add(9)).then(Added(9, "anonymous"))
    assert str(failure.value).splitlines() == [
        "",
        "given",
        "    Added(amount=3, by='bob')",
        "when",
        "    Add(amount=9)",
        "expected",
        "    Added(amount=9, by='anonymous')",
        "actual",
        "    TooMuch()",
    ]


def test_nothing_is_not_something() -> None:
    with pytest.raises(AssertionError, match=r"expected\n    Added.*\nactual\n    nothing"):
        given(counter).when(Add(0)).then(Added(0, "anonymous"))
    with pytest.raises(AssertionError, match=r"expected\n    nothing\nactual\n    TooMuch"):
        given(counter).when(Add(11)).then_nothing()
    with pytest.raises(AssertionError, match="then_nothing"):
        given(counter).when(Add(0)).then()


def test_more_or_fewer_events_than_expected_fail() -> None:
    with pytest.raises(AssertionError):
        given(counter).when(Add(1)).then(Added(1, "anonymous"), Added(1, "anonymous"))


def test_deciding_must_not_change_the_state() -> None:
    with pytest.raises(AssertionError, match="changed the state"):
        given(Aggregate("meddler", Total(), meddle, evolve)).when(Add(1))


def test_a_state_must_survive_being_stored() -> None:
    with pytest.raises(AssertionError, match="does not survive being stored"):
        given(Aggregate("secretive", Secretive(), decide, hide), Added(1, "ada"))
