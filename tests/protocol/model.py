"""Every step that the protocol, or a failure, can take from a state.

What is left out because it can show no further fault: an answer arrives when it leaves (a later arrival only
allows more orders), an operation is asked when it is first decided (an earlier asking likewise), and a
stopped process is one that takes no step (any worker may take none for any time; what its stop changes for
others is its heartbeat, which falls silent).
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from tests.protocol.answering import back, deliver, land, with_ask
from tests.protocol.linearizable import ask as asked
from tests.protocol.reservation import READ, REJECTED, Answer, accepts
from tests.protocol.rules import Rules
from tests.protocol.world import Append, Ask, Bounds, Fate, Held, Phase, Pulse, Worker, World

SERVING = (Phase.OPEN, Phase.LEAVING, Phase.SETTLING)


class Step(NamedTuple):
    """One step: what happens, to which worker (-1: to none), and the state after it."""

    what: str
    worker: int
    about: str
    world: World


class Model(NamedTuple):
    """``commands``: what each operation asks for; equal ones are tries of one command, with one key."""

    commands: tuple[str, ...]
    rules: Rules
    bounds: Bounds

    def steps(self, world: World) -> Iterator[Step]:
        """All of them; none once a fault is found."""
        if world.fault or self._over(world):
            return
        for number in (0, 1):
            for actions in _BY_PHASE[world.workers[number].phase]:
                yield from actions(self, world, number)
        yield from self._stray_lands(world)

    def _over(self, world: World) -> bool:
        """Nothing can be answered or appended any more."""
        done = Ask.WAITING not in world.asks and Ask.NEW not in world.asks and Ask.HELD not in world.asks
        return done and not world.strays and all(w.committed == len(w.events) for w in world.workers)

    # Deciding ------------------------------------------------------------------------------------------

    def decides(self, world: World, number: int) -> Iterator[Step]:
        """On the newest state, committed or not; the answer leaves now only if nothing is to be held."""
        worker = world.workers[number]
        if self.rules.lease_before_deciding and worker.pulse > Pulse.LATE:
            return
        for operation, command in enumerate(self.commands):
            if not self._may_be_asked(world, operation):
                continue
            answer, after = self._decide(worker, command)
            asking = world
            if world.asks[operation] is Ask.NEW:
                asking = world._replace(orders=asked(world.orders, operation, self.commands))
            held = Held(operation, answer, len(after.events))
            about = f"{command}: {answer.kind} {answer.version or ''}".strip()
            if len(after.events) > after.committed and self._holds(answer):
                after = after._replace(held=tuple(sorted((*after.held, held))))
                asking = with_ask(asking, operation, Ask.HELD)
                yield Step("decides and holds the answer", number, about, put(asking, number, after))
            else:
                for told in deliver(put(asking, number, after), [held], self.commands):
                    what = "decides and answers"
                    if told.left.lost < world.left.lost:
                        what = "decides, and the answer is lost"
                    yield Step(what, number, about, told)

    def _may_be_asked(self, world: World, operation: int) -> bool:
        ask = world.asks[operation]
        if ask is Ask.NEW and operation and self.commands[operation - 1] == self.commands[operation]:
            # Tries of one command are alike: the earlier is asked first.
            return world.asks[operation - 1] is not Ask.NEW
        return ask <= Ask.WAITING

    def _decide(self, worker: Worker, command: str) -> tuple[Answer, Worker]:
        events = worker.events
        if command == READ:
            return Answer("shown", len(events)), worker
        known = self.rules.known_key_from_journal and command in events
        remembered = command in worker.rejected
        if known and (self.rules.journal_before_memory or not remembered):
            return Answer("accepted", events.index(command) + 1), worker
        if remembered:
            return REJECTED, worker
        if accepts(events, command):
            return Answer("accepted", len(events) + 1), worker._replace(events=(*events, command))
        if self.commands.count(command) > 1:
            worker = worker._replace(rejected=tuple(sorted((*worker.rejected, command))))
        return REJECTED, worker

    def _holds(self, answer: Answer) -> bool:
        rules = self.rules
        if answer.kind == "accepted":
            return rules.hold_acceptances
        return rules.hold_rejections if answer == REJECTED else rules.hold_reads

    # Committing ----------------------------------------------------------------------------------------

    def appends(self, world: World, number: int) -> Iterator[Step]:
        """All that was decided and is not on its way; one append at a time."""
        worker = world.workers[number]
        if worker.fate is Fate.NONE and len(worker.events) > worker.committed:
            sent = worker._replace(fate=Fate.SENT, upto=len(worker.events))
            yield Step("sends an append", number, str(_in_flight(sent).events), put(world, number, sent))

    def lands(self, world: World, number: int) -> Iterator[Step]:
        """The journal executes it; the worker does not know yet."""
        worker = world.workers[number]
        if worker.fate is not Fate.SENT:
            return
        append = _in_flight(worker)
        fate, after = land(world, append, self.rules.epoch_in_append, self.rules.sequence_key)
        what = {Fate.LANDED: "its append lands", Fate.FENCED: "its append is refused: fenced"}
        said = what.get(fate, "its append is refused: the key is there")
        yield Step(said, number, str(append.events), put(after, number, worker._replace(fate=fate)))

    def hears(self, world: World, number: int) -> Iterator[Step]:
        """The append's outcome reaches the worker."""
        worker = world.workers[number]
        if worker.fate is Fate.LANDED:
            ready = [held for held in worker.held if held.version <= worker.upto]
            rest = tuple(held for held in worker.held if held.version > worker.upto)
            after = worker._replace(committed=worker.upto, fate=Fate.NONE, upto=0, held=rest)
            for told in deliver(put(world, number, after), ready, self.commands):
                what = "hears that it landed, and answers"
                if told.left.lost < world.left.lost:
                    what = "hears that it landed, and an answer is lost"
                yield Step(what, number, "", told)
        elif worker.fate is Fate.FENCED:
            yield Step("hears that it is fenced", number, "", self._drop(world, number))
        elif worker.fate is Fate.CORRUPT:
            void = world
            for held in worker.held:
                void = with_ask(void, held.operation, Ask.LOST)
            gone = _away(worker, forget=worker.held, commands=self.commands)
            yield Step("hears of corruption, and stops", number, "", put(void, number, gone))

    def never_hears(self, world: World, number: int) -> Iterator[Step]:
        """A timeout or a lost connection: an append that was sent may still land."""
        worker, left = world.workers[number], world.left
        if worker.fate is Fate.NONE or not left.unknown:
            return
        after = world._replace(left=left._replace(unknown=left.unknown - 1))
        if worker.fate is Fate.SENT:
            after = after._replace(strays=(*world.strays, _in_flight(worker)))
        settling = worker._replace(phase=Phase.SETTLING, fate=Fate.NONE)
        yield Step("does not hear what became of its append", number, "", put(after, number, settling))

    def settles(self, world: World, number: int) -> Iterator[Step]:
        """Claim again, read what landed, answer that and ask the rest anew."""
        worker, rules = world.workers[number], self.rules
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
            kept = tuple(c for c in worker.rejected if c not in _commands(worker.held, self.commands))
            journal = world.journal
            settled = Worker(
                Phase.OPEN, after.epoch, False, worker.pulse, journal, len(journal), rejected=kept
            )
        else:
            settled = _away(worker, worker.held, self.commands)
        if not rules.claim_again:
            settled = settled._replace(epoch=worker.epoch if mine else 0)
        after = put(back(after, rest), number, settled)
        for told in deliver(after, ready, self.commands):
            yield Step(what, number, "it landed" if landed else "it did not land", told)

    def _stray_lands(self, world: World) -> Iterator[Step]:
        for stray in world.strays:
            strays = tuple(other for other in world.strays if other is not stray)
            rules = self.rules
            fate, after = land(world, stray, rules.epoch_in_append, rules.sequence_key)
            what = "an append lands late" if fate is Fate.LANDED else "a late append is refused"
            yield Step(what, -1, str(stray.events), after._replace(strays=strays))

    # Owning --------------------------------------------------------------------------------------------

    def leaves(self, world: World, number: int) -> Iterator[Step]:
        """Stop deciding."""
        worker, left = world.workers[number], world.left
        if left.handovers:
            after = world._replace(left=left._replace(handovers=left.handovers - 1))
            leaving = worker._replace(phase=Phase.LEAVING)
            if self.rules.stop_before_release:
                yield Step("stops deciding, to leave", number, "", put(after, number, leaving))
            else:
                yield Step("says released", number, "", after._replace(word=worker.epoch))

    def releases(self, world: World, number: int) -> Iterator[Step]:
        """Say so when all that was decided is committed and answered."""
        worker = world.workers[number]
        if len(worker.events) > worker.committed or worker.held:
            if not self.rules.commit_before_release and world.word != worker.epoch:
                yield Step("says released", number, "", world._replace(word=worker.epoch))
            return
        after = world._replace(word=max(world.word, worker.epoch))
        yield Step("says released", number, "", put(after, number, _away(worker, (), self.commands)))

    def wants(self, world: World, number: int) -> Iterator[Step]:
        """Decide to claim: on word of the last owner, after its silence, or when nobody can be serving."""
        rules, worker, other = self.rules, world.workers[number], world.workers[1 - number]
        stale = not rules.claim_only_what_was_seen
        if world.word and (world.word == world.epoch or stale):
            claiming = worker._replace(phase=Phase.CLAIMING, epoch=world.word)
            yield Step("wants the shard: it was released", number, "", put(world, number, claiming))
        silent = Pulse.GONE if rules.wait_for_the_silent else Pulse.LATE
        if other.phase in SERVING and silent <= other.pulse <= Pulse.GONE:
            claiming = worker._replace(phase=Phase.CLAIMING, epoch=world.epoch, silently=True)
            yield Step("wants the shard: its owner is silent", number, "", put(world, number, claiming))
        elif other.phase is Phase.AWAY and world.word != world.epoch:
            claiming = worker._replace(phase=Phase.CLAIMING, epoch=world.epoch)
            yield Step("wants the shard: all have said they stopped", number, "", put(world, number, claiming))

    def claims(self, world: World, number: int) -> Iterator[Step]:
        """Raise the epoch and replay."""
        worker, rules = world.workers[number], self.rules
        if rules.claim_only_what_was_seen and worker.epoch != world.epoch:
            given_up = _away(worker, (), self.commands)
            yield Step("claims in vain: the epoch has moved", number, "", put(world, number, given_up))
            return
        epoch, journal = world.epoch + 1, world.journal
        looks = worker.silently and rules.look_after_claiming
        phase = Phase.CLAIMED if looks else Phase.OPEN
        owner = Worker(phase, epoch, events=journal, committed=len(journal), rejected=worker.rejected)
        after = world._replace(epoch=epoch)
        yield Step("claims" if looks else "claims and serves", number, "", put(after, number, owner))

    def looks(self, world: World, number: int) -> Iterator[Step]:
        """Serve once the old owner is silent still, since it finds its epoch gone when it comes back, or has
        stopped. While neither is so it may be deciding: the claim alone does not end its lease."""
        worker, other = world.workers[number], world.workers[1 - number]
        if other.pulse is Pulse.GONE or other.phase not in SERVING:
            serving = worker._replace(phase=Phase.OPEN)
            yield Step("looks again, and serves", number, "", put(world, number, serving))

    def hears_of_a_claim(self, world: World, number: int) -> Iterator[Step]:
        """Another owner's claim reaches it."""
        if world.workers[number].epoch != world.epoch:
            after = self._found_fenced(world, number)
            yield Step("hears that the shard is claimed, and stops deciding", number, "", after)

    def _drop(self, world: World, number: int) -> World:
        worker = world.workers[number]
        return put(back(world, worker.held), number, _away(worker, worker.held, self.commands))

    # Failing -------------------------------------------------------------------------------------------

    def crashes(self, world: World, number: int) -> Iterator[Step]:
        """Die and begin anew with nothing; its node says so. The gateway asks again what was under way."""
        worker, left = world.workers[number], world.left
        if not left.crashes:
            return
        after = world._replace(left=left._replace(crashes=left.crashes - 1))
        after = back(after, worker.held)
        if worker.phase in SERVING:
            # The death of one who claimed and did not serve says nothing of the owner before it.
            after = after._replace(word=max(after.word, worker.epoch))
        if worker.fate is Fate.SENT:
            after = after._replace(strays=(*after.strays, _in_flight(worker)))
        yield Step("crashes", number, "", put(after, number, Worker()))

    def falls_silent(self, world: World, number: int) -> Iterator[Step]:
        """Stopped, or cut off: its heartbeats do not come."""
        left, worker = world.left, world.workers[number]
        if worker.pulse is Pulse.BEATING and left.silences:
            after = world._replace(left=left._replace(silences=left.silences - 1))
            late = worker._replace(pulse=Pulse.LATE)
            yield Step("falls silent (stopped, or cut off)", number, "", put(after, number, late))

    def time_passes(self, world: World, number: int) -> Iterator[Step]:
        """Silent so long that its lease has run out, or the margin too; or heard again."""
        worker = world.workers[number]
        pulse, own = worker.pulse, worker.epoch == world.epoch
        if pulse is Pulse.BEATING:
            return
        if pulse is Pulse.BACK:
            if own or not self.rules.check_epoch_after_silence:
                beating = worker._replace(pulse=Pulse.BEATING)
                yield Step("checks its epoch, and serves on", number, "", put(world, number, beating))
            elif worker.phase is Phase.OPEN:
                yield Step("checks its epoch, and stops deciding", number, "", self._found_fenced(world, number))
            return
        if pulse is not Pulse.GONE:
            later = Pulse(pulse + 1)
            what = "its lease runs out" if later is Pulse.EXPIRED else "the margin passes"
            yield Step(what, number, "", put(world, number, worker._replace(pulse=later)))
        again = Pulse.BEATING if pulse is Pulse.LATE else Pulse.BACK
        yield Step("has a heartbeat confirmed again", number, "", put(world, number, worker._replace(pulse=again)))

    def _found_fenced(self, world: World, number: int) -> World:
        worker = world.workers[number]
        if worker.fate is Fate.NONE:
            return self._drop(world, number)
        # An append under way may have landed before the shard moved: its outcome is waited for.
        return put(world, number, worker._replace(phase=Phase.LEAVING))


Action = Callable[[Model, World, int], Iterator[Step]]

_COMMITTING: list[Action] = [Model.appends, Model.lands, Model.hears, Model.never_hears]
_FAILING: list[Action] = [Model.crashes, Model.falls_silent, Model.time_passes]

_BY_PHASE: dict[Phase, list[Action]] = {
    Phase.AWAY: [Model.wants],
    Phase.CLAIMING: [Model.claims, Model.crashes],
    Phase.CLAIMED: [Model.looks, Model.crashes],
    Phase.OPEN: [Model.decides, *_COMMITTING, Model.leaves, Model.hears_of_a_claim, *_FAILING],
    Phase.LEAVING: [*_COMMITTING, Model.releases, *_FAILING],
    Phase.SETTLING: [Model.settles, *_FAILING],
}


def put(world: World, number: int, worker: Worker) -> World:
    """The same, but for one worker."""
    first, second = world.workers
    return world._replace(workers=(first, worker) if number else (worker, second))


def _in_flight(worker: Worker) -> Append:
    return Append(worker.epoch, worker.committed, worker.events[worker.committed : worker.upto])


def _commands(held: tuple[Held, ...], commands: tuple[str, ...]) -> set[str]:
    return {commands[each.operation] for each in held}


def _away(worker: Worker, forget: tuple[Held, ...], commands: tuple[str, ...]) -> Worker:
    """Without the shard; only its memory of rejections stays, less those that never came true."""
    void = _commands(forget, commands)
    return Worker(rejected=tuple(command for command in worker.rejected if command not in void))
