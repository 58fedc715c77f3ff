"""Commands by number, and where entities live."""

import json

from actors.region import shard_of
from bench.cluster.reserving import reservation, spaces_in


def test_the_nth_reservation_begins_when_the_one_before_ends() -> None:
    first, second = (json.loads(reservation(number)) for number in (23, 24))
    assert (first["start"], first["end"]) == ("2030-01-01T23:00:00Z", "2030-01-02T00:00:00Z")
    assert second["start"] == first["end"]
    assert second["reservation"] != first["reservation"]


def test_every_shard_gets_its_own_spaces() -> None:
    found = spaces_in([3, 5], 8, each=4)
    assert sorted(found) == [3, 5]
    for shard, ids in found.items():
        assert len(set(ids)) == 4
        assert {shard_of("space", id, 8) for id in ids} == {shard}
