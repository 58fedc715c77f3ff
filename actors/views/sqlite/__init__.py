"""The store on SQLite: one file per context, shared by the processes of one host.

The file holds nothing that could not be folded again, so a commit does not wait for the disk: after a loss of
power the last documents may be missing, together with the positions that say they were folded.

Two threads serve the loop: the *writer* folds everything that is waiting in one transaction, the *reader*
answers all questions that are waiting in one. Both make few calls into SQLite with much in each: every call
lets the interpreter lock go, and beside a busy loop waits for it again. A third, the *checkpointer*, moves
the write-ahead log into the file.
``docs/decisions/0010-sqlite-views.md`` has the figures."""

from actors.views.sqlite.store import SqliteViews

__all__ = ["SqliteViews"]
