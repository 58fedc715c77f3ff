"""The SQL of ``actors/views/postgres/sql``, by file name."""

from actors.journal.sql_files import SqlFiles

_files = SqlFiles("actors.views.postgres")
sql = _files.text
migrations_after = _files.migrations_after
