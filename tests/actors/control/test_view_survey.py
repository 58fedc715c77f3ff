"""What all workers tell of views, put together: states in words, progress, and shards that stand still."""

import pytest

from actors.control.facts import ViewFacts
from tests.actors.control.telling import parked, place, surveys, view, worker


def test_the_parts_of_all_workers_are_summed_up() -> None:
    one = worker("a", {0: 10, 2: 4}, view(1, place(0, 10, 10), place(2, 3, 4), seconds=0.2))
    two = worker("b", {1: 7}, view(1, place(1, 7, 7), seconds=0.5))
    (found,) = surveys(one, two)
    assert (found.context, found.view, found.generation, found.state) == ("booking", "diary", 1, "live")
    assert (found.folded, found.lag, found.seconds, found.parks, found.still) == (20, 1, 0.5, 0, 0)
    assert {shard: at.seq for shard, at in found.places().items()} == {0: 10, 1: 7, 2: 3}


def test_a_shard_on_its_way_counts_where_it_is_further() -> None:
    one = worker("a", {0: 10}, view(1, place(0, 8, 10)))
    two = worker("b", {0: 10}, view(1, place(0, 9, 10)))
    (found,) = surveys(two, one)
    assert found.places()[0].seq == 9


def test_what_is_built_tells_how_far_it_is() -> None:
    live = view(5, place(0, 100, 100))
    built = view(9, place(0, 63, 100, "catching up"), live=False)
    old, new = surveys(worker("a", {0: 100}, live, built))
    assert (old.generation, old.state) == (5, "live")
    assert (new.generation, new.state, new.progress) == (9, "building 63 %", 0.63)


def test_a_view_without_any_event_is_built_whole() -> None:
    (found,) = surveys(worker("a", {0: 0}, view(1, live=False)))
    assert (found.progress, found.state) == (1.0, "building 100 %")


@pytest.mark.parametrize("views", [(), (view(1, live=False, foldable=False),)])
def test_shards_on_workers_that_cannot_fold_it_stand_still(views: tuple[ViewFacts, ...]) -> None:
    """Without views: a release that knows of none. A shard without events has nothing to wait for."""
    new = worker("new", {0: 30}, view(1, place(0, 30, 30), live=False))
    old = worker("old", {1: 60, 2: 30, 3: 0}, *views)
    (found,) = surveys(new, old)
    assert (found.still, found.progress) == (2, 0.25)
    assert found.state == "building 25 %, standing still on 2 shards"


def test_the_words_tell_all_that_keeps_it_from_following() -> None:
    one = view(1, place(0, 1, 2, "parked"), parked=(parked(0, 2),), parks=1)
    two = view(1, place(1, 5, 9, "catching up"), place(2, 1, 2, "retrying"))
    (found,) = surveys(worker("a", {0: 2}, one), worker("b", {1: 9, 2: 2}, two))
    assert found.state == "live, parked, retrying, catching up"
    (paused,) = surveys(worker("a", {0: 2}, view(1, place(0, 1, 2, "paused"), paused=True)))
    assert paused.state == "live, paused"


def test_parked_shards_are_listed_by_number_with_their_worker() -> None:
    one = view(1, place(3, 6, 9, "parked"), parked=(parked(3, 7),), parks=1)
    two = view(1, place(1, 1, 2, "parked"), parked=(parked(1, 2),), parks=1)
    (found,) = surveys(worker("a", {3: 9}, one), worker("b", {1: 2}, two))
    assert [(name, event.position) for name, event in found.parked()] == [
        ("b", "booking/1:2"),
        ("a", "booking/3:7"),
    ]
    assert found.parks == 2


def test_one_worker_that_has_seen_a_pause_is_enough() -> None:
    one = worker("a", {0: 0}, view(1, paused=True))
    (found,) = surveys(one, worker("b", {1: 0}, view(1)))
    assert found.paused
