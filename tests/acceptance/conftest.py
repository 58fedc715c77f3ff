"""Servers to test from outside. A module with settings of its own has a ``server`` of its own."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.acceptance.client import Client, client_of
from tests.acceptance.theatre import playing
from tests.gateway.running import Running


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """With small limits on failures, for all tests that leave nothing behind but entities."""
    with playing(
        tmp_path_factory.mktemp("shared"),
        "supervision.failures=3",
        "supervision.backoff=0.001",
        "gateway.in_flight=200",
    ) as node:
        yield node


@pytest.fixture(scope="session")
def impatient_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Its commits wait a second for a lock, and only ten events may wait for their commit."""
    limits = ("commits.lock_seconds=1", "commits.queue=10", "commits.batch=5")
    with playing(tmp_path_factory.mktemp("impatient"), *limits) as node:
        yield node


@pytest.fixture
def server(shared_server: Running) -> Running:
    """The server that ``client`` talks to."""
    return shared_server


@pytest.fixture
async def client(server: Running) -> AsyncIterator[Client]:
    async with client_of(server.url) as client:
        yield client
