"""The one form in which versions, positions, events and states leave an entity: JSON, encoded when decided.

A reply is ``{"version":N,"position":"<context>/<shard>:<seq>","events":[...]}``, a state the same with
``"state"``; an event is everywhere ``{"version":n,"type":"Reserved","at":"<instant>","data":{...}}``, and in
a history it also says ``by``, ``command``, ``position`` and ``trace``.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from contexts.vocabulary import Event

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_encode = msgspec.json.Encoder().encode


class Recorded(msgspec.Struct, frozen=True):
    """An event with its place in its entity's history."""

    version: int
    type: str
    at: datetime
    data: Event


class _Reply(msgspec.Struct):
    version: int
    position: str
    events: list[Recorded]


class _State(msgspec.Struct):
    version: int
    position: str
    state: Any


class Told(msgspec.Struct, frozen=True):
    """An event as its history tells it: also by whom, by which command, on which trace, and where it is."""

    version: int
    type: str
    at: datetime
    by: str
    command: str
    """32 hexadecimal digits, the same for all events of one command."""
    position: str
    data: Event
    trace: str | msgspec.UnsetType = msgspec.UNSET
    """W3C ``traceparent`` of the request, if it had one."""


def reply_body(version: int, position: str, events: list[Recorded]) -> bytes:
    """What a command's caller is told."""
    return _encode(_Reply(version, position, events))


def state_body(version: int, position: str, state: Any) -> bytes:
    """What a query's caller is told; encoded at once, since the state may change in place."""
    return _encode(_State(version, position, state))


def history_body(events: Sequence[Told]) -> bytes:
    """A JSON array of events."""
    return _encode(events)


def instant(microseconds: int) -> datetime:
    """The UTC instant that many microseconds after 1970-01-01T00:00:00Z, exactly."""
    return _EPOCH + timedelta(microseconds=microseconds)
