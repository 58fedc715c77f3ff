import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.positions import PositionError, behind, format_position, parse_position

SHARDS = 64
SEQUENCES = st.integers(0, 2**63 - 1)
VECTORS = st.dictionaries(st.integers(0, SHARDS - 1), SEQUENCES, max_size=SHARDS)


@given(VECTORS)
def test_what_is_formatted_is_read_back(vector: dict[int, int]) -> None:
    assert parse_position(format_position("booking", vector), "booking", SHARDS) == vector


@given(st.text(alphabet="bokingx/:,0123456789- +", max_size=30))
def test_what_is_read_is_a_vector_within_bounds_or_refused(text: str) -> None:
    try:
        vector = parse_position(text, "booking", SHARDS)
    except PositionError:
        return
    assert all(0 <= shard < SHARDS and 0 <= seq < 2**63 for shard, seq in vector.items())
    # One vector has one text, but for the order of its shards.
    again = format_position("booking", vector).removeprefix("booking/").split(",")
    assert sorted(again) == sorted(text.removeprefix("booking/").split(","))


def test_a_position_is_a_vector_of_one() -> None:
    assert parse_position("booking/46:2", "booking", SHARDS) == {46: 2}
    assert format_position("booking", {46: 2, 0: 12}) == "booking/0:12,46:2"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "looks like"),
        ("46:2", "looks like"),
        ("venue/46:2", "'venue'"),
        ("booking/64:1", "no shard 64"),
        ("booking/1:9223372036854775808", "63 bits"),
        ("booking/1:1,1:2", "twice"),
        ("booking/1:-1", "'1:-1'"),
        ("booking/01:1", "'01:1'"),
        ("booking/1:١", "'1:١'"),
        ("booking/1:1,", "''"),
        ("booking/1:1 ", "'1:1 '"),
        ("booking/" + ",".join(["1:1"] * 65), "more than the 64"),
    ],
)
def test_anything_else_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(PositionError, match=why):
        parse_position(text, "booking", SHARDS)


@given(VECTORS, VECTORS)
def test_behind_names_exactly_the_shards_that_lag(reached: dict[int, int], wanted: dict[int, int]) -> None:
    lagging = behind(reached, wanted)
    assert lagging == {s: reached.get(s, 0) for s in wanted if reached.get(s, 0) < wanted[s]}
