"""One order that explains every answer, kept up to date step by step.

Instead of histories the model keeps every order that is still possible (Wing and Gong's search, done
forward): an operation takes effect at one moment between being asked and being answered, so asking adds the
orders in which it already took effect, and an answer leaves only those in which it was decided like this. No
order left: the history is not linearizable. Histories that leave the same orders have the same future.
"""

from functools import cache
from typing import NamedTuple

from tests.protocol.reservation import READ, REJECTED, Answer, EventLog, accepts

UNASKED = Answer("unasked")
ASKED = Answer("asked")
OVER = Answer("over")


class Order(NamedTuple):
    """Where one order of the operations may have led."""

    events: EventLog
    decided: tuple[Answer, ...]
    """By operation: how it was decided in this order."""
    rejected: frozenset[str]
    """Commands that were rejected once: a retry may be told the same again, as long as none took effect."""


Orders = frozenset[Order]


def beginning(operations: int) -> Orders:
    """Before anything was asked."""
    return frozenset([Order((), (UNASKED,) * operations, frozenset())])


@cache
def ask(orders: Orders, operation: int, commands: tuple[str, ...]) -> Orders:
    """``operation`` may take effect from now on; ``commands`` names what each operation asks for."""
    found = {order._replace(decided=_set(order.decided, operation, ASKED)) for order in orders}
    fresh = list(found)
    while fresh:
        order = fresh.pop()
        for number, decided in enumerate(order.decided):
            if decided == ASKED:
                further = set(_decide(order, number, commands[number])) - found
                found |= further
                fresh += further
    return frozenset(found)


@cache
def answer(orders: Orders, operation: int, given: Answer) -> Orders:
    """The orders in which ``operation`` was decided like this; empty if there is none."""
    return frozenset(
        order._replace(decided=_set(order.decided, operation, OVER))
        for order in orders
        if order.decided[operation] == given
    )


@cache
def explains(orders: Orders, events: EventLog) -> bool:
    """Whether an order leads to what the journal holds."""
    return any(order.events == events for order in orders)


def _decide(order: Order, operation: int, command: str) -> list[Order]:
    events, decided, rejected = order
    if command == READ:
        return [Order(events, _set(decided, operation, Answer("shown", len(events))), rejected)]
    if command in events:
        first = Answer("accepted", events.index(command) + 1)
        return [Order(events, _set(decided, operation, first), rejected)]
    ways = []
    if accepts(events, command):
        accepted = Answer("accepted", len(events) + 1)
        ways.append(Order((*events, command), _set(decided, operation, accepted), rejected))
    if command in rejected or not ways:
        ways.append(Order(events, _set(decided, operation, REJECTED), rejected | {command}))
    return ways


def _set(decided: tuple[Answer, ...], operation: int, value: Answer) -> tuple[Answer, ...]:
    return (*decided[:operation], value, *decided[operation + 1 :])
