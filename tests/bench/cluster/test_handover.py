"""The pause that a client sees."""

from actors.region import shard_of
from bench.cluster.handover import CLIENTS, Asked, longest, plan


def test_the_longest_command_under_way_between_two_moments_is_the_pause() -> None:
    first = [Asked(0.0, 0.25), Asked(0.25, 1.5), Asked(1.5, 1.75), Asked(1.75, 9.0)]
    second = [Asked(0.0, 1.0), Asked(1.0, 1.125), Asked(1.125, 3.0)]
    assert longest([first, second], 1.0, 1.6) == [1250.0, 1875.0]


def test_what_ended_before_or_began_after_does_not_count() -> None:
    of = [Asked(0.0, 4.0), Asked(4.0, 4.5), Asked(4.5, 5.5), Asked(6.0, 9.0)]
    assert longest([of], 4.25, 5.75) == [1000.0]


def test_every_move_has_another_shard_while_there_are_some_and_new_entities() -> None:
    moving = plan(7, 4)
    assert [shard for shard, _ in moving] == [0, 1, 2, 3, 0, 1, 2]
    assert {len(ids) for _, ids in moving} == {CLIENTS}
    assert len({id for _, ids in moving for id in ids}) == 7 * CLIENTS
    assert all(shard_of("space", id, 4) == shard for shard, ids in moving for id in ids)
