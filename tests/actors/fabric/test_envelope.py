"""Case 41 on the link between workers: whatever the bytes are, they cost no more than their length."""

import time
import tracemalloc

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.fabric import envelope
from actors.fabric.envelope import (
    AnswerBatch,
    AskBatch,
    Kind,
    Unreadable,
    WireAnswer,
    WireAsk,
    WirePrincipal,
    decode_answers,
    decode_asks,
    encode,
)

ASK = WireAsk(7, "booking", 3, "space", "maple", "Reserve", b"\x80", 5000)
ASKS = AskBatch(1, "w1", [ASK])
ANSWERS = AnswerBatch(1, "w1", [WireAnswer(7, Kind.ACCEPTED, 2, b"{}")])

hashes = st.none() | st.binary(max_size=64)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
numbers = st.integers(0, 2**63 - 1)
wire_asks = st.builds(
    WireAsk,
    numbers,
    texts,
    numbers,
    texts,
    texts,
    st.none() | texts,
    st.binary(),
    st.integers(0, 3_600_000),
    st.none() | st.builds(WirePrincipal, texts, st.tuples(texts), st.dictionaries(texts, texts, max_size=3)),
    hashes,
    hashes,
    hashes,
    st.none() | st.integers(0, 2**40),
    st.none() | texts,
    st.none() | texts,
    st.tuples(texts, texts),
    st.integers(0, 9),
)
wire_answers = st.builds(
    WireAnswer,
    numbers,
    st.integers(0, 255),
    st.integers(0, 2**40),
    st.binary(),
    texts,
    texts,
    st.none() | st.floats(0, 60),
    st.booleans(),
    st.booleans(),
)
workers = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)


@given(st.builds(AskBatch, st.just(1), workers, st.lists(wire_asks, max_size=5)))
def test_asks_arrive_as_they_were_sent(batch: AskBatch) -> None:
    assert decode_asks(encode(batch)) == batch


@given(st.builds(AnswerBatch, st.just(1), workers, st.lists(wire_answers, max_size=5)))
def test_answers_arrive_as_they_were_sent(batch: AnswerBatch) -> None:
    assert decode_answers(encode(batch)) == batch


def test_a_newer_release_may_add_fields_at_the_end() -> None:
    plain = msgspec.msgpack.decode(encode(ASKS))
    plain[2][0] += [None] * (len(ASK.__struct_fields__) - len(plain[2][0]))
    plain[2][0] += ["new", {"in": "a later release"}]
    plain += [["also new"]]
    assert decode_asks(msgspec.msgpack.encode(plain)) == ASKS


def test_an_older_release_may_lack_the_latest_fields() -> None:
    plain = msgspec.msgpack.decode(encode(ASKS))
    plain[2][0] = plain[2][0][:8]
    assert decode_asks(msgspec.msgpack.encode(plain)) == ASKS


@pytest.mark.parametrize("version", [0, 2, 2**40])
def test_another_version_is_refused_by_its_number_even_if_its_shape_is_new(version: int) -> None:
    for shape in ([version, "w1", []], [version, {"quite": "different"}], [version]):
        for decode in (decode_asks, decode_answers):
            with pytest.raises(Unreadable, match=f"version {version} of the envelope is not known"):
                decode(msgspec.msgpack.encode(shape))


@pytest.mark.parametrize(
    ("bytes_", "why"),
    [
        (b"", "truncated"),
        (b"\x93\x01\xa2w1\xdd\xff\xff\xff\xff", "<= 1024"),  # four billion asks
        (b"\x93\x01\xa2w1\xdd\x00\x00\x00\x09", "truncated"),
        (b"\xdd\xff\xff\xff\xff", "truncated"),
        (b"\x93\x01\xdb\xff\xff\xff\xff", "truncated"),  # a name of four gigabytes
        (b"\x94\x01\xa2w1\x90" + b"\xdd\xff\xff\xff\xff" * 1000, "RecursionError|truncated|array"),
        (b"\x94\x01\xa2w1\x90" + b"\x91" * 1_000_000, "RecursionError|Expected|str"),
        (b"\x95\x01\xa2w1\x90\xa0" + b"\x91" * 1_000_000, "RecursionError"),
        (b"\x93\x01\xa2w1" + b"\x91" * 1_000_000, "Expected|RecursionError"),
        (b"\x93\x01\xa2\xff\xfe\x90", "UnicodeDecodeError|UTF-8|utf-8"),
        (b"\x93\x01\xa3w.>\x90", "regex"),  # would be a wildcard in a subject
        (b"\x93\x01\xa3w1\n\x90", "regex"),
        (b"\x83\x01\x02\x03\x04\x05\x06", "array"),
        (encode(ASKS) + b"\x00", "trailing"),
    ],
)
def test_bytes_that_lie_are_refused_without_cost(bytes_: bytes, why: str) -> None:
    tracemalloc.start()
    try:
        began = time.process_time()
        with pytest.raises(Unreadable, match=why) as asks:
            decode_asks(bytes_)
        with pytest.raises(Unreadable):
            decode_answers(bytes_)
        assert "\n" not in str(asks.value)
        # Not a measurement: what believes a lying length takes seconds and gigabytes.
        assert time.process_time() - began < 1.0
        assert tracemalloc.get_traced_memory()[1] < 20 * len(bytes_) + 1_000_000
    finally:
        tracemalloc.stop()


@given(st.binary(max_size=400))
def test_random_bytes_are_unreadable_or_an_envelope(data: bytes) -> None:
    for decode in (decode_asks, decode_answers):
        try:
            assert decode(data).version == envelope.VERSION
        except Unreadable:
            continue


@given(st.data())
def test_a_damaged_envelope_is_unreadable_or_another_envelope(data: st.DataObject) -> None:
    intact = bytearray(encode(ASKS))
    for _ in range(data.draw(st.integers(1, 4))):
        intact[data.draw(st.integers(0, len(intact) - 1))] = data.draw(st.integers(0, 255))
    try:
        assert decode_asks(bytes(intact)).version == 1
    except Unreadable:
        return


def test_a_message_that_is_too_large_is_not_even_read() -> None:
    with pytest.raises(Unreadable, match="more than 8388608"):
        decode_asks(b"\x00" * (envelope.SIZE + 1))


def test_more_asks_than_a_message_may_hold_are_refused() -> None:
    with pytest.raises(Unreadable, match="1024"):
        decode_asks(encode(AskBatch(1, "w1", [ASK] * 1025)))
    assert len(decode_asks(encode(AskBatch(1, "w1", [ASK] * 1024))).asks) == 1024
    assert decode_answers(encode(ANSWERS)) == ANSWERS
