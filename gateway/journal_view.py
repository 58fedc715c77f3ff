"""An entity's events as people read them, from the journal alone: no context's code is needed."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import msgpack

from actors.journal.port import Row
from actors.settings import SQLITE, Settings

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


Read = Callable[[str, str, int], list[Row]]
"""Rows of an aggregate's entity above a version."""


def reader(settings: Settings, context: str) -> tuple[str, Read]:
    """Where a context's journal is, and what reads it. What it raises is a ``JournalError``."""
    if settings.journal == SQLITE:
        from actors.journal import sqlite

        file = settings.journal_file(context)
        return str(file), partial(sqlite.read_entity, file)
    from actors.journal.postgres import inspection

    return "PostgreSQL", partial(inspection.read_entity, settings.journal, context)


def entry(context: str, row: Row) -> dict[str, Any]:
    """A row as plain data."""
    return {
        "version": row.version,
        "type": row.type,
        "at": (EPOCH + timedelta(microseconds=row.at)).isoformat().replace("+00:00", "Z"),
        "position": f"{context}/{row.shard}:{row.seq}",
        "by": row.by,
        "trace": row.trace,
        "data": _plain(row.data),
    }


def as_json(context: str, row: Row) -> str:
    """One line of JSON."""
    return "".join(_visible(_dump(entry(context, row))))


def as_text(context: str, row: Row) -> str:
    """One line: version, type, instant, position, principal, data."""
    shown = entry(context, row)
    head = f"{shown['version']:>5}  {shown['type']}  {shown['at']}  {shown['position']}  {shown['by']}"
    return "".join(_visible(f"{head}  {_dump(shown['data'])}"))


def _plain(data: bytes) -> Any:
    try:
        return msgpack.unpackb(data, strict_map_key=False)
    except (ValueError, msgpack.UnpackException) as error:
        # What is stored must be seen, above all when it makes no sense.
        return {"undecodable": data.hex(), "because": str(error) or type(error).__name__}


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=_other)


def _other(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def _visible(text: str) -> Iterator[str]:
    """Stored text must not be able to command a terminal."""
    for character in text:
        yield character if character.isprintable() else f"\\u{ord(character):04x}"
