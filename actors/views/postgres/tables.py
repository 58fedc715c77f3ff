"""The table of a generation's documents.

The columns of ``g<number>`` are, in this order: the key, the document (NULL: a tombstone), ``gone``,
``long``, a revision, ``c<n>`` for each of the shape's columns, ``t<n>`` for each of its searchable fields,
and the ``grams`` of those.

- ``gone`` says what ``document IS NULL`` would. Partial indexes on the document itself would make each change
  of it a change of all indexes, and PostgreSQL could never update a row in place.
- An index takes no more than 2,704 bytes of a row. Rows with longer texts in their columns are ``long``; they
  are few as a rule, and have an index of their own, which is gone through.
- A revision grows with each change, so that whoever has folded a document that another worker has changed in
  the meantime finds out; it is 1 with the first document.
- Text compares by code points (COLLATE "C"), as Python does. Missing values come first.
- The index of the grams finds what contains a text, also in languages that put no spaces between words; the
  extensions that could do so need rights that a cluster's role does not have, or are not there. The texts are
  stored beside it, because what has all the grams of a word need not have the word."""

from collections.abc import Sequence

from actors.views.conditions import Stored
from actors.views.port import Kind, Shape

_TYPES: dict[Kind, str] = {
    "text": 'text COLLATE "C"',
    "integer": "bigint",
    "real": "double precision",
    "boolean": "bigint",
    "moment": "bigint",
    "date": 'text COLLATE "C"',
}


SHORT = "NOT gone AND NOT long"
LONG = "NOT gone AND long"
LONGEST = 1_800
"""Bytes of text in a row's columns, unless it is long: a key of 512 and sixteen numbers fit beside them."""


def may_be_long(shape: Shape) -> bool:
    """It has columns of text."""
    return any(column.kind == "text" for column in shape.columns)


def is_long(columns: Sequence[Stored]) -> bool:
    """So much text that no index takes it."""
    # Four bytes per character at most: few must be counted.
    texts = [value for value in columns if type(value) is str]
    if 4 * sum(map(len, texts)) <= LONGEST:
        return False
    return sum(len(text.encode()) for text in texts) > LONGEST


def table(number: int) -> str:
    """Its name."""
    return f"g{number}"


def columns(shape_columns: int, fields: int) -> list[str]:
    """Names of all its columns, in their order, for so many of the shape and so many searchable fields."""
    return [
        *("key", "document", "gone", "long", "revision"),
        *(f"c{n}" for n in range(shape_columns)),
        *(f"t{n}" for n in range(fields)),
        *(["grams"] if fields else []),
    ]


def create(number: int, shape: Shape) -> str:
    """Makes it with its indexes."""
    name = table(number)
    parts = [
        'key text COLLATE "C" PRIMARY KEY',
        "document bytea",
        "gone boolean NOT NULL",
        "long boolean NOT NULL",
        "revision bigint NOT NULL",
        *(f"c{n} {_TYPES[column.kind]}" for n, column in enumerate(shape.columns)),
        *(f't{n} text COLLATE "C" NOT NULL' for n in range(len(shape.search))),
        *(["grams bigint[] NOT NULL"] if shape.search else []),
    ]
    # The room lets a changed row stay on its page, and out of the indexes.
    statements = [f"CREATE TABLE {name} ({', '.join(parts)}) WITH (fillfactor = 80)"]
    place = {column.name: n for n, column in enumerate(shape.columns)}
    for fields in shape.indexes:
        keys = [f"c{place[field]} NULLS FIRST" for field in fields]
        statements.append(f"CREATE INDEX ON {name} ({', '.join(keys)}, key) WHERE {SHORT}")
    if may_be_long(shape):
        statements.append(f"CREATE INDEX ON {name} (key) WHERE {LONG}")
    if shape.search:
        statements.append(f"CREATE INDEX ON {name} USING gin (grams) WHERE NOT gone")
    return ";\n".join(statements)


def drop(name: str) -> str:
    """Forgets it."""
    return f"DROP TABLE IF EXISTS {name}"
