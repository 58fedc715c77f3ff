"""Snapshots survive unchanged or are told apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.journal.snapshots import Key, UnreadableSnapshot, pack_snapshot, unpack_snapshot

_number = st.integers(0, 2**63 - 1)
_keys: st.SearchStrategy[list[Key]] = st.lists(
    st.tuples(
        st.binary(min_size=16, max_size=16), st.binary(min_size=8, max_size=8), _number, _number, _number
    ),
    max_size=5,
)


@given(st.binary(max_size=200), _keys)
def test_state_and_keys_come_back_as_they_were(state: bytes, keys: list[Key]) -> None:
    assert unpack_snapshot(pack_snapshot(state, keys)) == (state, keys)


@given(st.binary(max_size=100), _keys, st.data())
def test_a_truncated_snapshot_is_unreadable(state: bytes, keys: list[Key], data: st.DataObject) -> None:
    packed = pack_snapshot(state, keys)
    with pytest.raises(UnreadableSnapshot):
        unpack_snapshot(packed[: data.draw(st.integers(0, len(packed) - 1))])


@given(st.binary(max_size=100), _keys, st.data())
def test_a_snapshot_with_a_changed_bit_is_unreadable(
    state: bytes, keys: list[Key], data: st.DataObject
) -> None:
    packed = bytearray(pack_snapshot(state, keys))
    bit = data.draw(st.integers(0, len(packed) * 8 - 1))
    packed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(UnreadableSnapshot):
        unpack_snapshot(bytes(packed))


@given(st.binary(max_size=300))
def test_garbage_is_unreadable_or_a_snapshot_that_packs_to_itself(garbage: bytes) -> None:
    try:
        state, keys = unpack_snapshot(garbage)
    except UnreadableSnapshot:
        return
    assert pack_snapshot(state, keys) == garbage


def test_a_key_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        pack_snapshot(b"", [(b"short", b"12345678", 1, 1, 1)])
