"""The cluster's status as people and as scripts read it."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import groupby

import msgspec
from rich.table import Table

from actors.control.facts import ContextFacts, NodeFacts, WorkerFacts
from actors.control.operator import Owned, Survey
from gateway import view_table
from gateway.tables import console, table

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
    shown = console()
    shown.print(_nodes(survey.nodes))
    shown.print(_workers(survey))
    if survey.workers:
        shown.print(_contexts(survey))
        shown.print(_each_shard(survey) if each_shard else _shards(survey))
    for line in _concerns(survey, pins):
        shown.print(line, soft_wrap=True)


def _nodes(nodes: Iterable[NodeFacts]) -> Table:
    shown = table("NODE", "HOST", "GATEWAY", "VERSION", "UP>", "WORKERS>")
    for node in nodes:
        serving = sum(slot.state in ("serving", "replacing") for slot in node.slots)
        shown.add_row(
            node.node, node.host, node.address, node.version, _span(node.uptime), f"{serving}/{node.wanted}"
        )
    return shown


def _workers(survey: Survey) -> Table:
    shown = table("WORKER", "STATE", "PID>", "VERSION", "UP>", "ROLES", "IN FLIGHT>", "DEATHS>", "LAST WORDS")
    told = {worker.worker: worker for worker in survey.workers}
    for node in survey.nodes:
        for slot in node.slots:
            worker = told.pop(slot.worker, None)
            state = slot.state if slot.worker not in survey.silent else "silent"
            shown.add_row(
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
        shown.add_row(
            *(worker.worker, worker.state, str(worker.pid), worker.version, _span(worker.uptime)),
            *(",".join(worker.roles), str(worker.in_flight), "", ""),
        )
    for silent in set(survey.silent) - {slot.worker for node in survey.nodes for slot in node.slots}:
        shown.add_row(silent, "silent", "", "", "", "", "", "", "")
    return shown


def _contexts(survey: Survey) -> Table:
    shown = table(
        *("CONTEXT", "WORKER", "SHARDS>", "ACTIVE>", "PASSIVATED>", "RECOVERED>", "FAILURES>"),
        *("WAITING>", "RECOVERING>", "COMMIT QUEUE>", "SLOWEST"),
    )
    rows = [(facts.context, worker.worker, facts) for worker in survey.workers for facts in worker.contexts]
    for context, worker, facts in sorted(rows, key=lambda row: row[:2]):
        shown.add_row(
            *(context, worker, f"{len(facts.shards)}/{facts.of}", str(facts.active), str(facts.passivated)),
            *(str(facts.recovered), str(facts.failures), str(facts.waiting), str(facts.recovering)),
            *(str(facts.commit_queue), _slowest(facts)),
        )
    return shown


def _slowest(facts: ContextFacts) -> str:
    return ", ".join(f"{each.aggregate}/{each.id} {each.waiting}" for each in facts.slowest[:3])


def _shards(survey: Survey) -> Table:
    """A line for all shards of a context with the same owner and state."""
    groups: dict[tuple[str, str, str], list[Owned]] = defaultdict(list)
    for owned in survey.shards():
        groups[owned.context, owned.owner, owned.state].append(owned)
    shown = table("CONTEXT", "OWNER", "STATE", "COUNT>", "EPOCHS", "SHARDS")
    for (context, owner, state), group in sorted(groups.items()):
        epochs = {each.epoch for each in group}
        spread = f"{min(epochs)}-{max(epochs)}" if len(epochs) > 1 else str(*epochs)
        numbers = _ranges([each.shard for each in group])
        shown.add_row(context, owner, state, str(len(group)), spread, numbers)
    return shown


def _each_shard(survey: Survey) -> Table:
    shown = table("SHARD", "OWNER", "STATE", "EPOCH>", "LAST EVENT>")
    for owned in survey.shards():
        shown.add_row(
            *(f"{owned.context}/{owned.shard}", owned.owner, owned.state, str(owned.epoch), str(owned.seq))
        )
    return shown


def _concerns(survey: Survey, pins: Iterable[Pinned]) -> Iterable[str]:
    for context, shard, place in pins:
        yield f"pinned: {context}/{shard} to {place}"
    yield from view_table.concerns(survey)
    for worker in survey.workers:
        for facts in worker.contexts:
            for each in facts.quarantined:
                yield (
                    f"quarantined: {facts.context}/{each.aggregate}/{each.id} for {_span(each.seconds)}"
                    f" ({each.why})"
                )
            if facts.quarantines > len(facts.quarantined):
                yield f"quarantined: {facts.quarantines} entities of {facts.context} on {worker.worker}"
            if facts.views_trouble:
                yield f"trouble: {facts.context} on {worker.worker}: {facts.views_trouble}"
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
