"""What reaches the outside: answers, and events that land. Here the invariants are checked."""

from collections.abc import Iterable, Iterator, Sequence

from tests.protocol import linearizable
from tests.protocol.reservation import Answer, EventLog
from tests.protocol.world import Append, Ask, Fate, Held, World


def with_ask(world: World, operation: int, ask: Ask) -> World:
    """The same, but for how far ``operation`` is."""
    asks = world.asks
    return world._replace(asks=(*asks[:operation], ask, *asks[operation + 1 :]))


def back(world: World, held: Iterable[Held]) -> World:
    """What was held was void: it is asked anew wherever the shard is served."""
    for each in held:
        world = with_ask(world, each.operation, Ask.WAITING)
    return world


def deliver(world: World, held: Sequence[Held], commands: Sequence[str]) -> Iterator[World]:
    """Answer all of ``held``; or all but one, whose answer is lost on its way."""
    everyone = world
    for each in held:
        everyone = _answer(everyone, each.operation, each.answer, commands)
    yield everyone
    if not world.left.lost:
        return
    fewer = world._replace(left=world.left._replace(lost=world.left.lost - 1))
    for astray in held:
        some = with_ask(fewer, astray.operation, Ask.LOST)
        for each in held:
            if each is not astray:
                some = _answer(some, each.operation, each.answer, commands)
        yield some


def _answer(world: World, operation: int, answer: Answer, commands: Sequence[str]) -> World:
    if world.fault:
        return world
    command, journal = commands[operation], world.journal
    told = f"{command} is told {answer}"
    if answer.kind == "accepted" and command not in journal:
        return world._replace(fault=f"I1: {told}, which is not in the journal")
    if answer.kind == "shown" and answer.version > len(journal):
        return world._replace(fault=f"I6: {told}, of which the journal has {len(journal)}")
    orders = linearizable.answer(world.orders, operation, answer)
    world = with_ask(world, operation, Ask.ANSWERED)._replace(orders=orders)
    if not linearizable.explains(orders, journal):
        return world._replace(
            fault=f"I3: {told}, and no order explains all answers and the journal {journal}"
        )
    return world


def land(world: World, append: Append, fenced: bool, unique: bool) -> tuple[Fate, World]:
    """The journal executes an append. ``fenced``: it checks the epoch; ``unique``: it has the (shard, seq)
    key."""
    current, journal = append.epoch == world.epoch, world.journal
    if fenced and not current:
        return Fate.FENCED, world
    if unique and append.after < len(journal):
        return Fate.CORRUPT, world
    after: EventLog = journal + append.events
    world = world._replace(journal=after)
    if not current:
        fault = f"I5: {append.events} landed under epoch {append.epoch}, the shard's is {world.epoch}"
    elif append.after != len(journal):
        fault = f"I2: sequence {append.after + 1} follows sequence {len(journal)}"
    elif len(set(after)) < len(after):
        fault = f"I4: a command took effect twice: {after}"
    elif not linearizable.explains(world.orders, after):
        fault = f"I3: no order explains all answers and the journal {after}"
    else:
        fault = ""
    return Fate.LANDED, world._replace(fault=fault)
