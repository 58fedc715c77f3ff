"""What a step is, and what several kinds of steps do to a state."""

from typing import NamedTuple

from tests.protocol.answering import back
from tests.protocol.rules import Rules
from tests.protocol.world import Append, Bounds, Fate, Held, Phase, Worker, World

SERVING = (Phase.OPEN, Phase.LEAVING, Phase.SETTLING)


class Step(NamedTuple):
    """One step: what happens, to which worker (-1: to none), and the state after it."""

    what: str
    worker: int
    about: str
    world: World


class Case(NamedTuple):
    """What is looked through. ``commands``: what each operation asks for; equal ones are tries of one
    command, with one key."""

    commands: tuple[str, ...]
    rules: Rules
    bounds: Bounds


def put(world: World, number: int, worker: Worker) -> World:
    """The same, but for one worker."""
    first, second = world.workers
    return world._replace(workers=(first, worker) if number else (worker, second))


def in_flight(worker: Worker) -> Append:
    """What it has sent."""
    return Append(worker.epoch, worker.committed, worker.events[worker.committed : worker.upto])


def commands_of(held: tuple[Held, ...], commands: tuple[str, ...]) -> set[str]:
    """What the held answers are for."""
    return {commands[each.operation] for each in held}


def away(worker: Worker, forget: tuple[Held, ...], commands: tuple[str, ...]) -> Worker:
    """Without the shard; only its memory of rejections stays, less those that never came true."""
    void = commands_of(forget, commands)
    return Worker(rejected=tuple(command for command in worker.rejected if command not in void))


def drop(case: Case, world: World, number: int) -> World:
    """Leave the shard; what was held is asked anew elsewhere."""
    worker = world.workers[number]
    return put(back(world, worker.held), number, away(worker, worker.held, case.commands))


def found_fenced(case: Case, world: World, number: int) -> World:
    """Its epoch is gone: decide nothing more."""
    worker = world.workers[number]
    if worker.fate is Fate.NONE:
        return drop(case, world, number)
    # An append under way may have landed before the shard moved: its outcome is waited for.
    return put(world, number, worker._replace(phase=Phase.LEAVING))
