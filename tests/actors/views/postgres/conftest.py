"""The server of the journal's tests, another one for this folder; each test has a schema of its own."""

from tests.actors.journal.postgres.conftest import context, server

__all__ = ["context", "server"]
