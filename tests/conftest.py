"""What begins before all tests."""

from collections.abc import Iterator

import pytest

from tests.actors.stage.own_tests import OwnTests


@pytest.fixture(scope="session", autouse=True)
def thespians_own_tests(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OwnTests | None]:
    """thespian's tests, if they are wanted. They sleep for minutes: begun first, they take nobody's time."""
    if not any("thespians_own_tests" in item.nodeid for item in request.session.items):
        yield None
        return
    begun = OwnTests(tmp_path_factory.mktemp("thespian"))
    yield begun
    begun.end()
