"""What durable commands cost on another journal, with another worker, and on another worker's shard."""

from pathlib import Path

from actors.settings import Settings
from bench import process, proof, served, spaces
from bench.cluster import Extent, Tell, backends
from bench.cluster.turns import Side, Turns
from bench.rounds import Rounds
from bench.wrk import Load

SPACES = 2_000
"""Fewer than in the first table, to have them opened sooner; over 64 shards they are as many to each."""
LOAD = Load("reserve", SPACES, "spread")
WARM_UP = 2.0
CONTEXT = "booking"


def postgres(folder: Path, extent: Extent, tell: Tell) -> dict[str, list[float]]:
    """Commands per second of one worker on PostgreSQL, to requests of the bare handler."""
    with backends.postgres(folder) as store:
        url = store.database("butai")
        with (
            served.bare() as bare,
            served.butai(folder / "data", folder / "node.log", {"journal": url}) as butai,
        ):
            spaces.post_all(butai.url, spaces.opened("spread", SPACES))
            run = Rounds(bare, butai, lambda _name, _number: LOAD, tell)
            row = run.run(["postgres"], extent.rounds, extent.seconds, WARM_UP)[1]
        proof.check((seen for _, seen in run.slices), proof.stored_in_postgres(url, CONTEXT))
    return {"postgres/bare": [one.rate for one in row.compared]}


def workers(folder: Path, extent: Extent, tell: Tell) -> dict[str, list[float]]:
    """Commands per second of two workers of a node, to those of one; both nodes on SQLite."""
    data = {name: folder / name for name in ("one", "two")}
    with (
        served.butai(data["one"], folder / "one.log", {"workers": 1}) as one,
        served.butai(data["two"], folder / "two.log", {"workers": 2}) as two,
    ):
        for node in (one, two):
            spaces.post_all(node.url, spaces.opened("spread", SPACES))
        turns = Turns(LOAD, _side("one", one), _side("two", two), tell)
        turns.run(extent.rounds, extent.seconds)
    for name, slices in turns.slices.items():
        proof.check(slices, proof.stored(Path(Settings(data=str(data[name])).journal_file(CONTEXT))))
    return {"two/one": turns.rates(), "two/one cpu": turns.cpus()}


def hop(folder: Path, extent: Extent, tell: Tell) -> dict[str, list[float]]:
    """CPU time of a command through a gateway that owns no shard, to that of one through its owner's."""
    with backends.postgres(folder) as store, backends.nats(folder / "nats") as bus:
        urls = {name: store.database(name) for name in ("here", "away")}
        sets = {
            name: {"cluster": name, "bus": bus.url, "journal": url, "workers": 1}
            for name, url in urls.items()
        }
        away = sets["away"]
        with (
            served.butai(folder / "here", folder / "here.log", sets["here"]) as here,
            served.butai(folder / "owner", folder / "owner.log", away | {"node.roles": "[actors]"}) as owner,
            served.butai(folder / "edge", folder / "edge.log", away | {"node.roles": "[gateway]"}) as edge,
        ):
            for node in (here, edge):
                spaces.post_all(node.url, spaces.opened("spread", SPACES))
            base = _side("here", here, others=[bus.pid])
            other = _side("away", edge, others=[bus.pid, *owner.everyone()])
            turns = Turns(LOAD, base, other, tell)
            turns.run(extent.rounds, extent.seconds)
        for name, slices in turns.slices.items():
            proof.check(slices, proof.stored_in_postgres(urls[name], CONTEXT))
    return {"hop": turns.cpus(), "hop rate": turns.rates()}


def _side(name: str, node: served.Node, others: list[int] | None = None) -> Side:
    """All processes of a node, and ``others``."""
    pids = [*node.everyone(), *(others or [])]
    return Side(name, node.url, lambda: sum(map(process.cpu_seconds, pids)))
