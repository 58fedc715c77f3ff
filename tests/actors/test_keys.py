"""What an entity remembers of idempotency keys."""

from hypothesis import given
from hypothesis import strategies as st

from actors.keys import Keys, Use

uses = st.lists(st.tuples(st.binary(min_size=16, max_size=16), st.integers(0, 50)), max_size=200)


@given(uses, st.integers(1, 20), st.integers(1, 30))
def test_the_newest_keys_within_the_retention_are_remembered(
    steps: list[tuple[bytes, int]], limit: int, retention: int
) -> None:
    keys = Keys(limit, retention)
    model: dict[bytes, int] = {}
    now = 0
    for step, (key, wait) in enumerate(steps):
        now += wait
        keys.remember(key, Use(b"f", 10 * step, 10 * step, now))
        model.pop(key, None)
        model[key] = now
        while len(model) > limit or model[next(iter(model))] < now - retention:
            del model[next(iter(model))]
    assert [row[0] for row in keys.rows()] == list(model)


def test_a_command_of_several_events_widens_its_use() -> None:
    keys = Keys(10, 10**9)
    keys.remember(b"k", Use(b"f", 1, 1, 5))
    keys.remember(b"k", Use(b"f", 2, 2, 5))
    assert keys.find(b"k") == Use(b"f", 1, 2, 5)


def test_what_a_snapshot_keeps_is_what_was_remembered() -> None:
    keys = Keys(10, 10**9)
    keys.remember(b"k", Use(b"f", 1, 3, 5))
    assert list(keys.rows()) == [(b"k", b"f", 1, 3, 5)]
