"""Views as people and as scripts read them."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter

import msgspec

from actors.control.facts import ParkedFacts, PlaceFacts
from actors.control.operator import Survey
from actors.control.view_survey import ViewSurvey, view_surveys
from gateway.tables import console, table


class Parked(msgspec.Struct, frozen=True):
    """A parked shard, as scripts read it."""

    worker: str
    event: ParkedFacts


class Listed(msgspec.Struct, frozen=True):
    """A generation of a view, as scripts read it; see ``ViewSurvey``."""

    context: str
    view: str
    generation: int
    fingerprint: str
    live: bool
    paused: bool
    state: str
    folded: int
    lag: int
    seconds: float
    progress: float
    still: int
    parks: int
    parked: list[Parked]


class Shards(msgspec.Struct, frozen=True):
    """How far a generation is, as scripts read it."""

    generation: int
    live: bool
    shards: list[PlaceFacts]


def as_json(views: Iterable[ViewSurvey]) -> str:
    """What ``butai views list --json`` prints."""
    return msgspec.json.encode({"views": [_listed(view) for view in views]}).decode()


def positions_as_json(views: Sequence[ViewSurvey]) -> str:
    """What ``butai views positions --json`` prints."""
    told = [Shards(view.generation, view.live, list(view.places().values())) for view in views]
    named = {"context": views[0].context, "view": views[0].view, "generations": told}
    return msgspec.json.encode(named).decode()


def show(views: Sequence[ViewSurvey]) -> None:
    """A line for each generation, and one for each event that a shard is parked with."""
    shown = table("CONTEXT", "VIEW", "GENERATION>", "STATE", "FOLDED>", "BEHIND>", "PARKED>")
    for view in views:
        shown.add_row(
            *(view.context, view.view, str(view.generation), view.state, f"{view.folded:,}"),
            *(f"{view.lag:,}", str(view.parks or "")),
        )
    out = console()
    out.print(shown)
    for view in views:
        for worker, event in view.parked():
            out.print(
                f"parked: view {view.view} of {view.context} at {told(event)}, {event.attempts} attempts,"
                f" on {worker}",
                soft_wrap=True,
            )


def show_positions(views: Sequence[ViewSurvey]) -> None:
    """A line for each shard in each generation."""
    shown = table("GENERATION>", "", "SHARD>", "FOLDED UP TO>", "LAST EVENT>", "STATE")
    for view in views:
        for shard, place in view.places().items():
            shown.add_row(
                *(str(view.generation), "live" if view.live else "building"),
                *(f"{view.context}/{shard}", str(place.seq), str(place.head), place.state),
            )
    console().print(shown)


def concerns(survey: Survey) -> Iterator[str]:
    """A line for each view that does not simply follow."""
    for _, generations in groupby(view_surveys(survey), key=attrgetter("context", "view")):
        found = list(generations)
        for view in found:
            if view.state == "live":
                continue
            line = f"view: {view.view} of {view.context}: generation {view.generation} is {view.state}"
            parked = view.parked()
            if view.lag and "catching up" in view.state:
                line += f", {view.lag:,} events behind"
            if parked:
                line += f" at {told(parked[0][1])}"
            if view.parks > 1:
                line += f"; shards parked: {view.parks}"
            yield line


def told(event: ParkedFacts) -> str:
    """Where a shard is parked, with what, and why."""
    return f"{event.position} ({event.event} of {event.entity}, version {event.version}: {event.error})"


def _listed(view: ViewSurvey) -> Listed:
    return Listed(
        **{name: getattr(view, name) for name in Listed.__struct_fields__ if name != "parked"},
        parked=[Parked(worker, event) for worker, event in view.parked()],
    )
