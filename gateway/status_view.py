"""The cluster's status as people and as scripts read it."""

import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import groupby

import msgspec
from rich.console import Console
from rich.table import Table

from actors.control.facts import ContextFacts, NodeFacts, WorkerFacts
from actors.control.operator import Owned, Survey

WIDTH = 240
"""Columns of a line where there is no terminal."""
Pinned = tuple[str, int, str]
"""Context, shard, place."""


class Pin(msgspec.Struct, frozen=True):
    """A pin, as scripts read it."""

    context: str
    shard: int
    place: str


class Document(msgspec.Struct, frozen=True):
    """What ``butai status --json`` prints."""

    nodes: Sequence[NodeFacts]
    workers: Sequence[WorkerFacts]
    silent: Sequence[str]
    """Workers that should be there and did not answer."""
    shards: Sequence[Owned]
    not_open: Sequence[str]
    """Shards without exactly one owner that serves them, as ``context/number``."""
    pins: Sequence[Pin]


def as_json(survey: Survey, pins: Iterable[Pinned]) -> str:
    """One object."""
    document = Document(
        survey.nodes,
        survey.workers,
        survey.silent,
        survey.shards(),
        survey.not_open(),
        [Pin(*pin) for pin in pins],
    )
    return msgspec.json.encode(document).decode()


def show(survey: Survey, pins: Sequence[Pinned], each_shard: bool) -> None:
    """Tables on stdout."""
    # Into a file or a pipe nothing is folded: who reads it there takes it apart by lines.
    width = None if sys.stdout.isatty() else WIDTH
    console = Console(file=sys.stdout, highlight=False, markup=False, width=width)
    console.print(_nodes(survey.nodes))
    console.print(_workers(survey))
    if survey.workers:
        console.print(_contexts(survey))
        console.print(_each_shard(survey) if each_shard else _shards(survey))
    for line in _concerns(survey, pins):
        console.print(line, soft_wrap=True)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        name = column.removesuffix(">")
        table.add_column(name, justify="right" if column.endswith(">") else "left", overflow="fold")
    return table


def _nodes(nodes: Iterable[NodeFacts]) -> Table:
    table = _table("NODE", "HOST", "GATEWAY", "VERSION", "UP>", "WORKERS>")
    for node in nodes:
        serving = sum(slot.state in ("serving", "replacing") for slot in node.slots)
        table.add_row(
            node.node, node.host, node.address, node.version, _span(node.uptime), f"{serving}/{node.wanted}"
        )
    return table


def _workers(survey: Survey) -> Table:
    table = _table(
        "WORKER", "STATE", "PID>", "VERSION", "UP>", "ROLES", "IN FLIGHT>", "DEATHS>", "LAST WORDS"
    )
    told = {worker.worker: worker for worker in survey.workers}
    for node in survey.nodes:
        for slot in node.slots:
            worker = told.pop(slot.worker, None)
            state = slot.state if slot.worker not in survey.silent else "silent"
            table.add_row(
                slot.worker or f"{node.node}-{slot.slot}",
                state if worker is None or worker.state == "serving" else worker.state,
                str(slot.pid or ""),
                worker.version if worker else "",
                _span(slot.uptime),
                ",".join(worker.roles) if worker else "",
                str(worker.in_flight) if worker else "",
                str(slot.deaths),
                slot.last_words,
            )
    for worker in told.values():
        # Its node did not answer, or it was replaced a moment ago.
        table.add_row(
            *(worker.worker, worker.state, str(worker.pid), worker.version, _span(worker.uptime)),
            *(",".join(worker.roles), str(worker.in_flight), "", ""),
        )
    for silent in set(survey.silent) - {slot.worker for node in survey.nodes for slot in node.slots}:
        table.add_row(silent, "silent", "", "", "", "", "", "", "")
    return table


def _contexts(survey: Survey) -> Table:
    table = _table(
        *("CONTEXT", "WORKER", "SHARDS>", "ACTIVE>", "PASSIVATED>", "RECOVERED>", "FAILURES>"),
        *("WAITING>", "RECOVERING>", "COMMIT QUEUE>", "SLOWEST"),
    )
    rows = [(facts.context, worker.worker, facts) for worker in survey.workers for facts in worker.contexts]
    for context, worker, facts in sorted(rows, key=lambda row: row[:2]):
        table.add_row(
            *(context, worker, f"{len(facts.shards)}/{facts.of}", str(facts.active), str(facts.passivated)),
            *(str(facts.recovered), str(facts.failures), str(facts.waiting), str(facts.recovering)),
            *(str(facts.commit_queue), _slowest(facts)),
        )
    return table


def _slowest(facts: ContextFacts) -> str:
    return ", ".join(f"{each.aggregate}/{each.id} {each.waiting}" for each in facts.slowest[:3])


def _shards(survey: Survey) -> Table:
    """A line for all shards of a context with the same owner and state."""
    groups: dict[tuple[str, str, str], list[Owned]] = defaultdict(list)
    for owned in survey.shards():
        groups[owned.context, owned.owner, owned.state].append(owned)
    table = _table("CONTEXT", "OWNER", "STATE", "COUNT>", "EPOCHS", "SHARDS")
    for (context, owner, state), group in sorted(groups.items()):
        epochs = {each.epoch for each in group}
        spread = f"{min(epochs)}-{max(epochs)}" if len(epochs) > 1 else str(*epochs)
        numbers = _ranges([each.shard for each in group])
        table.add_row(context, owner, state, str(len(group)), spread, numbers)
    return table


def _each_shard(survey: Survey) -> Table:
    table = _table("SHARD", "OWNER", "STATE", "EPOCH>", "LAST EVENT>")
    for owned in survey.shards():
        table.add_row(
            *(f"{owned.context}/{owned.shard}", owned.owner, owned.state, str(owned.epoch), str(owned.seq))
        )
    return table


def _concerns(survey: Survey, pins: Iterable[Pinned]) -> Iterable[str]:
    for context, shard, place in pins:
        yield f"pinned: {context}/{shard} to {place}"
    for worker in survey.workers:
        for facts in worker.contexts:
            for each in facts.quarantined:
                yield (
                    f"quarantined: {facts.context}/{each.aggregate}/{each.id} for {_span(each.seconds)}"
                    f" ({each.why})"
                )
            if facts.quarantines > len(facts.quarantined):
                yield f"quarantined: {facts.quarantines} entities of {facts.context} on {worker.worker}"
            if facts.trouble:
                yield f"trouble: {facts.context} on {worker.worker}: {facts.trouble}"
        if worker.note:
            yield f"left out: {worker.worker}: {worker.note}"
    for node in survey.nodes:
        if node.trouble:
            yield f"trouble: node {node.node}: {node.trouble}"
    for worker_id in survey.silent:
        yield f"silent: {worker_id}"
    missing = survey.not_open()
    if missing:
        yield f"not served: {len(missing)} shards ({', '.join(missing[:8])}{', ...' if missing[8:] else ''})"


def _ranges(numbers: Sequence[int]) -> str:
    """Ascending numbers, neighbours put together: ``0-3,7``."""
    parts = []
    for _, run in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0]):
        members = [number for _, number in run]
        parts.append(str(members[0]) if len(members) == 1 else f"{members[0]}-{members[-1]}")
    return ",".join(parts)


def _span(seconds: float) -> str:
    """A duration in at most two units."""
    whole = int(seconds)
    for size, name, below, lower in ((86_400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s")):
        if whole >= size:
            return f"{whole // size}{name}{whole % size // below}{lower}"
    return f"{whole}s"
