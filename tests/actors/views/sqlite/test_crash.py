"""Whatever moment the process is killed at, going on gives the documents of a fresh replay, byte for byte."""

import asyncio
import random
import subprocess
import sys
from pathlib import Path

import pytest

from actors.views.memory import MemoryViews
from actors.views.port import Done, Place, ViewStore
from actors.views.sqlite import SqliteViews
from tests.actors.views.documents import CARDS, TALLIES, work
from tests.actors.views.histories import history, replayed, stored
from tests.actors.views.opening import documents

SHARDS = 4
EVENTS = 3_000
"""Of each shard."""

FOLDING = """
import asyncio, sys
from pathlib import Path
from tests.actors.views.sqlite.test_crash import fold_in_child

asyncio.run(fold_in_child(Path(sys.argv[1]), int(sys.argv[2])))
"""


async def fold(store: ViewStore, seed: int, said: bool = False) -> None:
    """All of the history, from wherever the store is, in batches of random size."""
    await store.prepare([CARDS.shape, TALLIES.shape])
    histories = [history(seed, shard, EVENTS) for shard in range(SHARDS)]
    places = await store.places()
    rnd = random.Random(seed)
    reached = {
        (generation, shard): places.get(generation, {}).get(shard, Place(0)).seq
        for generation in (1, 2)
        for shard in range(SHARDS)
    }
    while any(seq < EVENTS for seq in reached.values()):
        works = []
        for (generation, shard), seq in reached.items():
            events = histories[shard][seq : seq + rnd.randint(1, 60)]
            of = CARDS if generation == 1 else TALLIES
            works.append(work(*events, shard=shard, after=seq, generation=generation, of=of))
        for one, done in zip(works, await store.project(works), strict=True):
            assert done == Done(one.after + len(one.rows))
            reached[one.generation, one.shard] = done.seq
        if said:
            sys.stdout.write("folded\n")
            sys.stdout.flush()


async def fold_in_child(path: Path, seed: int) -> None:
    """Until it is killed."""
    await fold(await SqliteViews.open(path), seed, said=True)


def killed_while_folding(path: Path, seed: int, transactions: int, seconds: float) -> None:
    """SIGKILL some time after so many transactions."""
    command = [sys.executable, "-c", FOLDING, str(path), str(seed)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        for _, _line in zip(range(transactions), process.stdout, strict=False):
            pass
        try:
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
    finally:
        process.kill()
        process.wait(timeout=30)
        process.stdout.close()


async def check(path: Path, seed: int) -> None:
    """The rest is folded; nothing is missing, nothing doubled."""
    fresh = MemoryViews()
    await fold(fresh, seed)
    store = await SqliteViews.open(path)
    try:
        await fold(store, seed)
        expected = stored(replayed([history(seed, shard, EVENTS) for shard in range(SHARDS)]))
        assert await documents(store) == expected == await documents(fresh)
        assert await documents(store, "tallies") == await documents(fresh, "tallies")
        assert await store.places() == await fresh.places()
    finally:
        await store.close()


def survives(path: Path, kills: int) -> None:
    """Killed again and again within one history, and checked in the end."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown when the test fails
    rnd = random.Random(seed)
    for _ in range(kills):
        killed_while_folding(path, seed, rnd.randint(1, 8), rnd.random() * 0.02)
    asyncio.run(check(path, seed))


def test_the_documents_survive_kill_after_kill(tmp_path: Path) -> None:
    survives(tmp_path / "boxes.views.sqlite", 4)


@pytest.mark.chaos
def test_the_documents_survive_twenty_kills(tmp_path: Path) -> None:
    survives(tmp_path / "boxes.views.sqlite", 20)
