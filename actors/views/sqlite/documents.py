"""A batch's documents: loaded by one query, written by few statements of many rows."""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

import apsw
import msgspec

from actors.journal.sqlite.connection import select
from actors.views.port import Change, Shape, ViewsDamaged
from actors.views.sqlite.tables import Names, names
from actors.views.words import folded

_STATEMENT_CHARACTERS = 14_000
"""Longer ones are not kept prepared."""
_SIZES = (1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)

_FIRST = itemgetter(0)
_loaded = msgspec.json.Decoder(list[list[Any]])


class Documents:
    """Those of one generation that one transaction works on."""

    def __init__(self, connection: apsw.Connection, number: int, shape: Shape) -> None:
        self._connection = connection
        self._names = of = names(number, shape)
        # A real number may not come through JSON as it is, and so not be known again.
        self._comparable = all(column.kind != "real" for column in shape.columns)
        self._compared = (*of.columns, *of.texts) if self._comparable else of.texts
        self._rows: dict[str, list[Any]] = {}
        """By key: its number, id, the document's size if there is one, what is compared."""

    def load(self, keys: Sequence[str]) -> dict[str, bytes]:
        """The documents of these keys that exist."""
        try:
            [(text, blob)] = select(self._connection, _load(self._names, self._compared), (_json(keys),))
        except apsw.TooBigError:
            if len(keys) == 1:
                raise
            half = len(keys) // 2
            return {**self.load(keys[:half]), **self.load(keys[half:])}
        try:
            rows = _loaded.decode(text)
        except msgspec.MsgspecError as error:
            raise ViewsDamaged(f"stored columns make no sense: {error}") from error
        documents: dict[str, bytes] = {}
        begin = 0
        for row in rows:
            key, size = keys[row[0]], row[2]
            self._rows[key] = row
            if size is not None:
                documents[key] = blob[begin : begin + size]
                begin += size
        return documents

    def save(self, changes: Iterable[Change]) -> None:
        """Write all of these; those whose columns stay as they are touch no index."""
        new: list[tuple[Any, ...]] = []
        full: list[tuple[Any, ...]] = []
        short: list[tuple[Any, ...]] = []
        reworded: list[str] = []
        rows, comparable, searched = self._rows, self._comparable, bool(self._names.texts)
        for key, document, columns, spelled in changes:
            texts = [folded(text) for text in spelled] if searched else ()
            row = rows.get(key)
            if searched and (row is None or row[-len(texts) :] != texts):
                reworded.append(key)
            gone = document is None
            if row is None:
                new.append((key, gone, document, *columns, *texts))
            elif comparable and gone == (row[2] is None) and row[3:] == [*columns, *texts]:
                short.append((row[1], document))
            else:
                full.append((row[1], gone, document, *columns, *texts))
        # In the order of the keys and of the table, as neighbours share pages.
        for rows_of, statement in ((new, _insert), (full, _update), (short, _replace)):
            rows_of.sort(key=_FIRST)
            self._write(statement, rows_of)
        if reworded:
            self._connection.execute(_reword(self._names), (_json(reworded),))

    def _write(self, statement: Callable[[Names, int], str], rows: list[tuple[Any, ...]]) -> None:
        if not rows:
            return
        width = len(rows[0])
        most = min(512, _STATEMENT_CHARACTERS // (2 * width + 2))
        for begin in range(0, len(rows), most):
            part = rows[begin : begin + most]
            size = next((size for size in _SIZES if len(part) <= size <= most), most)
            values = [value for row in part for value in row]
            values += [None] * (width * (size - len(part)))
            self._connection.execute(statement(self._names, size), values)


def _json(keys: Sequence[str]) -> str:
    return msgspec.json.encode(keys).decode()


@lru_cache(256)
def _load(of: Names, compared: tuple[str, ...]) -> str:
    shown = ", ".join(["n", "id", "length(document)", *compared])
    return (
        f"SELECT json_group_array(json_array({shown})), CAST(group_concat(document, '') AS BLOB) FROM "
        f"(SELECT wanted.key AS n, of.* FROM json_each(?1) AS wanted "
        f"CROSS JOIN {of.documents} AS of ON of.key = wanted.value)"
    )


@lru_cache(1024)
def _insert(of: Names, size: int) -> str:
    """Rows without a key are padding."""
    fields = ["key", *_fields(of)]
    return (
        f"INSERT INTO {of.documents} ({', '.join(fields)}) "
        f"SELECT * FROM (VALUES {_values(size, len(fields))}) WHERE column1 IS NOT NULL"
    )


@lru_cache(1024)
def _update(of: Names, size: int) -> str:
    """Rows without an id are padding."""
    fields = _fields(of)
    changed = ", ".join(f"{field} = column{n}" for n, field in enumerate(fields, 2))
    return (
        f"UPDATE {of.documents} SET {changed} "
        f"FROM (VALUES {_values(size, len(fields) + 1)}) WHERE id = column1"
    )


@lru_cache(1024)
def _replace(of: Names, size: int) -> str:
    """Of the document alone."""
    return f"UPDATE {of.documents} SET document = column2 FROM (VALUES {_values(size, 2)}) WHERE id = column1"


def _fields(of: Names) -> list[str]:
    return ["gone", "document", *of.columns, *of.texts]


@lru_cache(256)
def _reword(of: Names) -> str:
    return (
        f"INSERT OR REPLACE INTO {of.words} (rowid, {', '.join(of.texts)}) "
        f"SELECT of.id, {', '.join(f'of.{text}' for text in of.texts)} FROM json_each(?1) AS wanted "
        f"CROSS JOIN {of.documents} AS of ON of.key = wanted.value ORDER BY of.id"
    )


def _values(rows: int, width: int) -> str:
    return ",".join([f"({','.join('?' * width)})"] * rows)
