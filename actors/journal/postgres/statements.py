"""The SQL of ``actors/journal/postgres/sql``, by file name."""

from actors.journal.sql_files import SqlFiles

_files = SqlFiles("actors.journal.postgres")
sql = _files.text
migrations_after = _files.migrations_after
