"""Views in PostgreSQL, for several hosts: beside the journal, in a schema of their own per context.

What is folded is written by one statement that is its own transaction, and so it is read: no lock outlives a
statement as a rule, and all that an answer consists of is from one moment.

- ``tables``: a generation's table; ``grams``: how text is found in it.
- ``folds``: what happens between two positions; ``writing``: the statement; ``queue``: who shares it.
- ``reads``: pages, positions, and many single documents at once.
- ``catalogue``: generations that come and go.
"""

from actors.views.postgres.store import PostgresViews

__all__ = ["PostgresViews"]
