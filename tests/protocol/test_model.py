"""Nothing goes wrong while every rule is kept, and something does as soon as one is not."""

from functools import cache

import pytest

from tests.protocol.rules import Rules
from tests.protocol.search import Found, search
from tests.protocol.step import Case
from tests.protocol.world import Bounds

RIVALS = ("A", "A", "B", "?")
"""Two guests want the slot, one of them tries twice with one key; someone looks."""
CANCELLED = ("A", "A", "C")
"""The slot is free again when the retry comes."""

KEPT = [
    (RIVALS, Bounds(crashes=1, handovers=1, unknown=1, lost=1), 18_604),
    (RIVALS, Bounds(silences=1, handovers=1, lost=1), 33_091),
    (RIVALS, Bounds(silences=1, unknown=1, lost=1), 28_936),
    (CANCELLED, Bounds(crashes=1, silences=1, unknown=1), 38_947),
]
"""Operations, how often each failure may come, and how many states that makes."""

ALL_FAILURES = 588_850
"""How many states all failures together make."""

EVERY_STEP = {
    "an append lands late",
    "checks its epoch, and serves on",
    "checks its epoch, and stops deciding",
    "claims",
    "claims again and reads what landed",
    "claims and serves",
    "claims in vain: the epoch has moved",
    "crashes",
    "decides and answers",
    "decides and holds the answer",
    "decides, and the answer is lost",
    "does not hear what became of its append",
    "falls silent (stopped, or cut off)",
    "has a heartbeat confirmed again",
    "hears that it is fenced",
    "hears that it landed, and an answer is lost",
    "hears that it landed, and answers",
    "hears that the shard is claimed, and stops deciding",
    "its append is refused: fenced",
    "its append lands",
    "its lease runs out",
    "looks again, and serves",
    "may not claim again, and reads what landed",
    "says released",
    "sends an append",
    "stops deciding, to leave",
    "the margin passes",
    "wants the shard: all have said they stopped",
    "wants the shard: its owner is silent",
    "wants the shard: its owner released it or died",
}
"""Not among them: the refusal by the (shard, seq) key, which must have nothing to refuse."""


@cache
def explored(commands: tuple[str, ...], bounds: Bounds) -> Found:
    return search(Case(commands, Rules(), bounds))


def without(*rules: str, **bounds: int) -> Found:
    return search(Case(RIVALS, Rules(**dict.fromkeys(rules, False)), Bounds(**bounds)))


@pytest.mark.parametrize(("commands", "bounds", "states"), KEPT)
def test_with_every_rule_kept_no_state_has_a_fault(
    commands: tuple[str, ...], bounds: Bounds, states: int
) -> None:
    found = explored(commands, bounds)
    assert not found.fault, found.told()
    assert found.states == states, "another model than the one that was looked through before"


def test_every_kind_of_step_is_taken() -> None:
    taken = {step for commands, bounds, _ in KEPT for step in explored(commands, bounds).steps}
    assert taken == EVERY_STEP


@pytest.mark.chaos
def test_with_every_rule_kept_all_failures_together_do_no_harm() -> None:
    found = search(Case(RIVALS, Rules(), Bounds(1, 1, 1, 1, 1)))
    assert not found.fault, found.told()
    assert found.states == ALL_FAILURES


@pytest.mark.parametrize(
    ("rule", "bounds", "broken"),
    [
        ("lease_before_deciding", {"silences": 1}, "I3"),
        ("check_epoch_after_silence", {"silences": 1}, "I3"),
        ("hold_acceptances", {}, "I1"),
        ("hold_rejections", {}, "I3"),
        ("hold_reads", {}, "I6"),
        ("known_key_from_journal", {}, "I3"),
        ("wait_for_the_silent", {"silences": 1}, "I3"),
        ("look_after_claiming", {"silences": 1}, "I3"),
        ("claim_only_what_was_seen", {"crashes": 1}, "I3"),
        ("epoch_in_append", {"unknown": 1}, "I5"),
        ("stop_before_release", {"handovers": 1}, "I3"),
    ],
)
def test_without_the_rule_a_fault_is_found(rule: str, bounds: dict[str, int], broken: str) -> None:
    found = without(rule, **bounds)
    assert found.invariant == broken, found.told()
    assert not without(**bounds).fault, "it is the missing rule that does it"


def test_a_remembered_rejection_that_outweighs_the_journal_is_a_fault() -> None:
    commands, bounds = ("A", "A", "A", "B", "C"), Bounds(handovers=2)
    found = search(Case(commands, Rules(journal_before_memory=False), bounds))
    assert found.invariant == "I3", found.told()
    assert "A is told rejected" in found.fault
    assert not explored(commands, bounds).fault


def test_an_owner_that_claims_again_over_another_serves_beside_it() -> None:
    found = without("claim_only_what_was_seen", silences=1, unknown=1)
    assert found.invariant == "I3", found.told()
    assert "claims again and reads what landed" in [step.what for step in found.trace]


def test_claiming_again_is_backed_up_by_the_sequence_key() -> None:
    unclaimed = without("claim_again", unknown=1)
    assert not unclaimed.fault, unclaimed.told()
    assert unclaimed.steps["its append is refused: the key is there"]
    assert not without("sequence_key", unknown=1).fault
    found = without("claim_again", "sequence_key", unknown=1)
    assert found.invariant == "I2", found.told()


def test_committing_before_the_release_is_backed_up_by_the_epoch() -> None:
    assert not without("commit_before_release", handovers=1).fault
    assert not without("epoch_in_append", handovers=1).fault
    found = without("commit_before_release", "epoch_in_append", handovers=1)
    assert found.invariant == "I5", found.told()


def test_a_fault_is_told_step_by_step() -> None:
    assert without("hold_rejections").told().splitlines() == [
        "I3: B is told rejected, and no order explains all answers and the journal ()",
        "   1. worker 1: decides and holds the answer: A: accepted 1",
        "   2. worker 1: decides and answers: B: rejected",
    ]
