from collections import Counter
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors import placement as module
from actors.placement import Candidate, placement

ids = st.lists(
    st.text("abcdefghij0123456789-", min_size=1, max_size=12), min_size=1, max_size=24, unique=True
)
sizes = st.integers(1, 300)
members = ids.flatmap(
    lambda names: st.tuples(*(st.builds(Candidate, st.just(n), st.integers(1, 20)) for n in names))
)


def equal(count: int, prefix: str = "worker") -> list[Candidate]:
    return [Candidate(f"{prefix}-{number}") for number in range(count)]


@given(ids, sizes)
def test_equal_members_own_the_same_number_of_shards_give_or_take_one(names: list[str], shards: int) -> None:
    counts = Counter(placement([Candidate(name) for name in names], shards, "booking"))
    assert sum(counts.values()) == shards
    assert set(counts) <= set(names)
    owned = [counts[name] for name in names]
    assert max(owned) - min(owned) <= 1


@given(members, sizes)
def test_a_member_owns_its_share_by_capacity_rounded_down_or_up(
    given_members: tuple[Candidate, ...], shards: int
) -> None:
    counts = Counter(placement(given_members, shards, "booking"))
    total = sum(member.capacity for member in given_members)
    for member in given_members:
        assert abs(counts[member.id] - Fraction(shards * member.capacity, total)) < 1


@given(members, sizes, st.randoms(use_true_random=False))
def test_the_order_of_the_members_does_not_matter(
    given_members: tuple[Candidate, ...], shards: int, random: Random
) -> None:
    shuffled = list(given_members)
    random.shuffle(shuffled)
    assert placement(shuffled, shards, "booking") == placement(given_members, shards, "booking")


def test_the_owners_are_the_same_in_every_release() -> None:
    """Two releases side by side must agree, so the hash and its use are part of the protocol."""
    owners = placement([Candidate("a"), Candidate("b"), Candidate("c", 2)], 16, "booking", {3: "a"})
    assert "".join(owners) == "ccbaaccbaccabbcc"


@given(members, sizes, st.dictionaries(st.integers(-5, 320), st.integers(0, 30), max_size=60))
def test_pins_are_honoured_and_the_others_share_what_is_left(
    given_members: tuple[Candidate, ...], shards: int, choices: dict[int, int]
) -> None:
    names = [member.id for member in given_members]
    pins = {s: names[c] if c < len(names) else "absent" for s, c in choices.items()}
    owners = placement(given_members, shards, "booking", pins)
    assert len(owners) == shards
    for shard, owner in pins.items():
        if 0 <= shard < shards and owner != "absent":
            assert owners[shard] == owner
    pinned = Counter(o for s, o in pins.items() if 0 <= s < shards and o != "absent")
    counts = Counter(owners)
    # Whoever owns more than is pinned to it takes part in sharing: among those each has its share.
    sharing = [m for m in given_members if counts[m.id] > pinned[m.id]]
    for one in sharing:
        for other in sharing:
            if one.capacity == other.capacity:
                assert abs(counts[one.id] - counts[other.id]) <= 1


@given(members, sizes, st.dictionaries(st.integers(0, 299), st.integers(0, 30), max_size=20))
def test_a_pin_to_an_absent_member_changes_nothing(
    given_members: tuple[Candidate, ...], shards: int, choices: dict[int, int]
) -> None:
    absent = {shard: f"absent {number}" for shard, number in choices.items()}
    assert placement(given_members, shards, "b", absent) == placement(given_members, shards, "b")


@given(ids, sizes, st.integers(1, 40))
@settings(max_examples=50)
def test_how_many_scores_are_looked_at_first_does_not_change_the_result(
    names: list[str], shards: int, candidates: int
) -> None:
    candidates_before = module.CANDIDATES
    expected = placement([Candidate(name) for name in names], shards, "booking")
    module.CANDIDATES = candidates
    try:
        assert placement([Candidate(name) for name in names], shards, "booking") == expected
    finally:
        module.CANDIDATES = candidates_before


@pytest.mark.parametrize(
    ("count", "shards", "bound"), [(1, 64, 1.01), (2, 64, 1.2), (4, 64, 1.4), (8, 64, 1.8)]
)
def test_a_join_or_a_leave_moves_little_more_than_it_must(count: int, shards: int, bound: float) -> None:
    must = moved = 0
    for round in range(20):
        few = equal(count, f"round{round}")
        many = [*few, Candidate(f"newcomer{round}")]
        before, after = placement(few, shards, "booking"), placement(many, shards, "booking")
        # Read backwards it is a leave: the same pairs are compared.
        must += Counter(after)[many[-1].id]
        moved += sum(a != b for a, b in zip(before, after, strict=True))
    assert moved <= bound * must


def test_contexts_do_not_all_give_their_first_shards_to_the_same_members() -> None:
    assert placement(equal(4), 64, "booking") != placement(equal(4), 64, "venue")


def test_two_hundred_members_share_a_thousand_shards() -> None:
    counts = Counter(placement(equal(200), 1024, "booking"))
    assert set(counts.values()) == {5, 6}
    assert len(counts) == 200


def test_more_members_than_shards_leaves_some_without() -> None:
    counts = Counter(placement(equal(10), 3, "booking"))
    assert sorted(counts.values()) == [1, 1, 1]


def test_without_members_nobody_owns_anything() -> None:
    assert placement([], 64, "booking") == ()


@pytest.mark.parametrize("wrong", [[Candidate("a"), Candidate("a", 2)], [Candidate("a", 0)]])
def test_a_name_given_twice_or_no_capacity_is_refused(wrong: list[Candidate]) -> None:
    with pytest.raises(ValueError, match="distinct ids"):
        placement(wrong, 4, "booking")
