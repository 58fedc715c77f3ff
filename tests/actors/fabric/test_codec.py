from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.fabric.codec import EnvelopeCodec
from actors.fabric.envelope import (
    AnswerBatch,
    AskBatch,
    Kind,
    WireAnswer,
    decode_answers,
    decode_asks,
    encode,
)
from actors.messages import Absent, Accepted, Answer, Ask, Reason, Refused, Rejected, Shown
from contexts.vocabulary import ANONYMOUS, Principal
from tests.actors.fabric.samples import (
    Cancel,
    Reserve,
    Slot,
    Taken,
    ask,
    guest_of,
    manifests,
    moment,
)

CODEC = EnvelopeCodec(manifests())
ADA = Principal("ada", frozenset({"guest", "operator"}), {"venue": "hall"})


def travel(sent: Ask, now: float = 100.0, arrival: float = 7000.0) -> Ask | Refused:
    wire = CODEC.to_wire(1, "booking", 3, sent, now)
    (received,) = decode_asks(encode(AskBatch(1, "w1", [wire]))).asks
    return CODEC.from_wire(received, arrival, sent.reply)


def return_(answer: Answer) -> Answer:
    batch = AnswerBatch(1, "w1", [CODEC.answer_to_wire(1, answer)])
    (received,) = decode_answers(encode(batch)).answers
    return CODEC.answer_from_wire("booking", "space", received)


def test_a_command_arrives_with_everything_that_decides_about_it() -> None:
    slot = Slot(moment("2027-01-15T10:00:00+09:00"), moment("2027-01-15T12:00:00+09:00"))
    sent = ask(
        Reserve("ada", (slot,), ("café",)),
        by=ADA,
        key=b"k" * 16,
        fingerprint=b"f" * 8,
        expected=4,
        trace="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        attempt=2,
    )
    received = travel(sent)
    assert isinstance(received, Ask)
    assert received == msgspec.structs.replace(sent, deadline=7005.0, relayed=True)
    assert isinstance(received.command, Reserve)
    # An equal instant is not enough: what was asked in local time is answered in local time.
    assert received.command.slots[0].start.isoformat() == "2027-01-15T10:00:00+09:00"


def test_a_query_of_a_part_arrives_as_the_same_function() -> None:
    received = travel(ask(part=guest_of, arguments=("ada",)))
    assert isinstance(received, Ask)
    assert received.part is guest_of
    assert (received.command, received.arguments, received.command_id) == (None, ("ada",), None)


def test_a_command_without_fields_and_a_whole_state_travel() -> None:
    first, second = travel(ask(Cancel())), travel(ask())
    assert isinstance(first, Ask)
    assert isinstance(second, Ask)
    assert first.command == Cancel()
    assert (second.command, second.part) == (None, None)


def test_an_anonymous_caller_stays_anonymous() -> None:
    received = travel(ask(Cancel()))
    assert isinstance(received, Ask)
    assert received.by is ANONYMOUS


def test_a_deadline_travels_as_the_time_that_is_left() -> None:
    for left, expected in ((5.0, 9005.0), (0.0, 9000.0), (-3.0, 9000.0), (1e9, 9000.0 + 3600)):
        received = travel(ask(Cancel(), deadline=100.0 + left), 100.0, 9000.0)
        assert isinstance(received, Ask)
        assert received.deadline == pytest.approx(expected)


@pytest.mark.parametrize(
    "answer",
    [
        Accepted(3, b'{"version":3}'),
        Accepted(3, b"{}", changed=False),
        Accepted(3, b"{}", replayed=True),
        Shown(2, b'{"state":{}}'),
        Rejected(5, Taken("bob", moment("2027-01-15T10:00:00-08:00")), replayed=True),
        Absent(0),
        *(Refused(reason, "because", 1.5) for reason in Reason),
        Refused(Reason.EXPIRED),
    ],
)
def test_every_answer_arrives_as_it_was_given(answer: Answer) -> None:
    assert return_(answer) == answer


@pytest.mark.parametrize(
    "change",
    [
        {"context": "catering"},
        {"aggregate": "kitchen"},
        {"command": "Transfer"},
        {"data": b""},
        {"data": msgspec.msgpack.encode({"guest": 7})},
        {"data": msgspec.msgpack.encode({"guest": "ada", "field": "of a newer release"})},
        {"data": b"\x81\xa5guest" + b"\x91" * 100_000},
        {"data": b"\xdf\xff\xff\xff\xff"},
        {"command": None, "part": "/spaces/{space}/unheard-of"},
    ],
)
def test_what_this_release_does_not_know_is_refused_and_may_be_asked_elsewhere(
    change: dict[str, Any],
) -> None:
    wire = CODEC.to_wire(1, "booking", 3, ask(Reserve("ada")), 100.0)
    refused = CODEC.from_wire(msgspec.structs.replace(wire, **change), 100.0, print)
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.MOVED
    assert "release does not know" in refused.detail


def test_a_command_needs_an_id_on_both_sides() -> None:
    with pytest.raises(ValueError, match="needs an id"):
        CODEC.to_wire(1, "booking", 3, ask(Cancel(), command_id=None), 100.0)
    wire = CODEC.to_wire(1, "booking", 3, ask(Cancel()), 100.0)
    refused = CODEC.from_wire(msgspec.structs.replace(wire, command_id=None), 100.0, print)
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.FAILED


@pytest.mark.parametrize(
    "wire",
    [
        WireAnswer(1, 77),
        WireAnswer(1, Kind.REFUSED, name="a-reason-to-come"),
        WireAnswer(1, Kind.REJECTED, 3, b"\x80", "Postponed"),
        WireAnswer(1, Kind.REJECTED, 3, b"\x80", "Taken"),
        WireAnswer(1, Kind.REJECTED, 3, b"\xdf\xff\xff\xff\xff", "Taken"),
    ],
)
def test_an_answer_of_another_release_leaves_the_outcome_open(wire: WireAnswer) -> None:
    answer = CODEC.answer_from_wire("booking", "space", wire)
    assert isinstance(answer, Refused)
    assert answer.reason is Reason.OUTCOME_UNKNOWN


@given(st.binary(max_size=200), st.sampled_from(["Reserve", "Cancel"]))
def test_no_bytes_in_place_of_a_command_raise(data: bytes, name: str) -> None:
    wire = CODEC.to_wire(1, "booking", 3, ask(Cancel()), 100.0)
    received = CODEC.from_wire(msgspec.structs.replace(wire, command=name, data=data), 100.0, print)
    assert isinstance(received, Ask | Refused)
