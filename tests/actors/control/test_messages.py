"""Requests and replies: whatever arrives is understood or refused, and no reply is too large."""

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.control.facts import (
    ContextFacts,
    EntityFacts,
    ParkedFacts,
    PlaceFacts,
    ShardFacts,
    ViewFacts,
    WorkerFacts,
)
from actors.control.messages import (
    REPLY_RESERVE,
    REQUEST_LIMIT,
    VERSION,
    Ask,
    Begun,
    Done,
    Drain,
    Failed,
    LookAtViews,
    NotUnderstood,
    PauseView,
    RebuildView,
    Release,
    ReleaseView,
    Restart,
    Scale,
    Skipped,
    SkipView,
    Status,
    WorkerStatus,
    decode_reply,
    decode_request,
    encode,
    encode_reply,
)

text = st.text(max_size=20)
requests = st.one_of(
    st.just(Status()),
    st.builds(Release, context=text, aggregate=text, id=text),
    st.builds(Scale, workers=st.integers(-(2**63), 2**63)),
    st.builds(Drain, worker=text),
    st.builds(Restart, slot=st.integers(0, 1000)),
    st.builds(PauseView, context=text, view=text, paused=st.booleans()),
    st.builds(RebuildView, context=text, view=text),
    st.builds(ReleaseView, context=text, view=text, shard=st.integers(0, 4095)),
    st.builds(SkipView, context=text, view=text, shard=st.integers(0, 4095), seq=st.integers(1, 2**63)),
    st.builds(LookAtViews, context=text),
)


def view(shards: int) -> ViewFacts:
    parked = ParkedFacts(
        shard=0,
        seq=1,
        position="c/0:1",
        event="E",
        entity="a/b",
        version=1,
        error="KeyError: 'x'",
        attempts=6,
    )
    return ViewFacts(
        view="diary",
        generation=1,
        fingerprint="0" * 16,
        live=True,
        paused=False,
        foldable=True,
        folded=7,
        lag=1,
        seconds=0.5,
        waiting=0,
        places=tuple(PlaceFacts(shard=n, seq=n, head=n, state="following") for n in range(shards)),
        parked=(parked,),
        parks=1,
    )


def worker(contexts: int, shards: int) -> WorkerStatus:
    facts = tuple(
        ContextFacts(
            context=f"context{number}",
            of=shards,
            shards=tuple(ShardFacts(shard=n, epoch=n, state="open", seq=n, active=0) for n in range(shards)),
            active=1,
            passivated=2,
            recovered=3,
            failures=0,
            waiting=0,
            recovering=0,
            commit_queue=0,
            slowest=(EntityFacts(aggregate="space", id="maple", waiting=1),),
            views=(view(shards),),
        )
        for number in range(contexts)
    )
    return WorkerStatus(
        WorkerFacts(
            worker="w",
            node="n",
            slot=0,
            host="h",
            pid=1,
            version="1",
            roles=("actors",),
            state="serving",
            uptime=1.0,
            in_flight=0,
            connections=0,
            contexts=facts,
        )
    )


@given(requests)
def test_a_request_arrives_as_it_was_sent(request: Ask) -> None:
    assert decode_request(encode(request)) == request


@given(st.binary(max_size=200))
def test_any_bytes_are_understood_or_refused(data: bytes) -> None:
    for decode in (decode_request, decode_reply):
        with contextlib.suppress(NotUnderstood):
            decode(data)


@pytest.mark.parametrize(
    "data",
    [b"\x91" * 60_000, b"\xdf\xff\xff\xff\xff", b"\x81\xa3ask\xa6status" + b"x", b"x" * (REQUEST_LIMIT + 1)],
)
def test_lies_and_nesting_are_refused(data: bytes) -> None:
    with pytest.raises(NotUnderstood):
        decode_request(data)


def test_a_request_of_a_later_version_is_refused_by_name() -> None:
    with pytest.raises(NotUnderstood, match=f"version {VERSION + 1}, this release speaks {VERSION}"):
        decode_request(encode(Status(v=VERSION + 1)))


def test_what_a_later_release_adds_is_passed_over() -> None:
    later = msgspec.msgpack.encode({"ask": "status", "v": 1, "since": 3})
    assert decode_request(later) == Status()
    assert decode_reply(msgspec.msgpack.encode({"reply": "done", "note": "x"})) == Done()
    for reply in (Failed("why"), Begun(7), Skipped(event="E", entity="a/b", version=1, error="KeyError")):
        assert decode_reply(encode(reply)) == reply


@given(st.integers(1, 4), st.integers(1, 300), st.integers(3000, 60_000))
def test_a_status_that_is_too_large_says_what_it_leaves_out(contexts: int, shards: int, limit: int) -> None:
    whole = worker(contexts, shards)
    data = encode_reply(whole, limit)
    assert len(data) <= limit - REPLY_RESERVE
    told = decode_reply(data)
    assert isinstance(told, WorkerStatus)
    assert [context.context for context in told.facts.contexts] == [f"context{n}" for n in range(contexts)]
    # The totals of views, and how many shards are parked, are always told.
    assert {(v.folded, v.lag, v.parks) for c in told.facts.contexts for v in c.views} == {(7, 1, 1)}
    if told != whole:
        assert len(encode(whole)) > limit - REPLY_RESERVE
        brief = [context for context in told.facts.contexts if not context.shards]
        if brief:
            assert f"the details of {len(brief)} of {contexts} contexts" in told.facts.note
            assert not any(v.places for c in told.facts.contexts for v in c.views)
        else:
            without = [c for c in told.facts.contexts if not c.views[0].places]
            assert f"the positions of the views of {len(without)} of {contexts} contexts" in told.facts.note
            assert all(c.views[0].parked for c in told.facts.contexts)


def test_facts_of_an_older_release_have_no_views() -> None:
    told = msgspec.to_builtins(worker(1, 2))
    for name in ("views", "views_trouble"):
        del told["facts"]["contexts"][0][name]
    reply = decode_reply(msgspec.msgpack.encode(told))
    assert isinstance(reply, WorkerStatus)
    assert (reply.facts.contexts[0].views, reply.facts.contexts[0].views_trouble) == ((), "")
