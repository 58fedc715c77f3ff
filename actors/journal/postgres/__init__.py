"""The journal for several hosts: one PostgreSQL schema per context.

A *group commit* is one statement, which is its own transaction: it locks the rows of its shards, checks their
epochs, inserts, and is one round trip. No lock outlives it, so a worker that dies or stops in the middle can
keep nobody waiting. ``docs/decisions/0006-postgres-journal.md`` has the reasons and figures.

- ``session``: a connection to the host that takes writes; ``pool``: a few of them, with bounded waits.
- ``failures``: what is known of a statement that failed. Whatever may have been committed is
  ``OutcomeUnknown``; everything else was not.
- ``replays``: many entities by two queries, folded off the loop.
"""

from actors.journal.postgres.journal import PostgresJournal

__all__ = ["PostgresJournal"]
