"""What a worker tells of its views: all from memory, in one go on the loop."""

from collections import defaultdict

from actors.control.facts import ParkedFacts, PlaceFacts, ViewFacts
from actors.views.port import Generation
from actors.views.projections import Projections
from actors.views.projector import Projector

PARKED = 20
"""Parked shards that are told per generation; the others are counted."""


def view_facts(projections: Projections) -> tuple[ViewFacts, ...]:
    """Every generation there is, with the shards that are folded here."""
    folding: defaultdict[int, list[Projector]] = defaultdict(list)
    for (generation, _), projector in sorted(projections.projectors.items()):
        folding[generation].append(projector)
    return tuple(
        _of_generation(projections, one, folding[number])
        for number, one in sorted(projections.generations.items())
    )


def lag(projectors: list[Projector]) -> int:
    """Events that are committed and not folded."""
    return sum(max(0, projector.head - projector.seq) for projector in projectors)


def _of_generation(projections: Projections, one: Generation, projectors: list[Projector]) -> ViewFacts:
    known = projections.foldings.get(one.view)
    parked = [projector for projector in projectors if projector.parked]
    name = projections.region.name
    positions = {projector.shard: projector.seq for projector in projectors}
    return ViewFacts(
        view=one.view,
        generation=one.number,
        fingerprint=one.shape.fingerprint,
        live=one.live,
        paused=one.paused,
        foldable=known is not None and known.shape == one.shape,
        folded=sum(positions.values()),
        lag=lag(projectors),
        seconds=round(projections.freshness.behind(positions), 3) if one.live else 0.0,
        waiting=sum(projector.waiting_rows for projector in projectors),
        places=tuple(
            PlaceFacts(shard=p.shard, seq=p.seq, head=max(p.seq, p.head), state=str(p.state))
            for p in projectors
        ),
        parked=tuple(_parked(name, projector) for projector in parked[:PARKED]),
        parks=len(parked),
    )


def _parked(context: str, projector: Projector) -> ParkedFacts:
    failure = projector.failure
    assert failure is not None
    return ParkedFacts(
        shard=projector.shard,
        seq=failure.seq,
        position=f"{context}/{projector.shard}:{failure.seq}",
        event=failure.event,
        entity=failure.entity,
        version=failure.version,
        error=failure.error,
        attempts=projector.attempts,
    )
