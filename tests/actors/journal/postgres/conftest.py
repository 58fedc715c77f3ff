"""One server for all tests of this folder; each test has a schema of its own."""

from collections.abc import Iterator
from itertools import count

import pytest

from tests.actors.journal.postgres.server import Server

_numbers = count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """Running; a test that stops it starts it again."""
    made = Server.make()
    try:
        made.start()
        yield made
    finally:
        made.remove()


@pytest.fixture
def context() -> str:
    """A name that no other test uses."""
    return f"booking-{next(_numbers)}"
