"""A worker decides: on its newest state, committed or not, and while its lease holds."""

from collections.abc import Iterator

from tests.protocol.answering import deliver, with_ask
from tests.protocol.linearizable import ask as asked
from tests.protocol.reservation import READ, REJECTED, Answer, accepts
from tests.protocol.step import Case, Step, put
from tests.protocol.world import Ask, Held, Pulse, Worker, World


def decides(case: Case, world: World, number: int) -> Iterator[Step]:
    """On the newest state, committed or not; the answer leaves now only if nothing is to be held."""
    worker = world.workers[number]
    if case.rules.lease_before_deciding and worker.pulse > Pulse.LATE:
        return
    for operation, command in enumerate(case.commands):
        if not _may_be_asked(case, world, operation):
            continue
        answer, after = _decide(case, worker, command)
        asking = world
        if world.asks[operation] is Ask.NEW:
            asking = world._replace(orders=asked(world.orders, operation, case.commands))
        held = Held(operation, answer, len(after.events))
        about = f"{command}: {answer}"
        if len(after.events) > after.committed and _holds(case, answer):
            after = after._replace(held=tuple(sorted((*after.held, held))))
            asking = with_ask(asking, operation, Ask.HELD)
            yield Step("decides and holds the answer", number, about, put(asking, number, after))
        else:
            for told in deliver(put(asking, number, after), [held], case.commands):
                what = "decides and answers"
                if told.left.lost < world.left.lost:
                    what = "decides, and the answer is lost"
                yield Step(what, number, about, told)


def _may_be_asked(case: Case, world: World, operation: int) -> bool:
    ask = world.asks[operation]
    if ask is Ask.NEW and operation and case.commands[operation - 1] == case.commands[operation]:
        # Tries of one command are alike: the earlier is asked first.
        return world.asks[operation - 1] is not Ask.NEW
    return ask <= Ask.WAITING


def _decide(case: Case, worker: Worker, command: str) -> tuple[Answer, Worker]:
    events = worker.events
    if command == READ:
        return Answer("shown", len(events)), worker
    known = case.rules.known_key_from_journal and command in events
    remembered = command in worker.rejected
    if known and (case.rules.journal_before_memory or not remembered):
        return Answer("accepted", events.index(command) + 1), worker
    if remembered:
        return REJECTED, worker
    if accepts(events, command):
        return Answer("accepted", len(events) + 1), worker._replace(events=(*events, command))
    if case.commands.count(command) > 1:
        worker = worker._replace(rejected=tuple(sorted((*worker.rejected, command))))
    return REJECTED, worker


def _holds(case: Case, answer: Answer) -> bool:
    rules = case.rules
    if answer.kind == "accepted":
        return rules.hold_acceptances
    return rules.hold_rejections if answer == REJECTED else rules.hold_reads
