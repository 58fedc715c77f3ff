"""The shard changes hands: left and released, wanted, claimed, and served after a last look."""

from collections.abc import Iterator

from tests.protocol.step import SERVING, Case, Step, away, found_fenced, put
from tests.protocol.world import Phase, Pulse, Worker, World


def leaves(case: Case, world: World, number: int) -> Iterator[Step]:
    """Stop deciding."""
    worker, left = world.workers[number], world.left
    if left.handovers:
        after = world._replace(left=left._replace(handovers=left.handovers - 1))
        leaving = worker._replace(phase=Phase.LEAVING)
        if case.rules.stop_before_release:
            yield Step("stops deciding, to leave", number, "", put(after, number, leaving))
        else:
            yield Step("says released", number, "", after._replace(word=worker.epoch))


def releases(case: Case, world: World, number: int) -> Iterator[Step]:
    """Say so when all that was decided is committed and answered."""
    worker = world.workers[number]
    if len(worker.events) > worker.committed or worker.held:
        if not case.rules.commit_before_release and world.word != worker.epoch:
            yield Step("says released", number, "", world._replace(word=worker.epoch))
        return
    after = world._replace(word=max(world.word, worker.epoch))
    yield Step("says released", number, "", put(after, number, away(worker, (), case.commands)))


def wants(case: Case, world: World, number: int) -> Iterator[Step]:
    """Decide to claim: on word of the last owner, after its silence, or when nobody can be serving."""
    worker, other = world.workers[number], world.workers[1 - number]
    stale = not case.rules.claim_only_what_was_seen
    if world.word and (world.word == world.epoch or stale):
        claiming = worker._replace(phase=Phase.CLAIMING, epoch=world.word)
        yield Step("wants the shard: its owner released it or died", number, "", put(world, number, claiming))
    if other.phase in SERVING and _counts_as_gone(case, other):
        claiming = worker._replace(phase=Phase.CLAIMING, epoch=world.epoch, silently=True)
        yield Step("wants the shard: its owner is silent", number, "", put(world, number, claiming))
    elif other.phase is Phase.AWAY and world.word != world.epoch:
        claiming = worker._replace(phase=Phase.CLAIMING, epoch=world.epoch)
        yield Step("wants the shard: all have said they stopped", number, "", put(world, number, claiming))


def claims(case: Case, world: World, number: int) -> Iterator[Step]:
    """Raise the epoch and replay."""
    worker, rules = world.workers[number], case.rules
    if rules.claim_only_what_was_seen and worker.epoch != world.epoch:
        given_up = away(worker, (), case.commands)
        yield Step("claims in vain: the epoch has moved", number, "", put(world, number, given_up))
        return
    epoch, journal = world.epoch + 1, world.journal
    looks = worker.silently and rules.look_after_claiming
    phase = Phase.CLAIMED if looks else Phase.OPEN
    owner = Worker(phase, epoch, events=journal, committed=len(journal), rejected=worker.rejected)
    after = world._replace(epoch=epoch)
    yield Step("claims" if looks else "claims and serves", number, "", put(after, number, owner))


def looks(case: Case, world: World, number: int) -> Iterator[Step]:
    """Serve once the old owner is silent still, since it finds its epoch gone when it comes back, or has
    stopped. While neither is so it may be deciding: the claim alone does not end its lease."""
    worker, other = world.workers[number], world.workers[1 - number]
    if other.phase not in SERVING or _counts_as_gone(case, other):
        serving = worker._replace(phase=Phase.OPEN)
        yield Step("looks again, and serves", number, "", put(world, number, serving))


def hears_of_a_claim(case: Case, world: World, number: int) -> Iterator[Step]:
    """Another owner's claim reaches it."""
    if world.workers[number].epoch != world.epoch:
        after = found_fenced(case, world, number)
        yield Step("hears that the shard is claimed, and stops deciding", number, "", after)


def _counts_as_gone(case: Case, other: Worker) -> bool:
    least = Pulse.GONE if case.rules.wait_for_the_silent else Pulse.LATE
    return least <= other.pulse <= Pulse.GONE
