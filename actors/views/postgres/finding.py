"""What is wanted, as SQL: branches of one statement, which therefore answers from one moment.

Each branch yields records of (part, key, document, text, number, real): a document with the value it is
sorted by in the one that fits. A total is a record without a key."""

from typing import NamedTuple

from actors.views.conditions import Stored
from actors.views.port import NoSuchView, Shape, Wanted
from actors.views.postgres import tables
from actors.views.postgres.comparing import SQL_TYPES, Arguments, Columns, bring, condition_sql
from actors.views.postgres.grams import grams
from actors.views.postgres.writing import searchable

_VALUES = {"text": 0, "bigint": 1, "double precision": 2}
_NONE = ("NULL::text", "NULL::bigint", "NULL::double precision")
NOTHING = "NULL::text AS key, NULL::bytea AS document"


class _Order(NamedTuple):
    """How documents are sorted."""

    column: str | None
    sql_type: str
    optional: bool
    descending: bool

    @property
    def sql(self) -> str:
        direction = "DESC" if self.descending else "ASC"
        if self.column is None:
            return f"key {direction}"
        nulls = "LAST" if self.descending else "FIRST"
        return f"{self.column} {direction} NULLS {nulls}, key {direction}"


def branches(part: int, wanted: Wanted, number: int, shape: Shape, arguments: Arguments) -> list[str]:
    """Those of one page, from generation ``number``. Raises NoSuchView."""
    columns = Columns(shape)
    conditions = [] if wanted.tombstones else ["NOT gone"]
    if wanted.keys is not None:
        keys = [key for key in wanted.keys if _storable(key)]
        conditions.append(f"key = ANY ({arguments.place(keys, 'text[]')})")
    conditions.append(condition_sql(wanted.where, columns, arguments))
    conditions += _search(wanted, columns, arguments)
    order = _Order(None, "text", False, wanted.descending)
    if wanted.sort is not None:
        column, kind, optional = columns.of(wanted.sort)
        order = _Order(column, SQL_TYPES[kind], optional, wanted.descending)
        if wanted.after is not None and wanted.after[0] is not None:
            _check(bring(kind, "==", wanted.after[0]))
    table = tables.table(number)
    values = list(_NONE)
    if order.column is not None:
        values[_VALUES[order.sql_type]] = order.column
    select = f"SELECT {part} AS part, key, document, {', '.join(values)} FROM {table}"
    limit = arguments.place(wanted.limit + 1, "bigint")
    pieces = [
        f"({select} WHERE {' AND '.join([*conditions, *piece])} ORDER BY {order.sql} LIMIT {limit})"
        for piece in _pieces(wanted.after, order, arguments)
    ]
    found = pieces[0] if len(pieces) == 1 else f"(({' UNION ALL '.join(pieces)}) LIMIT {limit})"
    if not wanted.total:
        return [found]
    count = f"SELECT {part} AS part, {NOTHING}, {_NONE[0]}, count(*), {_NONE[2]} FROM {table}"
    return [found, f"({count} WHERE {' AND '.join(conditions)})"]


def _pieces(after: tuple[Stored, str] | None, order: _Order, arguments: Arguments) -> list[list[str]]:
    """Conditions of what comes after: in one or two stretches of an index, one behind the other. Together in
    one condition they would be found only by going through all that comes before."""
    if after is None:
        return [[]]
    value, key = after
    beyond = "<" if order.descending else ">"
    _check(_storable(key))
    placed = arguments.place(key, "text")
    column = order.column
    if column is None:
        return [[f"key {beyond} {placed}"]]
    if value is not None:
        rest = [f"({column}, key) {beyond} ({arguments.place(value, order.sql_type)}, {placed})"]
        return [rest, [f"{column} IS NULL"]] if order.optional and order.descending else [rest]
    missing = [f"{column} IS NULL", f"key {beyond} {placed}"]
    return [missing] if order.descending else [missing, [f"{column} IS NOT NULL"]]


def _search(wanted: Wanted, columns: Columns, arguments: Arguments) -> list[str]:
    """Every word in one of the fields. The index finds what has all pairs of characters of all words; whether
    the words are there is then seen in the texts."""
    words = [searchable(word) for word in wanted.search.split()]
    if not words:
        return []
    texts = [columns.text(name) for name in wanted.fields]
    if not texts or not all(map(_storable, words)):
        return ["false"]
    conditions = []
    pairs = grams(words)
    if pairs:
        conditions.append(f"grams @> {arguments.place(pairs, 'bigint[]')}")
    for word in words:
        placed = arguments.place(word, "text")
        conditions.append(f"({' OR '.join(f'strpos({text}, {placed}) > 0' for text in texts)})")
    return conditions


def _storable(text: str) -> bool:
    """The server can hold it."""
    return (text.isascii() and "\x00" not in text) or _encodable(text)


def _encodable(text: str) -> bool:
    try:
        return b"\x00" not in text.encode()
    except UnicodeEncodeError:
        return False


def _check(known: object) -> None:
    """The place after which to go on was never told by this store."""
    if isinstance(known, bool) and not known:
        raise NoSuchView("there is no such place in the view")
