"""Workers that tell of views, as values."""

from typing import Any

from actors.control.facts import (
    ContextFacts,
    ParkedFacts,
    PlaceFacts,
    ShardFacts,
    ViewFacts,
    WorkerFacts,
)
from actors.control.operator import Survey
from actors.control.view_survey import ViewSurvey, view_surveys


def parked(shard: int, seq: int) -> ParkedFacts:
    return ParkedFacts(
        shard=shard,
        seq=seq,
        position=f"booking/{shard}:{seq}",
        event="Reserved",
        entity="space/maple",
        version=4,
        error="KeyError: 'guest'",
        attempts=6,
    )


def place(shard: int, seq: int, head: int, state: str = "following") -> PlaceFacts:
    return PlaceFacts(shard=shard, seq=seq, head=head, state=state)


def view(generation: int, *places: PlaceFacts, **other: Any) -> ViewFacts:
    """A generation as one worker folds it."""
    facts: dict[str, Any] = {
        "view": "diary",
        "generation": generation,
        "fingerprint": "0123456789abcdef",
        "live": True,
        "paused": False,
        "foldable": True,
        "folded": sum(one.seq for one in places),
        "lag": sum(one.head - one.seq for one in places),
        "seconds": 0.0,
        "waiting": 0,
        "places": places,
    }
    return ViewFacts(**{**facts, **other})


def worker(name: str, shards: dict[int, int], *views: ViewFacts) -> WorkerFacts:
    """A worker with these shards, by number and last event."""
    context = ContextFacts(
        context="booking",
        of=4,
        shards=tuple(
            ShardFacts(shard=n, epoch=1, state="open", seq=seq, active=0) for n, seq in shards.items()
        ),
        active=0,
        passivated=0,
        recovered=0,
        failures=0,
        waiting=0,
        recovering=0,
        commit_queue=0,
        views=views,
    )
    return WorkerFacts(
        worker=name,
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
        contexts=(context,),
    )


def surveys(*workers: WorkerFacts) -> list[ViewSurvey]:
    return view_surveys(Survey([], list(workers), []))
