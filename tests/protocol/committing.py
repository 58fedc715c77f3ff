"""A worker commits: one append at a time, and when it does not hear of it, claims again."""

from collections.abc import Iterator

from tests.protocol.answering import back, deliver, land, with_ask
from tests.protocol.step import Case, Step, away, commands_of, drop, in_flight, put
from tests.protocol.world import Ask, Fate, Phase, Worker, World


def appends(case: Case, world: World, number: int) -> Iterator[Step]:
    """All that was decided and is not on its way; one append at a time."""
    worker = world.workers[number]
    if worker.fate is Fate.NONE and len(worker.events) > worker.committed:
        sent = worker._replace(fate=Fate.SENT, upto=len(worker.events))
        yield Step("sends an append", number, str(in_flight(sent).events), put(world, number, sent))


def lands(case: Case, world: World, number: int) -> Iterator[Step]:
    """The journal executes it; the worker does not know yet."""
    worker = world.workers[number]
    if worker.fate is not Fate.SENT:
        return
    append = in_flight(worker)
    fate, after = land(world, append, case.rules.epoch_in_append, case.rules.sequence_key)
    what = {Fate.LANDED: "its append lands", Fate.FENCED: "its append is refused: fenced"}
    said = what.get(fate, "its append is refused: the key is there")
    yield Step(said, number, str(append.events), put(after, number, worker._replace(fate=fate)))


def hears(case: Case, world: World, number: int) -> Iterator[Step]:
    """The append's outcome reaches the worker."""
    worker = world.workers[number]
    if worker.fate is Fate.LANDED:
        ready = [held for held in worker.held if held.version <= worker.upto]
        rest = tuple(held for held in worker.held if held.version > worker.upto)
        after = worker._replace(committed=worker.upto, fate=Fate.NONE, upto=0, held=rest)
        for told in deliver(put(world, number, after), ready, case.commands):
            what = "hears that it landed, and answers"
            if told.left.lost < world.left.lost:
                what = "hears that it landed, and an answer is lost"
            yield Step(what, number, "", told)
    elif worker.fate is Fate.FENCED:
        yield Step("hears that it is fenced", number, "", drop(case, world, number))
    elif worker.fate is Fate.CORRUPT:
        void = world
        for held in worker.held:
            void = with_ask(void, held.operation, Ask.LOST)
        gone = away(worker, forget=worker.held, commands=case.commands)
        yield Step("hears of corruption, and stops", number, "", put(void, number, gone))


def never_hears(case: Case, world: World, number: int) -> Iterator[Step]:
    """A timeout or a lost connection: an append that was sent may still land."""
    worker, left = world.workers[number], world.left
    if worker.fate is Fate.NONE or not left.unknown:
        return
    after = world._replace(left=left._replace(unknown=left.unknown - 1))
    if worker.fate is Fate.SENT:
        after = after._replace(strays=(*world.strays, in_flight(worker)))
    settling = worker._replace(phase=Phase.SETTLING, fate=Fate.NONE)
    yield Step("does not hear what became of its append", number, "", put(after, number, settling))


def settles(case: Case, world: World, number: int) -> Iterator[Step]:
    """Claim again, read what landed, answer that and ask the rest anew."""
    worker, rules = world.workers[number], case.rules
    mine = worker.epoch == world.epoch or not rules.claim_only_what_was_seen
    after, what = world, "reads what landed"
    if rules.claim_again and mine:
        after, what = world._replace(epoch=world.epoch + 1), "claims again and reads what landed"
    elif rules.claim_again:
        what = "may not claim again, and reads what landed"
    expected = worker.events[worker.committed : worker.upto]
    landed = world.journal[worker.committed : worker.upto] == expected
    ready = [held for held in worker.held if landed and held.version <= worker.upto]
    rest = [held for held in worker.held if held not in ready]
    if mine:
        kept = tuple(c for c in worker.rejected if c not in commands_of(worker.held, case.commands))
        journal = world.journal
        settled = Worker(Phase.OPEN, after.epoch, False, worker.pulse, journal, len(journal), rejected=kept)
    else:
        settled = away(worker, worker.held, case.commands)
    if not rules.claim_again:
        settled = settled._replace(epoch=worker.epoch if mine else 0)
    after = put(back(after, rest), number, settled)
    for told in deliver(after, ready, case.commands):
        yield Step(what, number, "it landed" if landed else "it did not land", told)


def stray_lands(case: Case, world: World) -> Iterator[Step]:
    """An append that its worker has given up reaches the journal."""
    for stray in world.strays:
        strays = tuple(other for other in world.strays if other is not stray)
        rules = case.rules
        fate, after = land(world, stray, rules.epoch_in_append, rules.sequence_key)
        what = "an append lands late" if fate is Fate.LANDED else "a late append is refused"
        yield Step(what, -1, str(stray.events), after._replace(strays=strays))
