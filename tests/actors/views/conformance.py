"""What every store of views promises. An adapter subclasses ``Conformance`` and gives ``opens``."""

import pytest

from actors.views.port import ViewStore
from tests.actors.views.finding import Finding
from tests.actors.views.generations import Generations
from tests.actors.views.opening import Opens, opened
from tests.actors.views.projecting import Projecting
from tests.actors.views.searching import Searching

__all__ = ["Conformance", "Opens", "opened"]


class Conformance(Projecting, Generations, Finding, Searching):
    """The suite."""

    @pytest.fixture
    async def opens(self) -> Opens:
        """Opens one more store on this test's data, as another worker would."""
        raise NotImplementedError

    async def test_a_closed_store_is_not_dead_before(self, store: ViewStore) -> None:
        assert store.dead == ""
