"""Networks of our own: whoever is cut off is lost to the others without a word, and comes back."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.chaos.cluster.place import Branches, Impossible, Namespace
from tests.chaos.cluster.process import eventually
from tests.chaos.cluster.servers import Nats
from tests.ports import free_port


@pytest.fixture
def branches(tmp_path: Path) -> Iterator[Branches]:
    try:
        grown = Branches(tmp_path)
    except Impossible as reason:
        pytest.skip(f"no network namespaces here: {reason}")
    with closing(grown):
        yield grown


async def test_a_branch_reaches_the_stem_unless_it_is_cut(tmp_path: Path, branches: Branches) -> None:
    server = Nats(tmp_path, branches.stem)
    branch, other = branches.grow(), branches.grow()

    def reaches(place: Namespace) -> bool:
        with place.socket() as probe:
            probe.settimeout(0.3)
            try:
                probe.connect((branches.stem.address, server.port))
                return probe.recv(5) == b"INFO "
            except OSError:
                return False

    try:
        await server.start()
        assert reaches(branch)
        branches.cut(branch)
        assert not reaches(branch)
        assert reaches(other)
        branches.mend(branch)
        assert await eventually(lambda: reaches(branch), 10.0)
    finally:
        server.kill()


async def test_what_listens_in_a_branch_is_not_on_this_machine(branches: Branches) -> None:
    branch = branches.grow()
    with branch.socket() as listening, branch.socket() as inside:
        listening.bind(("127.0.0.1", free_port()))
        listening.listen()
        inside.connect(listening.getsockname())
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(*listening.getsockname())
