"""Workers crash, fall silent and come back."""

from collections.abc import Iterator

from tests.protocol.answering import back
from tests.protocol.step import SERVING, Case, Step, found_fenced, in_flight, put
from tests.protocol.world import Fate, Phase, Pulse, Worker, World


def crashes(case: Case, world: World, number: int) -> Iterator[Step]:
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
        after = after._replace(strays=(*after.strays, in_flight(worker)))
    yield Step("crashes", number, "", put(after, number, Worker()))


def falls_silent(case: Case, world: World, number: int) -> Iterator[Step]:
    """Stopped, or cut off: its heartbeats do not come."""
    left, worker = world.left, world.workers[number]
    if worker.pulse is Pulse.BEATING and left.silences:
        after = world._replace(left=left._replace(silences=left.silences - 1))
        late = worker._replace(pulse=Pulse.LATE)
        yield Step("falls silent (stopped, or cut off)", number, "", put(after, number, late))


def time_passes(case: Case, world: World, number: int) -> Iterator[Step]:
    """Silent so long that its lease has run out, or the margin too; or heard again."""
    worker = world.workers[number]
    pulse, own = worker.pulse, worker.epoch == world.epoch
    if pulse is Pulse.BEATING:
        return
    if pulse is Pulse.BACK:
        if own or not case.rules.check_epoch_after_silence:
            beating = worker._replace(pulse=Pulse.BEATING)
            yield Step("checks its epoch, and serves on", number, "", put(world, number, beating))
        elif worker.phase is Phase.OPEN:
            yield Step("checks its epoch, and stops deciding", number, "", found_fenced(case, world, number))
        return
    if pulse is not Pulse.GONE:
        later = Pulse(pulse + 1)
        what = "its lease runs out" if later is Pulse.EXPIRED else "the margin passes"
        yield Step(what, number, "", put(world, number, worker._replace(pulse=later)))
    again = Pulse.BEATING if pulse is Pulse.LATE else Pulse.BACK
    yield Step(
        "has a heartbeat confirmed again", number, "", put(world, number, worker._replace(pulse=again))
    )
