"""Values that a column cannot hold decide as in Python."""

import operator
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from actors.views.port import Column, Kind
from actors.views.postgres.comparing import bring, storable
from contexts.vocabulary import Operator

OPERATORS: dict[Operator, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
names = st.sampled_from(list(OPERATORS))
stored_texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=4)
asked_texts = st.text(st.characters() | st.sampled_from("\0\ud800\udfff\ud7ff\ue000ab"), max_size=4)
integers = st.integers(-(2**63), 2**63 - 1)
floats = st.floats(allow_nan=False, allow_infinity=False)
numbers = st.integers() | st.integers(-3, 3) | st.floats(allow_nan=False)


def comes_to(kind: Kind, name: Operator, stored: Any, asked: Any) -> bool:
    """What the brought comparison says of a stored value; the server could be asked it."""
    brought = bring(Column(kind, kind), name, asked)
    if isinstance(brought, bool):
        return brought
    brought_name, value = brought
    if kind == "text":
        assert isinstance(value, str)
        assert storable(value)
    elif kind == "integer":
        assert type(value) is int
        assert -(2**63) <= value < 2**63
    else:
        assert type(value) is float
    return bool(OPERATORS[brought_name](stored, value))


@given(names, stored_texts, asked_texts)
@example("<", "ab", "ab\0")
@example(">", "\ue000", "\udfff")
@example("<=", "\ud7ff", "\ud800\0")
def test_text(name: Operator, stored: str, asked: str) -> None:
    assert comes_to("text", name, stored, asked) == OPERATORS[name](stored, asked)


@given(names, integers, numbers)
@example("<=", 2**63 - 1, float(2**63))
@example(">", -(2**63), -(10**400))
@example(">=", 2, 2.5)
def test_whole_numbers(name: Operator, stored: int, asked: float) -> None:
    assert comes_to("integer", name, stored, asked) == OPERATORS[name](stored, asked)


@given(names, floats, numbers)
@example("==", float(2**53), 2**53 + 1)
@example("<", float(2**53), 2**53 + 1)
@example(">=", 1e308, 10**400)
def test_real_numbers(name: Operator, stored: float, asked: float) -> None:
    assert comes_to("real", name, stored, asked) == OPERATORS[name](stored, asked)


@pytest.mark.parametrize("kind", ["integer", "real"])
def test_nothing_compares_with_what_is_no_number(kind: Kind) -> None:
    assert [bring(Column(kind, kind), name, float("nan")) for name in OPERATORS] == [
        False,
        True,
        False,
        False,
        False,
        False,
    ]
