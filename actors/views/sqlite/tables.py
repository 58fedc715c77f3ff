"""A generation's tables: its documents and, if it is searched, the trigrams of its words.

Columns carry numbers, as two fields of a document may differ only by case. ``gone`` stands beside the
document so that a change of the document alone touches no index."""

from functools import lru_cache
from typing import NamedTuple

import apsw

from actors.journal.sqlite.connection import select
from actors.views.port import Shape

_TYPES = {"text": "TEXT", "date": "TEXT", "integer": "INTEGER", "boolean": "INTEGER", "moment": "INTEGER"}
_PIECE = 10_000
"""Rows that are deleted in one transaction."""


class Names(NamedTuple):
    """What a generation's tables and columns are called."""

    documents: str
    words: str
    columns: tuple[str, ...]
    texts: tuple[str, ...]


@lru_cache(256)
def names(number: int, shape: Shape) -> Names:
    """Of one generation."""
    columns = tuple(f"c{n}" for n in range(len(shape.columns)))
    return Names(
        f"documents_{number}", f"words_{number}", columns, tuple(f"t{n}" for n in range(len(shape.search)))
    )


def create(connection: apsw.Connection, number: int, shape: Shape) -> None:
    """Make the tables of a generation."""
    of = names(number, shape)
    columns = [f"{n} {_TYPES.get(c.kind, 'REAL')}" for n, c in zip(of.columns, shape.columns, strict=True)]
    texts = [f"{name} TEXT" for name in of.texts]
    fields = ["id INTEGER PRIMARY KEY", "key TEXT NOT NULL", "gone INTEGER NOT NULL", "document BLOB"]
    connection.execute(f"CREATE TABLE {of.documents} ({', '.join([*fields, *columns, *texts])})")
    # With a name, so that it can be dropped before the table.
    connection.execute(f"CREATE UNIQUE INDEX {of.documents}_by_key ON {of.documents} (key)")
    by_name = {column.name: name for name, column in zip(of.columns, shape.columns, strict=True)}
    for n, index in enumerate(shape.indexes):
        by = ", ".join([*(by_name[name] for name in index), "key"])
        connection.execute(f"CREATE INDEX {of.documents}_by_{n} ON {of.documents} ({by}) WHERE gone = 0")
    if of.texts:
        # Texts are stored case-folded already. Without content: the documents' table has it.
        connection.execute(
            f"CREATE VIRTUAL TABLE {of.words} USING fts5({', '.join(of.texts)}, content='', "
            "contentless_delete=1, tokenize='trigram case_sensitive 1')"
        )


def drop_piece(connection: apsw.Connection, number: int) -> bool:
    """Take away a part of a dropped generation; whether it was the last. Without their indexes, and from the
    end of the table, rows go fast; a million and its indexes are gone after some forty pieces."""
    documents = f"documents_{number}"
    indexes = select(
        connection, "SELECT name FROM sqlite_schema WHERE tbl_name = ? AND type = 'index'", (documents,)
    )
    if indexes:
        connection.execute(f"DROP INDEX {indexes[0][0]}")
        return False
    for table in (documents, f"words_{number}_data"):
        if select(connection, "SELECT 1 FROM sqlite_schema WHERE name = ?", (table,)):
            connection.execute(f"DELETE FROM {table} WHERE id > (SELECT max(id) FROM {table}) - {_PIECE}")
            if connection.changes():
                return False
    connection.execute(f"DROP TABLE IF EXISTS {documents}")
    connection.execute(f"DROP TABLE IF EXISTS words_{number}")
    connection.execute("DELETE FROM generations WHERE number = ?", (number,))
    return True
