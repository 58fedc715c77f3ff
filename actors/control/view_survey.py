"""The views of the cluster, put together from what all workers tell."""

from collections.abc import Iterable

import msgspec

from actors.control.facts import ContextFacts, ParkedFacts, PlaceFacts, ShardFacts, ViewFacts, WorkerFacts
from actors.control.operator import Survey
from actors.views.projector import ProjectorState


class Part(msgspec.Struct, frozen=True):
    """What one worker has of a generation."""

    worker: str
    facts: ViewFacts


class ViewSurvey(msgspec.Struct, frozen=True):
    """One generation of a view, in the whole cluster."""

    context: str
    view: str
    generation: int
    fingerprint: str
    live: bool
    paused: bool
    folded: int
    """Events that are folded."""
    lag: int
    """Events that are committed and not folded, where that is known."""
    seconds: float
    """For how long the oldest of them has been waiting."""
    still: int
    """Shards whose workers' release cannot fold it: they wait for a newer release, or for an older one."""
    progress: float
    """The part that is folded, 0 to 1."""
    state: str
    """In words: ``live`` or ``building 63 %``, and what else is to be said."""
    parks: int
    """Parked shards; more than are listed when there are many."""
    parts: list[Part]

    def parked(self) -> list[tuple[str, ParkedFacts]]:
        """The worker and the event of each parked shard that is listed."""
        return sorted(
            ((part.worker, parked) for part in self.parts for parked in part.facts.parked),
            key=lambda found: (found[1].shard, found[0]),
        )

    def places(self) -> dict[int, PlaceFacts]:
        """How far each shard is, by number; of a shard that moves, what is further."""
        found: dict[int, PlaceFacts] = {}
        for part in self.parts:
            for place in part.facts.places:
                if place.shard not in found or found[place.shard].seq < place.seq:
                    found[place.shard] = place
        return dict(sorted(found.items()))


def view_surveys(survey: Survey) -> list[ViewSurvey]:
    """Every generation that somebody tells of, by context, view and number."""
    parts: dict[tuple[str, str, int], list[Part]] = {}
    for worker in survey.workers:
        for context in worker.contexts:
            for facts in context.views:
                key = (context.context, facts.view, facts.generation)
                parts.setdefault(key, []).append(Part(worker.worker, facts))
    return [
        _put_together(context, generation, found, survey.workers)
        for (context, _, generation), found in sorted(parts.items())
    ]


def _put_together(
    context: str, generation: int, parts: list[Part], workers: Iterable[WorkerFacts]
) -> ViewSurvey:
    facts = [part.facts for part in parts]
    folded, lag = sum(one.folded for one in facts), sum(one.lag for one in facts)
    foldable = {part.worker for part in parts if part.facts.foldable}
    heads = [
        shard.seq
        for worker in workers
        if worker.worker not in foldable
        for shard in _of(context, worker.contexts)
        if shard.seq
    ]
    live, paused = any(one.live for one in facts), any(one.paused for one in facts)
    whole = folded + lag + sum(heads)
    progress = folded / whole if whole else 1.0
    parks = sum(one.parks for one in facts)
    states = {place.state for one in facts for place in one.places}
    return ViewSurvey(
        context=context,
        view=facts[0].view,
        generation=generation,
        fingerprint=facts[0].fingerprint,
        live=live,
        paused=paused,
        folded=folded,
        lag=lag,
        seconds=max(one.seconds for one in facts),
        still=len(heads),
        progress=round(progress, 4),
        state=_words(live, progress, paused, parks, states, len(heads)),
        parks=parks,
        parts=parts,
    )


def _of(context: str, contexts: Iterable[ContextFacts]) -> Iterable[ShardFacts]:
    return (shard for one in contexts if one.context == context for shard in one.shards)


def _words(live: bool, progress: float, paused: bool, parks: int, states: set[str], still: int) -> str:
    words = ["live" if live else f"building {int(100 * progress)} %"]
    if paused:
        words.append("paused")
    if parks:
        words.append("parked")
    if ProjectorState.RETRYING in states:
        words.append("retrying")
    if live and ProjectorState.CATCHING_UP in states:
        words.append("catching up")
    if still:
        words.append(f"standing still on {still} shard{'' if still == 1 else 's'}")
    return ", ".join(words)
