"""The statement that writes what was folded, and what it is given.

It is one statement, whatever it changes: positions that are no longer where the folding began, or a document
that has another revision than the folded one, end it with ``serialization_failure``, and then nothing of it
is written. Positions are locked first, then documents, each in the order of their keys: so no two of these
wait for each other."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from actors.views.batch import Move
from actors.views.port import Change, Shape
from actors.views.postgres import tables
from actors.views.postgres.grams import grams
from actors.views.words import folded

_POSITIONS = """
WITH locked AS MATERIALIZED (
    SELECT p.generation, p.shard, m.after, m.complete
    FROM positions AS p
    JOIN unnest($1::bigint[], $2::integer[], $3::bigint[], $4::bigint[], $5::boolean[])
        AS m (generation, shard, before, after, complete)
        ON m.generation = p.generation AND m.shard = p.shard
    WHERE p.seq = m.before
    ORDER BY p.generation, p.shard
    FOR NO KEY UPDATE OF p
),
moved AS (
    UPDATE positions AS p
    SET seq = locked.after, complete = p.complete OR locked.complete
    FROM locked
    WHERE p.generation = locked.generation AND p.shard = locked.shard
    RETURNING p.shard
)"""
_DOCUMENTS = """,
{name}_written AS (
    INSERT INTO {name} AS d
    SELECT r.*
    FROM unnest(${place}::{name}[]) AS r
    WHERE ({before})
    ON CONFLICT (key) DO UPDATE SET {changes}
    WHERE d.revision = excluded.revision - 1
    RETURNING d.revision
)"""
_ALL = "(SELECT count(*) FROM {name}) = cardinality(${place})"


@lru_cache(maxsize=256)
def statement(generations: tuple[tuple[int, int, int], ...]) -> str:
    """For documents of these (generation, columns, searchable fields), in this order."""
    conditions = [_ALL.format(name="moved", place=1)]
    text = _POSITIONS
    for place, (number, columns, fields) in enumerate(generations, 6):
        name = tables.table(number)
        # Each part waits for the one before it: left to itself, the server would take them in any order.
        changes = [f"{c} = excluded.{c}" for c in tables.columns(columns, fields)[1:]]
        text += _DOCUMENTS.format(name=name, place=place, before=conditions[-1], changes=", ".join(changes))
        conditions.append(_ALL.format(name=f"{name}_written", place=place))
    return f"{text}\nSELECT CASE WHEN {' AND '.join(conditions)} THEN true ELSE refuse() END"


def positions(moves: Sequence[Move]) -> list[list[Any]]:
    """Its first five arguments."""
    return [list(column) for column in zip(*moves, strict=True)]


def documents(
    changes: Mapping[str, Change], revisions: Mapping[str, int], shape: Shape
) -> list[tuple[Any, ...]]:
    """A further argument: the rows of a generation's table, by key. ``revisions`` are those of the documents
    that were folded; where there was none, it is missing."""
    rows = []
    for key in sorted(changes):
        _, document, columns, texts = changes[key]
        state = (document is None, tables.is_long(columns), revisions.get(key, 0) + 1)
        row: tuple[Any, ...] = (key, document, *state, *columns)
        if shape.search:
            searched = [folded(text) for text in texts]
            row += (*searched, grams(searched))
        rows.append(row)
    return rows
