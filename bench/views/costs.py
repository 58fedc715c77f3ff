"""What views cost the commands, and what reading a document costs."""

from pathlib import Path

from bench import served, spaces
from bench.cluster import Extent, Tell
from bench.cluster.costs import SPACES
from bench.cluster.turns import Side, Turns
from bench.rounds import Rounds
from bench.wrk import Load

DOCUMENTS = 1_000
WARM_UP = 2.0
UNVIEWED = {"contexts": "[bench.views.unviewed]"}
VIEWED = {"contexts": "[bench.views.viewed]"}


def cost(folder: Path, extent: Extent, tell: Tell) -> dict[str, list[float]]:
    """Durable commands per second with three views that each of them changes, to those without any."""
    with (
        served.butai(folder / "without", folder / "without.log", UNVIEWED) as without,
        served.butai(folder / "with", folder / "with.log", VIEWED) as viewed,
    ):
        for node in (without, viewed):
            spaces.post_all(node.url, spaces.opened("spread", SPACES))
        base = Side("without", without.url, without.cpu_seconds)
        turns = Turns(
            Load("reserve", SPACES, "spread"), base, Side("with", viewed.url, viewed.cpu_seconds), tell
        )
        turns.run(extent.rounds, extent.seconds)
    return {"views cost": [(1 - rate) * 100 for rate in turns.rates()], "views cpu": turns.cpus()}


def document(folder: Path, extent: Extent, tell: Tell) -> dict[str, list[float]]:
    """GETs of documents per second, to requests of the bare handler."""
    with served.bare() as bare, served.butai(folder / "data", folder / "node.log", VIEWED) as butai:
        spaces.post_all(butai.url, spaces.opened("quiet", DOCUMENTS))
        spaces.post_all(butai.url, spaces.reserved("quiet", DOCUMENTS))
        run = Rounds(bare, butai, lambda _name, _number: Load("document", DOCUMENTS, "quiet"), tell)
        row = run.run(["document"], extent.rounds, extent.seconds, WARM_UP)[1]
    return {"document/bare": [one.rate for one in row.compared]}
