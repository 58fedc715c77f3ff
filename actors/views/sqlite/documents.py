"""A batch's documents: loaded by one query, written by few statements of many rows."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import apsw
import msgspec

from actors.journal.sqlite.connection import select
from actors.views.port import Change, Shape, ViewsDamaged
from actors.views.sqlite.tables import Names, names
from actors.views.words import folded

_STATEMENT_CHARACTERS = 14_000
"""Longer ones are not kept prepared."""
_SIZES = (1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)

_loaded = msgspec.json.Decoder(list[list[Any]])


class Row(NamedTuple):
    """What is stored of a document beside it."""

    id: int
    gone: bool
    columns: list[Any]
    """Without those of the kind real, whose JSON may be inexact."""
    texts: list[str]


class Documents:
    """Those of one generation that one transaction works on."""

    def __init__(self, connection: apsw.Connection, number: int, shape: Shape) -> None:
        self._connection = connection
        self._names = names(number, shape)
        self._compared = [n for n, column in enumerate(shape.columns) if column.kind != "real"]
        self._comparable = len(self._compared) == len(shape.columns)
        self._rows: dict[str, Row] = {}

    def load(self, keys: Sequence[str]) -> dict[str, bytes]:
        """The documents of these keys that exist."""
        try:
            [(text, blob)] = select(
                self._connection, _load(self._names, tuple(self._compared)), (_json(keys),)
            )
        except apsw.TooBigError:
            if len(keys) == 1:
                raise
            half = len(keys) // 2
            return {**self.load(keys[:half]), **self.load(keys[half:])}
        documents: dict[str, bytes] = {}
        begin, end_of_columns = 0, 3 + len(self._compared)
        try:
            found = _loaded.decode(text)
        except msgspec.MsgspecError as error:
            raise ViewsDamaged(f"stored columns make no sense: {error}") from error
        for row in found:
            key, size = keys[row[0]], row[2]
            self._rows[key] = Row(row[1], size is None, row[3:end_of_columns], row[end_of_columns:])
            if size is not None:
                documents[key] = blob[begin : begin + size]
                begin += size
        return documents

    def save(self, changes: Iterable[Change]) -> None:
        """Write all of these; those whose columns stay as they are touch no index."""
        full: list[tuple[Any, ...]] = []
        short: list[tuple[Any, ...]] = []
        reworded: list[str] = []
        rows, compared, comparable = self._rows, self._compared, self._comparable
        for change in changes:
            texts = [folded(text) for text in change.texts]
            row = rows.get(change.key)
            same_texts = row is not None and row.texts == texts
            gone = change.document is None
            if texts and not same_texts:
                reworded.append(change.key)
            if (
                comparable
                and same_texts
                and row is not None
                and row.gone == gone
                and row.columns == [change.columns[n] for n in compared]
            ):
                short.append((row.id, change.document))
            else:
                full.append((change.key, int(gone), change.document, *change.columns, *texts))
        # In the order of the keys, as neighbours share pages.
        full.sort(key=lambda values: values[0])
        self._write(_upsert, full, 3 + len(self._names.columns) + len(self._names.texts))
        self._write(_replace, short, 2)
        if reworded:
            self._connection.execute(_reword(self._names), (_json(reworded),))

    def _write(self, statement: Any, rows: list[tuple[Any, ...]], width: int) -> None:
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
def _load(of: Names, compared: tuple[int, ...]) -> str:
    columns = [of.columns[n] for n in compared]
    shown = ", ".join(["n", "id", "length(document)", *columns, *of.texts])
    return (
        f"SELECT json_group_array(json_array({shown})), CAST(group_concat(document, '') AS BLOB) FROM "
        f"(SELECT wanted.key AS n, of.* FROM json_each(?1) AS wanted "
        f"CROSS JOIN {of.documents} AS of ON of.key = wanted.value)"
    )


@lru_cache(1024)
def _upsert(of: Names, size: int) -> str:
    """Rows without a key are padding."""
    others = ["gone", "document", *of.columns, *of.texts]
    changed = ", ".join(f"{name} = excluded.{name}" for name in others)
    return (
        f"INSERT INTO {of.documents} ({', '.join(['key', *others])}) "
        f"SELECT * FROM (VALUES {_values(size, len(others) + 1)}) WHERE column1 IS NOT NULL "
        f"ON CONFLICT (key) DO UPDATE SET {changed}"
    )


@lru_cache(1024)
def _replace(of: Names, size: int) -> str:
    return f"UPDATE {of.documents} SET document = column2 FROM (VALUES {_values(size, 2)}) WHERE id = column1"


@lru_cache(256)
def _reword(of: Names) -> str:
    return (
        f"INSERT OR REPLACE INTO {of.words} (rowid, {', '.join(of.texts)}) "
        f"SELECT of.id, {', '.join(f'of.{text}' for text in of.texts)} FROM json_each(?1) AS wanted "
        f"CROSS JOIN {of.documents} AS of ON of.key = wanted.value ORDER BY of.id"
    )


def _values(rows: int, width: int) -> str:
    return ",".join([f"({','.join('?' * width)})"] * rows)
