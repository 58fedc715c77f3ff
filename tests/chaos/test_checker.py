"""The checker finds every kind of fault, and nothing in a history without one."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contexts.booking.commands import Cancel, Confirm, Hold, Reschedule
from tests.chaos.checker import Evidence, check, report, smallest
from tests.chaos.faults import Fault, Kind, describe
from tests.chaos.history import Read
from tests.chaos.scene import OPENING, ORIGIN, Scene, reserve


@pytest.fixture
def scene() -> Scene:
    """Two spaces are open; maple is reserved as r1."""
    scene = Scene()
    scene.tell("maple", OPENING, 0, 1)
    scene.tell("cedar", OPENING, 0, 1)
    scene.tell("maple", reserve("r1", 10), 2, 3, key="first")
    return scene


def kinds(scene: Scene) -> set[Kind]:
    return {fault.kind for fault in check(scene.evidence())}


def only(scene: Scene, kind: Kind) -> Fault:
    """The one fault, as small as it can be."""
    faults = check(scene.evidence())
    assert [fault.kind for fault in faults] == [kind], [describe(fault) for fault in faults]
    assert kind.name in report(scene.evidence(), faults)
    return smallest(scene.evidence(), faults[0])


def numbers(fault: Fault) -> Sequence[int]:
    return [operation.number for operation in fault.operations]


def test_a_history_of_every_kind_of_answer_is_without_fault(scene: Scene) -> None:
    hold = reserve("h1", 20)
    expires = ORIGIN + timedelta(seconds=30)
    scene.tell("maple", reserve("r2", 10), 4, 5)
    scene.tell("maple", reserve("r1", 10), 4, 5, key="first")
    scene.tell("maple", Read(), 6, 7)
    scene.tell("maple", Read("r1"), 6, 7)
    scene.tell("maple", Read("r9"), 6, 7)
    scene.tell("birch", Read(), 6, 7)
    scene.tell("maple", Hold("h1", "h1", 2, hold.start, hold.end, expires), 8, 9)
    scene.tell("maple", Confirm("r1"), 10, 11)
    scene.tell("maple", Cancel("r1"), 12, 13, expected=7)
    scene.tell("maple", Cancel("r1"), 12, 13, expected=3)
    scene.tell("maple", Reschedule("h1", hold.end, hold.end + timedelta(hours=1)), 14)
    scene.tell("maple", Confirm("h1"), 31, 32)
    scene.tell("maple", Cancel("h1"), 33, 34)
    scene.refuse("maple", reserve("r3", 3), 35, 36, key="late")
    scene.tell("maple", reserve("r3", 3), 37, 38, key="late")
    assert {o.answer.status for o in scene.operations if o.answer} == {200, 201, 404, 409, 412, 503}
    assert check(scene.evidence()) == []


def test_an_acknowledged_command_that_is_not_in_the_journal_is_found(scene: Scene) -> None:
    scene.tell("maple", reserve("r2", 12), 4, 5)
    del scene.rows[-1]
    assert numbers(only(scene, Kind.LOST)) == [3]


def test_a_command_that_took_effect_twice_is_found(scene: Scene) -> None:
    scene.tell("maple", Cancel("r1"), 4, 5, key="cancel")
    scene.tell("maple", reserve("r1", 10), 6, 7, key="other")
    scene.rows[-1] = scene.rows[-1]._replace(command_id=b"first".ljust(16))
    assert Kind.TWICE in kinds(scene)


def test_a_command_that_took_effect_on_another_entity_is_found(scene: Scene) -> None:
    scene.tell("cedar", reserve("r1", 10), 4, 5, key="second")
    scene.rows[-1] = scene.rows[-1]._replace(command_id=b"first".ljust(16))
    assert {Kind.TWICE, Kind.CROSS_TALK} <= kinds(scene)


def test_events_that_nobody_asked_for_are_found(scene: Scene) -> None:
    scene.tell("maple", reserve("r2", 12), 4, 5)
    del scene.operations[-1]
    assert only(scene, Kind.UNASKED).rows == (scene.rows[-1],)


@pytest.mark.parametrize("change", [{"version": 4}, {"seq": 9}])
def test_a_gap_in_versions_or_sequences_is_found(scene: Scene, change: dict[str, Any]) -> None:
    scene.rows[-1] = scene.rows[-1]._replace(**change)
    assert Kind.GAP in kinds(scene)


def test_an_entity_in_two_shards_is_found(scene: Scene) -> None:
    scene.rows[-1] = scene.rows[-1]._replace(shard=77, seq=1)
    assert Kind.GAP in kinds(scene)


def test_an_effect_of_a_command_that_was_always_refused_is_found(scene: Scene) -> None:
    refused = scene.tell("maple", reserve("r2", 12), 4, 5)
    scene.spoil(refused, status=503, body=b"{}")
    assert only(scene, Kind.DONE_THOUGH_REFUSED).rows == (scene.rows[-1],)


def test_a_retry_that_is_decided_anew_is_found(scene: Scene) -> None:
    rejected = scene.tell("maple", reserve("r1", 10), 6, 7, key="another")
    scene.spoil(rejected, command_id=b"first".ljust(16))
    assert numbers(only(scene, Kind.DECIDED_AGAIN))[-1] == 3


def test_retries_with_different_answers_are_found(scene: Scene) -> None:
    retry = scene.tell("maple", reserve("r1", 10), 6, 7, key="first")
    assert retry.answer is not None
    scene.spoil(retry, body=retry.answer.body + b" ")
    assert numbers(only(scene, Kind.ANSWERS_DIFFER)) == [2, 3]


@pytest.mark.parametrize(
    ("old", "new"),
    [(b'"guests":2', b'"guests":3'), (b":2}", b":3}"), (b'"Reserved"', b'"Held"'), (b"/1:", b"/2:")],
)
def test_an_acceptance_that_misquotes_the_journal_is_found(scene: Scene, old: bytes, new: bytes) -> None:
    accepted = scene.operations[-1]
    assert accepted.answer is not None
    body = accepted.answer.body.replace(old, new).replace(b"/0:", b"/9:")
    if body == accepted.answer.body:
        body = body.replace(b'"position":"booking/', b'"position":"booking/9')
    scene.spoil(accepted, body=body)
    assert only(scene, Kind.MISQUOTED).operations[0].number == 2


def test_events_that_the_domain_would_not_have_decided_are_found(scene: Scene) -> None:
    scene.tell("maple", reserve("r2", 12), 4, 5)
    wrong = scene.operations[-1]
    scene.spoil(wrong, request=reserve("r2", 10))
    assert numbers(only(scene, Kind.WRONG_DECISION)) == [3]


def test_what_follows_a_wrong_decision_is_not_judged(scene: Scene) -> None:
    wrong = scene.tell("maple", reserve("r2", 12), 4, 5)
    scene.tell("maple", reserve("r3", 12), 6, 7)
    scene.tell("maple", Read(), 6, 7)
    scene.spoil(wrong, request=reserve("r2", 10))
    assert numbers(only(scene, Kind.WRONG_DECISION)) == [wrong.number]


@pytest.mark.parametrize("change", [{"type": "Rebuilt"}, {"data": b"\x81"}])
def test_events_that_the_domain_cannot_read_are_found(scene: Scene, change: dict[str, Any]) -> None:
    scene.tell("maple", reserve("r2", 12), 4)
    scene.rows[-1] = scene.rows[-1]._replace(**change)
    assert numbers(only(scene, Kind.WRONG_DECISION)) == [3]


def test_an_effect_on_another_version_than_was_expected_is_found(scene: Scene) -> None:
    accepted = scene.tell("maple", reserve("r2", 12), 4, 5, expected=2)
    scene.spoil(accepted, expected=1)
    assert numbers(only(scene, Kind.WRONG_DECISION)) == [3]


def test_a_state_that_the_journal_does_not_tell_is_found(scene: Scene) -> None:
    shown = scene.tell("maple", Read(), 4, 5)
    assert shown.answer is not None
    scene.spoil(shown, body=shown.answer.body.replace(b'"guests":2', b'"guests":1'))
    assert numbers(only(scene, Kind.WRONG_STATE)) == [3]


def test_a_stale_read_is_found_with_the_command_that_makes_it_stale(scene: Scene) -> None:
    old = scene.tell("maple", Read(), 4, 5)
    for hour in range(20, 40):
        scene.tell("maple", reserve(f"n{hour}", hour), hour, hour + 0.5)
    scene.tell("maple", Cancel("r1"), 50, 51)
    scene.spoil(old, invoked=38.7, completed=38.8)
    fault = only(scene, Kind.STALE)
    assert len(fault.operations) == 2
    assert old.number in numbers(fault)


def test_two_reads_that_go_back_in_time_are_found(scene: Scene) -> None:
    pending = scene.tell("maple", reserve("r2", 12), 4)
    fresh = scene.tell("maple", Read(), 5, 6)
    old = scene.tell("maple", Read(), 5, 6)
    first = scene.operations[2].answer
    assert first is not None
    shown = Scene()
    shown.tell("maple", OPENING, 0, 1)
    shown.tell("cedar", OPENING, 0, 1)
    shown.tell("maple", reserve("r1", 10), 2, 3, key="first")
    before = shown.tell("maple", Read(), 4, 5).answer
    assert before is not None
    scene.spoil(old, invoked=7, completed=8, body=before.body, etag=before.etag)
    assert numbers(only(scene, Kind.STALE)) == [fresh.number, old.number]
    assert pending.answer is None


def test_a_read_of_what_was_not_yet_sent_is_found(scene: Scene) -> None:
    sent = scene.tell("maple", reserve("r2", 12), 8, 9)
    early = scene.tell("maple", Read(), 10, 11)
    scene.spoil(early, invoked=4, completed=5)
    assert numbers(only(scene, Kind.FORESEEN)) == [sent.number, early.number]


def test_a_read_of_what_was_never_committed_is_found(scene: Scene) -> None:
    scene.tell("maple", reserve("r2", 12), 4)
    ghost = scene.tell("maple", Read(), 5, 6)
    del scene.rows[-1]
    assert numbers(only(scene, Kind.FORESEEN)) == [ghost.number]


def test_a_read_between_the_events_of_one_command_is_found(scene: Scene) -> None:
    slot = reserve("h1", 20)
    expires = ORIGIN + timedelta(seconds=10)
    scene.tell("maple", Hold("h1", "h1", 2, slot.start, slot.end, expires), 4, 5)
    scene.tell("maple", reserve("r2", 20), 11)
    half = scene.tell("maple", Read(), 13, 14)
    assert half.answer is not None
    scene.spoil(half, etag='"4"', body=half.answer.body.replace(b'"version":5', b'"version":4'))
    assert numbers(only(scene, Kind.TORN)) == [half.number]


def test_a_rejection_by_a_command_sent_later_is_found(scene: Scene) -> None:
    scene.tell("maple", reserve("r2", 12), 8, 9)
    rejected = scene.tell("maple", reserve("r3", 12), 10, 11)
    assert rejected.answer is not None
    assert rejected.answer.status == 409
    scene.spoil(rejected, invoked=4, completed=5)
    assert rejected.number in numbers(only(scene, Kind.UNEXPLAINED))


def test_a_rejection_by_what_was_gone_before_is_found(scene: Scene) -> None:
    rejected = scene.tell("maple", reserve("r2", 10), 4, 5)
    gone = scene.tell("maple", Cancel("r1"), 6, 7)
    scene.spoil(rejected, invoked=8, completed=9)
    assert set(numbers(only(scene, Kind.UNEXPLAINED))) == {rejected.number, gone.number}


def test_a_rejection_that_another_answer_excludes_is_found(scene: Scene) -> None:
    # r1's end was never acknowledged, so a rejection by r1 is right, and so is r1's absence; but not in
    # this order.
    scene.tell("maple", Cancel("r1"), 4)
    free = scene.tell("maple", Read("r1"), 5, 6)
    taken = scene.tell("maple", reserve("r1", 10), 6, 7, key="first")
    scene.spoil(taken, command_id=b"third".ljust(16), request=reserve("r7", 10), path="/maple", creates=None)
    right = Scene()
    right.tell("maple", OPENING, 0, 1)
    right.tell("maple", reserve("r1", 10), 2, 3)
    refusal = right.tell("maple", reserve("r7", 10), 6, 7).answer
    assert refusal is not None
    taken = scene.spoil(scene.operations[taken.number], answer=refusal, invoked=7, completed=8)
    assert set(numbers(only(scene, Kind.UNEXPLAINED))) == {2, free.number, taken.number}


def test_a_failed_precondition_that_was_met_is_found(scene: Scene) -> None:
    failed = scene.tell("maple", reserve("r2", 12), 4, 5, expected=1)
    scene.spoil(failed, expected=2)
    assert numbers(only(scene, Kind.UNEXPLAINED))[-1] == failed.number


def test_an_absence_of_what_was_there_is_found(scene: Scene) -> None:
    absent = scene.tell("maple", Read("r2"), 4, 5)
    scene.spoil(absent, request=Read("r1"))
    assert numbers(only(scene, Kind.UNEXPLAINED)) == [2, absent.number]


def test_nothing_to_do_where_there_was_something_is_found(scene: Scene) -> None:
    idle = scene.tell("maple", Confirm("r1"), 4, 5)
    scene.spoil(idle, request=Cancel("r1"))
    assert numbers(only(scene, Kind.UNEXPLAINED)) == [idle.number]


def test_effects_in_an_order_that_time_excludes_are_found(scene: Scene) -> None:
    late = scene.tell("maple", reserve("r2", 12), 4, 5)
    early = scene.tell("maple", reserve("r3", 14), 6, 7)
    scene.spoil(late, invoked=8, completed=9)
    assert set(numbers(only(scene, Kind.DISORDER))) == {late.number, early.number}


@pytest.mark.parametrize(
    "change",
    [
        {"location": "/cedar/r1"},
        {"body": b'{"type":"/problems/taken","instance":"/cedar"}', "status": 503, "location": None},
    ],
)
def test_an_answer_about_another_path_is_found(scene: Scene, change: dict[str, object]) -> None:
    scene.tell("maple", reserve("r1", 10), 4, 5, key="first")
    scene.spoil(scene.operations[-1], **change)
    assert Kind.CROSS_TALK in kinds(scene)


def test_an_answer_that_names_a_thing_of_another_entity_is_found(scene: Scene) -> None:
    scene.tell("cedar", reserve("c1", 10), 4, 5)
    mine, strange = scene.tell("cedar", Read(), 6, 7), scene.tell("maple", Read(), 6, 7)
    assert mine.answer is not None
    scene.spoil(strange, answer=mine.answer)
    assert Kind.CROSS_TALK in kinds(scene)


@pytest.mark.parametrize("change", [{"status": 500}, {"etag": '"7"'}, {"etag": None}, {"body": b"["}])
def test_an_answer_outside_the_contract_is_found(scene: Scene, change: dict[str, object]) -> None:
    shown = scene.tell("maple", Read(), 4, 5)
    scene.spoil(shown, **change)
    assert numbers(only(scene, Kind.UNEXPECTED)) == [shown.number]


def test_a_repeated_rejection_may_be_older_than_its_retry(scene: Scene) -> None:
    scene.tell("maple", reserve("r2", 10), 4, key="clash")
    rejected = scene.tell("maple", reserve("r2", 10), 4, 5)
    scene.tell("maple", Cancel("r1"), 6, 7)
    again = scene.spoil(rejected, command_id=b"clash".ljust(16), invoked=8, completed=9, replayed=True)
    assert check(scene.evidence()) == []
    scene.spoil(again, replayed=False)
    assert kinds(scene) == {Kind.UNEXPLAINED}


REQUESTS = st.one_of(
    st.builds(reserve, st.sampled_from("abcdef"), st.integers(0, 5), st.integers(1, 3)),
    st.builds(Cancel, st.sampled_from("abcdef")),
    st.builds(Confirm, st.sampled_from("abcdef")),
    st.builds(Read, st.one_of(st.none(), st.sampled_from("abcdef"))),
)
TIMES = st.floats(0, 8)
STEPS = st.lists(st.tuples(REQUESTS, TIMES, st.none() | TIMES, st.none() | st.integers(1, 9)), max_size=30)


@settings(deadline=None)
@given(STEPS)
def test_every_history_that_was_decided_in_order_within_its_times_is_without_fault(
    steps: list[tuple[object, float, float | None, int | None]],
) -> None:
    scene = Scene()
    scene.tell("maple", OPENING, 0, 1)
    for number, (request, before, after, expected) in enumerate(steps):
        now = number + 10.0
        assert isinstance(request, (Read, Cancel, Confirm)) or hasattr(request, "start")
        scene.tell(
            "maple",
            request,  # type: ignore[arg-type]
            max(1.0, now - before),
            None if after is None else now + after,
            expected=None if isinstance(request, Read) else expected,
        )
    assert check(scene.evidence()) == []


@settings(deadline=None)
@given(STEPS, st.integers(0, 29))
def test_any_lost_event_is_found(
    steps: list[tuple[object, float, float | None, int | None]], lost: int
) -> None:
    scene = Scene()
    scene.tell("maple", OPENING, 0, 1)
    for number, (request, _, _, _) in enumerate(steps):
        scene.tell("maple", request, number + 10, number + 10.5)  # type: ignore[arg-type]
    del scene.rows[lost % len(scene.rows)]
    assert check(scene.evidence()) != []


CORRUPTIONS = st.sampled_from(
    [
        {"version": 3},
        {"seq": 3},
        {"shard": 3, "seq": 1},
        {"id": "cedar"},
        {"type": "Expired"},
        {"type": "Rebuilt"},
        {"command_id": b"x" * 16},
        {"at": 0},
        {"data": b"\x80"},
    ]
)


@settings(deadline=None)
@given(STEPS, st.integers(0, 29), CORRUPTIONS)
def test_any_corrupted_event_is_found_and_told(
    steps: list[tuple[object, float, float | None, int | None]], which: int, corruption: dict[str, Any]
) -> None:
    scene = Scene()
    scene.tell("maple", OPENING, 0, 1)
    for number, (request, _, _, _) in enumerate(steps):
        scene.tell("maple", request, number + 10, number + 10.5)  # type: ignore[arg-type]
    row = scene.rows[which % len(scene.rows)]
    corrupted = row._replace(**corruption)
    scene.rows[scene.rows.index(row)] = corrupted
    faults = check(scene.evidence())
    assert bool(faults) == (corrupted != row)
    if faults:
        assert "the smallest:" in report(scene.evidence(), faults)


def test_evidence_of_nothing_is_without_fault() -> None:
    assert check(Evidence([], [])) == []
