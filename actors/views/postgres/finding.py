"""What is wanted, as SQL: branches of one statement, which therefore answers from one moment.

Each branch yields records of (part, key, document, text, number, real): a document with the value it is
sorted by in the one that fits. A total is a record without a key."""

from typing import NamedTuple

from actors.views.conditions import ALWAYS, Stored
from actors.views.port import NoSuchView, Shape, Wanted
from actors.views.postgres import tables
from actors.views.postgres.comparing import SQL_TYPES, Arguments, Columns, bring, condition_sql, storable
from actors.views.postgres.grams import grams
from actors.views.words import words

_VALUES = {"text": 0, "bigint": 1, "double precision": 2}
_NAMES = ("text", "number", "real")
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
        """Of a table's rows."""
        return self._by(self.column)

    @property
    def of_found(self) -> str:
        """Of a branch's records."""
        return self._by(None if self.column is None else _NAMES[_VALUES[self.sql_type]])

    def _by(self, column: str | None) -> str:
        direction = "DESC" if self.descending else "ASC"
        if column is None:
            return f"key {direction}"
        nulls = "LAST" if self.descending else "FIRST"
        return f"{column} {direction} NULLS {nulls}, key {direction}"


def branches(part: int, wanted: Wanted, number: int, shape: Shape, arguments: Arguments) -> list[str]:
    """Those of one page, from generation ``number``. Raises NoSuchView."""
    columns = Columns(shape)
    order = _order(wanted, columns)
    conditions = _conditions(wanted, columns, arguments)
    values = list(_NONE)
    if order.column is not None:
        values[_VALUES[order.sql_type]] = order.column
    named = ", ".join(f"{value} AS {name}" for value, name in zip(values, _NAMES, strict=True))
    table = tables.table(number)
    select = f"SELECT {part} AS part, key, document, {named} FROM {table}"
    # In the text: a plan for any limit would be one for a tenth of all documents.
    limit = str(wanted.limit + 1)
    pieces = _pieces(_after(wanted, columns), order, arguments)
    classes = [[*one, *conditions] for one in _classes(wanted, shape)]
    in_order = [
        _one_after_the_other(
            [f"{select} WHERE {' AND '.join([*one, *piece])}" for piece in pieces], order, limit
        )
        for one in classes
    ]
    found = in_order[0]
    if len(in_order) > 1:
        both = " UNION ALL ".join(in_order)
        found = f"(SELECT * FROM ({both}) AS r ORDER BY {order.of_found} LIMIT {limit})"
    if not wanted.total:
        return [found]
    counts = [f"(SELECT count(*) FROM {table} WHERE {' AND '.join(one)})" for one in classes]
    return [found, f"(SELECT {part} AS part, {NOTHING}, {_NONE[0]}, {' + '.join(counts)}, {_NONE[2]})"]


def _conditions(wanted: Wanted, columns: Columns, arguments: Arguments) -> list[str]:
    conditions = []
    if wanted.keys is not None:
        keys = [key for key in wanted.keys if storable(key)]
        conditions.append(f"key = ANY ({arguments.place(keys, 'text[]')})")
    conditions.append(condition_sql(wanted.where, columns, arguments))
    return conditions + _search(wanted, columns, arguments)


def _classes(wanted: Wanted, shape: Shape) -> list[list[str]]:
    """Conditions that divide all documents in such that have an index each."""
    if wanted.tombstones:
        return [[]]
    indexed = wanted.keys is None and (wanted.sort is not None or wanted.where != ALWAYS)
    return [[tables.SHORT], [tables.LONG]] if indexed and tables.may_be_long(shape) else [["NOT gone"]]


def _order(wanted: Wanted, columns: Columns) -> _Order:
    if wanted.sort is None:
        return _Order(None, "text", False, wanted.descending)
    name, column = columns.of(wanted.sort)
    return _Order(name, SQL_TYPES[column.kind], column.optional, wanted.descending)


def _one_after_the_other(selects: list[str], order: _Order, limit: str) -> str:
    """All of the first, then all of the next."""
    pieces = [f"({select} ORDER BY {order.sql} LIMIT {limit})" for select in selects]
    return pieces[0] if len(pieces) == 1 else f"(({' UNION ALL '.join(pieces)}) LIMIT {limit})"


def _after(wanted: Wanted, columns: Columns) -> tuple[Stored, str] | None:
    """The place that ``after`` names. Raises NoSuchView if no store has told of it."""
    if wanted.after is None:
        return None
    value, key = wanted.after
    if value is not None and wanted.sort is not None:
        brought = bring(columns.of(wanted.sort)[1], "==", value)
        value = None if isinstance(brought, bool) else brought[1]
        if value is None:
            raise NoSuchView(f"view {wanted.view!r} has nothing at {wanted.after[0]!r}")
    if not storable(key):
        raise NoSuchView(f"view {wanted.view!r} has nothing at {key!r}")
    return value, key


def _pieces(after: tuple[Stored, str] | None, order: _Order, arguments: Arguments) -> list[list[str]]:
    """Conditions of what comes after: in one or two stretches of an index, one behind the other. Together in
    one condition they would be found only by going through all that comes before."""
    if after is None:
        return [[]]
    value, key = after
    beyond = "<" if order.descending else ">"
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
    searched = words(wanted.search)
    if not searched:
        return []
    texts = [columns.text(name) for name in wanted.fields]
    if not texts or not all(map(storable, searched)):
        return ["false"]
    conditions = []
    pairs = grams(searched)
    if pairs:
        conditions.append(f"grams @> {arguments.place(pairs, 'bigint[]')}")
    for word in searched:
        placed = arguments.place(word, "text")
        conditions.append(f"({' OR '.join(f'strpos({text}, {placed}) > 0' for text in texts)})")
    return conditions
