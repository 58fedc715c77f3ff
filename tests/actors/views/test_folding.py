"""Keys as they are stored."""

from hypothesis import given
from hypothesis import strategies as st

from actors.views.folding import key_of, parts_of

PART = st.text(min_size=1, max_size=20).filter(lambda part: "\x00" not in part)


@given(st.lists(PART, min_size=1, max_size=4))
def test_a_key_tells_its_parts_again(parts: list[str]) -> None:
    assert parts_of(key_of(tuple(parts))) == tuple(parts)


@given(st.lists(st.lists(PART, min_size=1, max_size=3), min_size=2, max_size=2))
def test_different_parts_make_different_keys(two: list[list[str]]) -> None:
    one, other = two
    assert (key_of(tuple(one)) == key_of(tuple(other))) == (one == other)


def test_parts_are_joined_by_slashes() -> None:
    assert key_of(("maple", "r1")) == "maple/r1"
    assert key_of("maple") == "maple"
    assert key_of("50%/50%") == "50%25%2F50%25"
