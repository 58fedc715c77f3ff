"""How SQLite says what is wanted."""

from collections.abc import Sequence

import msgspec

from actors.views.query_sql import Bind

_SHORTEST = 3
"""Characters of a word that the trigram index can find."""


class SqliteDialect:
    """See ``query_sql.Dialect``."""

    always = "TRUE"
    never = "FALSE"
    present = "gone = 0"

    def table(self, generation: int) -> str:
        """See ``query_sql.Dialect.table``."""
        return f"documents_{generation}"

    def placeholder(self, number: int) -> str:
        """See ``query_sql.Dialect.placeholder``."""
        return f"?{number}"

    def distinct(self, column: str, placeholder: str) -> str:
        """See ``query_sql.Dialect.distinct``."""
        return f"{column} IS NOT {placeholder}"

    def ordered(self, column: str, *, descending: bool) -> str:
        """Missing values are the least in SQLite anyway."""
        return f"{column} DESC" if descending else column

    def keyed(self, keys: Sequence[str], bind: Bind) -> str:
        """See ``query_sql.Dialect.keyed``."""
        return f"key IN (SELECT value FROM json_each({bind(msgspec.json.encode(keys).decode())}))"

    def searched(self, generation: int, texts: Sequence[str], words: Sequence[str], bind: Bind) -> str:
        """Long words are found by their trigrams; short ones are looked for in what is left."""
        terms = []
        phrases = ['"' + word.replace('"', '""') + '"' for word in words if len(word) >= _SHORTEST]
        if phrases:
            match = " AND ".join(f"{{{' '.join(texts)}}} : {phrase}" for phrase in phrases)
            index = f"words_{generation}"
            terms.append(f"id IN (SELECT rowid FROM {index} WHERE {index} MATCH {bind(match)})")
        for word in words:
            if len(word) < _SHORTEST:
                placeholder = bind(word)
                within = " OR ".join(f"instr({text}, {placeholder}) > 0" for text in texts)
                terms.append(f"({within})")
        return " AND ".join(terms)


DIALECT = SqliteDialect()
