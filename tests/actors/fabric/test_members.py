from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.fabric import members as module
from actors.fabric.members import Member, Unreadable, View, decode, encode

WORKER = Member(
    1, "w1", "n1", "host", "127.0.0.1:8080", ("gateway", "actors"), ("booking",), 1, "active", "1.0"
)


def member(id: str, beat: int, **fields: Any) -> Member:
    return msgspec.structs.replace(WORKER, id=id, beat=beat, **fields)


def test_a_member_is_there_from_its_first_heartbeat() -> None:
    view = View()
    assert view.beat(member("w2", 1), 10.0)
    assert not view.beat(member("w2", 2), 11.0)
    assert view.beat(member("w2", 3, state="leaving"), 12.0)
    assert view.members["w2"].state == "leaving"
    assert view.last_heard("w2") == 12.0
    assert view.next_silence() == 15.0


def test_silence_counts_only_when_something_sent_after_it_has_come_back() -> None:
    view = View()
    view.beat(member("w2", 1), 10.0)
    assert view.came_back(12.9) == []
    # However late it is now: what came back was sent too early to tell.
    assert "w2" in view.members
    assert view.came_back(13.0) == ["w2"]
    assert view.members == {}
    assert view.last_heard("w2") == 10.0
    assert not view.is_dead("w2")


def test_a_worker_that_slept_takes_nobody_for_gone() -> None:
    view = View()
    view.beat(member("w1", 1), 10.0)
    view.beat(member("w2", 1), 10.0)
    # It slept from 10 to 25. What waited in its socket is heard first, in order, at 25.
    assert view.came_back(10.0) == []
    view.beat(member("w2", 16), 25.0)
    view.beat(member("w1", 2), 25.1)
    assert view.came_back(25.0) == []
    assert set(view.members) == {"w1", "w2"}


def test_who_was_silent_is_back_with_its_next_heartbeat_but_not_with_an_old_one() -> None:
    view = View()
    view.beat(member("w2", 5), 10.0)
    view.came_back(14.0)
    assert not view.beat(member("w2", 5), 14.0)
    assert view.members == {}
    assert view.beat(member("w2", 6), 15.0)
    assert "w2" in view.members


def test_the_dead_do_not_come_back() -> None:
    view = View()
    view.beat(member("w2", 1), 10.0)
    assert view.died("w2")
    assert not view.died("w2")
    assert not view.beat(member("w2", 2), 10.1)
    assert view.members == {}
    assert view.is_dead("w2")


def test_after_the_link_was_away_everyone_has_time_to_be_back() -> None:
    view = View()
    view.beat(member("w2", 1), 10.0)
    view.forgive(20.0)
    assert view.came_back(22.9) == []
    assert view.came_back(23.1) == ["w2"]


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 10)
    view = View()
    for number in range(100):
        view.beat(member(f"w{number}", 1), float(number))
        view.died(f"dead{number}")
        view.came_back(float(number))
    assert view.is_dead("dead99")
    assert not view.is_dead("dead1")
    assert view.last_heard("w1") is None
    assert view.last_heard("w99") == 99.0
    assert len(view._heard) <= 20


@given(
    st.lists(
        st.tuples(st.sampled_from(["beat", "echo", "sleep"]), st.sampled_from("abc"), st.floats(0.01, 2.0)),
        max_size=60,
    )
)
def test_nobody_is_gone_within_its_lease(steps: list[tuple[str, str, float]]) -> None:
    """Members beat, the worker hears of it late; whoever is gone has sent nothing for as long as a lease."""
    view, now = View(), 0.0
    sent = dict.fromkeys("abc", 0.0)
    numbers = dict.fromkeys("abc", 1)
    backlog: list[tuple[str, int]] = []
    for id in "abc":
        view.beat(member(id, 1), 0.0)
    for kind, id, seconds in steps:
        now += seconds
        if kind == "beat":
            sent[id], numbers[id] = now, numbers[id] + 1
            backlog.append((id, numbers[id]))
        elif kind == "echo":
            # The server has everything in order: what was sent before the echo is heard before it.
            began, now = now, now + seconds
            for other, number in backlog:
                view.beat(member(other, number), now)
            backlog.clear()
            for gone in view.came_back(began):
                assert began - sent[gone] >= 3.0


def test_a_heartbeat_is_read_as_it_was_sent_and_by_older_and_newer_releases() -> None:
    assert decode(encode(WORKER)) == WORKER
    plain = msgspec.msgpack.decode(encode(WORKER))
    assert decode(msgspec.msgpack.encode([*plain, "new"])) == WORKER
    assert decode(msgspec.msgpack.encode(plain[:-1])) == WORKER


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xdd\xff\xff\xff\xff",
        b"\x91" * 60_000,
        b"\x00" * 100_000,
        encode(msgspec.structs.replace(WORKER, version=2)),
        encode(msgspec.structs.replace(WORKER, id="w.>")),
        encode(msgspec.structs.replace(WORKER, capacity=0)),
    ],
)
def test_what_is_no_heartbeat_is_unreadable(data: bytes) -> None:
    with pytest.raises(Unreadable):
        decode(data)
