"""Conditions on a document's columns: small trees of plain data, which each store turns into its own query.

A comparison with ``==`` and ``!=`` is as in Python, so None equals None and nothing else. An ordering with a
missing value is never met."""

from collections.abc import Iterable

import msgspec

from contexts.vocabulary import Operator

Stored = str | int | float | None
"""A field as a column holds it: a moment as microseconds since 1970-01-01T00:00:00Z, a date as ISO 8601 text,
a boolean as 0 or 1."""


class Compare(msgspec.Struct, frozen=True):
    """A column against a value."""

    column: str
    operator: Operator
    value: Stored


class All(msgspec.Struct, frozen=True):
    """Every one is met; without any, it always is."""

    of: tuple["Condition", ...] = ()


class Either(msgspec.Struct, frozen=True):
    """At least one is met; without any, it never is."""

    of: tuple["Condition", ...] = ()


Condition = Compare | All | Either

ALWAYS = All()
NEVER = Either()


def all_of(conditions: Iterable[Condition]) -> Condition:
    """Their conjunction, in its simplest form."""
    parts: list[Condition] = []
    for one in conditions:
        if one == NEVER:
            return NEVER
        if isinstance(one, All):
            parts += one.of
        else:
            parts.append(one)
    return parts[0] if len(parts) == 1 else All(tuple(parts))


def either_of(conditions: Iterable[Condition]) -> Condition:
    """Their disjunction, in its simplest form."""
    parts: list[Condition] = []
    for one in conditions:
        if one == ALWAYS:
            return ALWAYS
        if isinstance(one, Either):
            parts += one.of
        else:
            parts.append(one)
    return parts[0] if len(parts) == 1 else Either(tuple(parts))
