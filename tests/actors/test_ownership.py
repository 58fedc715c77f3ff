"""Shards that change hands, and what their callers see of it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from random import Random

import msgspec
import pytest

from actors import routing
from actors.journal.port import JournalUnavailable, OutcomeUnknown
from actors.lease import LEASE_SECONDS
from actors.messages import Accepted, Answer, Shown
from actors.ownership import MARGIN_SECONDS
from tests.actors.cluster import Cluster, Worker
from tests.actors.house import Add

Make = Callable[..., Cluster]


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    clusters: list[Cluster] = []

    def build(shards: int = 8, **sections: object) -> Cluster:
        clusters.append(Cluster(shards, **sections))
        return clusters[-1]

    yield build
    for cluster in clusters:
        cluster.journal.gate.set()
        await cluster.close()


async def versions(cluster: Cluster, id: str) -> list[int]:
    return [row.version for row in await cluster.journal.history("counter", id, 0, 10_000)]


async def one_who_asks_another(cluster: Cluster) -> Worker:
    """Worker "two", which owns nothing: worker "one" owns everything."""
    await cluster.join("one")
    await cluster.balanced()
    (two,) = await cluster.join("two")
    cluster.active.remove("two")
    cluster.tell()
    await cluster.balanced()
    return two


async def test_the_first_worker_owns_everything_at_once(make: Make) -> None:
    cluster = make()
    (one,) = await cluster.join("one")
    await cluster.balanced()
    assert set(one.region.shards) == set(range(8))


async def test_an_owner_that_was_never_heard_of_may_have_a_lease(make: Make) -> None:
    cluster = make()
    await cluster.journal.claim(range(8), "earlier")
    (one,) = await cluster.join("one")
    await asyncio.sleep(0.05)
    assert one.region.shards == {}
    cluster.clock.advance(LEASE_SECONDS + MARGIN_SECONDS)
    cluster.tell()
    await cluster.balanced()
    assert {tenure.owner for tenure in await cluster.journal.tenures()} == {"one"}


async def test_a_silent_owner_that_is_heard_while_it_is_fenced_is_waited_for_again(make: Make) -> None:
    cluster = make()
    await cluster.journal.claim(range(8), "earlier")
    (one,) = await cluster.join("one")
    cluster.comes_back = "earlier"
    cluster.clock.advance(LEASE_SECONDS + MARGIN_SECONDS)
    cluster.tell()
    async with asyncio.timeout(10):
        while {(t.epoch, t.owner) for t in await cluster.journal.tenures()} != {(2, "earlier")}:
            await asyncio.sleep(0.002)
    await asyncio.sleep(0.05)
    assert one.region.shards == {}
    cluster.comes_back = None
    cluster.clock.advance(LEASE_SECONDS + MARGIN_SECONDS)
    cluster.tell()
    await cluster.balanced()


async def test_a_worker_whose_lease_had_ended_drops_what_others_have_claimed(make: Make) -> None:
    cluster = make(shards=1)
    (one,) = await cluster.join("one")
    await cluster.balanced()
    await one.ask(Add(1))
    cluster.active.remove("one")
    await cluster.journal.claim([0], "another")
    one.lease.until = cluster.clock.now() - 1
    waiting = one.tell(None)
    await one.ownership.recheck()
    one.lease.until = cluster.clock.now() + 100
    async with asyncio.timeout(10):
        while one.region.shards:
            await asyncio.sleep(0.002)
    assert not waiting.done()


async def test_a_shard_that_was_claimed_while_an_outcome_was_unknown_stays_with_its_new_owner(
    make: Make,
) -> None:
    cluster = make(shards=1)
    (one,) = await cluster.join("one")
    await cluster.balanced()
    await one.ask(Add(1))
    cluster.journal.gate.clear()
    cluster.journal.before.append(OutcomeUnknown("the line went dead"))
    unsure = one.tell(Add(1))
    await asyncio.sleep(0.01)
    (two,) = await cluster.join("two")
    cluster.active.remove("one")
    await two.region.take([0])
    cluster.tell()
    cluster.journal.gate.set()
    answer = await asyncio.wait_for(unsure, 10)
    assert isinstance(answer, Accepted)
    assert await versions(cluster, "a") == [1, 2]
    assert (await cluster.journal.tenures())[0].owner == "two"
    assert set(two.region.shards) == {0}


async def test_what_landed_before_another_claimed_is_answered(make: Make) -> None:
    cluster = make(shards=1)
    (one,) = await cluster.join("one")
    await cluster.balanced()
    await one.ask(Add(1))
    cluster.journal.after.append(OutcomeUnknown("the answer was lost"))
    cluster.journal.claim_errors.append(JournalUnavailable("not now"))
    unsure = one.tell(Add(1))
    await asyncio.sleep(0.02)
    await cluster.journal.inner.claim([0], "another")
    answer = await asyncio.wait_for(unsure, 10)
    assert isinstance(answer, Accepted)
    assert await versions(cluster, "a") == [1, 2]


async def test_a_leaving_worker_that_nobody_can_follow_serves_to_its_end(make: Make) -> None:
    cluster = make()
    (one,) = await cluster.join("one")
    await cluster.balanced()
    cluster.leave("one")
    await asyncio.sleep(0.05)
    assert isinstance(await one.ask(Add(1)), Accepted)
    await one.ownership.stop()
    await one.ownership.release_all()
    assert {tenure.owner for tenure in await cluster.journal.tenures()} == {""}


async def test_a_newcomer_gets_its_share_and_only_after_a_release(make: Make) -> None:
    cluster = make()
    one, *_ = await cluster.join("one")
    await cluster.balanced()
    await cluster.join("two")
    await cluster.balanced()
    assert sorted(cluster.owners()) == list(range(8))
    assert sorted(list(cluster.owners().values()).count(name) for name in ("one", "two")) == [4, 4]
    assert all(shard.epoch == 1 for shard in one.region.shards.values())


async def test_asks_reach_the_owner_from_every_worker(make: Make) -> None:
    cluster = make()
    await cluster.join("one")
    await cluster.balanced()
    workers = [*cluster.workers.values(), *await cluster.join("two", "three")]
    await cluster.balanced()
    for number, id in enumerate("abcdefgh"):
        for asked, worker in enumerate(workers, start=1):
            answer = await worker.ask(Add(1), id)
            assert isinstance(answer, Accepted)
            assert answer.version == asked
            assert not answer.replayed
        shown = await workers[number % 3].ask(None, id)
        assert isinstance(shown, Shown)
        assert msgspec.json.decode(shown.body)["state"]["value"] == 3


async def test_a_retry_with_a_key_gets_the_first_answer_from_every_worker(make: Make) -> None:
    cluster = make()
    await cluster.join("one")
    await cluster.balanced()
    await cluster.join("two")
    await cluster.balanced()
    one, two = cluster.workers.values()
    first = await one.ask(Add(1), "a", b"k" * 16)
    again = await two.ask(Add(1), "a", b"k" * 16)
    assert isinstance(first, Accepted)
    assert again == Accepted(first.version, first.body, replayed=True)


async def test_what_a_leaving_shard_took_is_committed_before_the_next_owner_claims(make: Make) -> None:
    cluster = make(shards=1)
    (one,) = await cluster.join("one")
    await cluster.balanced()
    await one.ask(Add(1))
    cluster.journal.gate.clear()
    held = one.tell(Add(1))
    await asyncio.sleep(0.01)
    (two,) = await cluster.join("two")
    cluster.leave("one")
    await asyncio.sleep(0.05)
    later = one.tell(Add(1))
    await asyncio.sleep(0.05)
    assert not held.done()
    assert two.region.shards == {}
    cluster.journal.gate.set()
    assert (await held).version == 2  # type: ignore[union-attr]
    assert (await asyncio.wait_for(later, 10)).version == 3  # type: ignore[union-attr]
    await cluster.balanced()
    assert two.region.shards[0].epoch == 2
    assert one.region.shards == {}


async def test_a_dead_owner_is_not_waited_for(make: Make) -> None:
    cluster = make()
    await cluster.join("one")
    await cluster.balanced()
    await cluster.join("two")
    await cluster.balanced()
    one, two = cluster.workers["one"], cluster.workers["two"]
    id = next(i for i in map(str, range(100)) if one.shard(i) in one.region.shards)
    await one.ask(Add(1), id)
    await cluster.kill("one", told=True)
    answer = await two.ask(Add(1), id)
    assert isinstance(answer, Accepted)
    assert answer.version == 2


async def test_a_silent_owner_is_waited_for_until_its_lease_has_ended(make: Make) -> None:
    cluster = make()
    await cluster.join("one")
    await cluster.balanced()
    await cluster.join("two")
    await cluster.balanced()
    two = cluster.workers["two"]
    before = set(two.region.shards)
    await cluster.kill("one", told=False)
    await asyncio.sleep(0.3)
    assert set(two.region.shards) == before
    cluster.clock.advance(LEASE_SECONDS + MARGIN_SECONDS)
    cluster.tell()
    await cluster.balanced()
    assert set(two.region.shards) == set(range(8))


async def test_what_waits_for_a_shard_goes_on_as_soon_as_it_is_taken(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routing, "BACKOFF", 60.0)
    monkeypatch.setattr(routing, "BACKOFF_LIMIT", 60.0)
    cluster = make(shards=1)
    two = await one_who_asks_another(cluster)
    await cluster.kill("one", told=True)
    waiting = two.tell(Add(1))
    await asyncio.sleep(0.02)
    assert not waiting.done()
    cluster.active.append("two")
    cluster.tell()
    assert isinstance(await asyncio.wait_for(waiting, 10), Accepted)


@pytest.mark.parametrize("committed", [True, False])
async def test_a_command_whose_owner_dies_unheard_happens_once(make: Make, committed: bool) -> None:
    cluster = make(shards=1)
    two = await one_who_asks_another(cluster)
    two.carrier.lose_answers = True
    if not committed:
        cluster.journal.gate.clear()
    answer = two.tell(Add(1))
    await asyncio.sleep(0.05)
    assert await versions(cluster, "a") == ([1] if committed else [])
    cluster.active.append("two")
    two.carrier.lose_answers = False
    await cluster.kill("one", told=True)
    cluster.journal.gate.set()
    accepted = await asyncio.wait_for(answer, 10)
    assert isinstance(accepted, Accepted)
    assert accepted.version == 1
    assert not accepted.replayed
    assert await versions(cluster, "a") == [1]


async def test_a_command_that_arrives_twice_at_one_owner_happens_once(make: Make) -> None:
    cluster = make(shards=1)
    two = await one_who_asks_another(cluster)
    two.carrier.lose_answers = True
    answer = two.tell(Add(1))
    await asyncio.sleep(0.05)
    two.carrier.lose_answers = False
    two.carrier.gone("one")
    accepted = await asyncio.wait_for(answer, 10)
    assert isinstance(accepted, Accepted)
    assert await versions(cluster, "a") == [1]


@pytest.mark.parametrize("seed", range(6))
async def test_while_workers_come_leave_and_die_every_command_happens_once(make: Make, seed: int) -> None:
    random = Random(seed)
    cluster = make(shards=8)
    await cluster.join("w0")
    await cluster.balanced()
    answers: list[tuple[str, str, asyncio.Future[Answer]]] = []
    joined = 1
    for _ in range(60):
        step = random.random()
        if step < 0.12 and len(cluster.active) < 4:
            await cluster.join(f"w{joined}")
            joined += 1
        elif step < 0.2 and len(cluster.active) > 1:
            cluster.leave(random.choice(cluster.active))
        elif step < 0.26 and len(cluster.active) > 1:
            await cluster.kill(random.choice(cluster.active), told=True)
        for _ in range(random.randrange(12)):
            worker = random.choice(list(cluster.workers.values()))
            id = random.choice("abcdefghij")
            answers.append((worker.name, id, worker.tell(Add(0), id)))

        await asyncio.sleep(random.random() * 0.01)
    done: dict[str, list[int]] = {}
    for asker, id, future in answers:
        if asker not in cluster.workers:
            continue
        answer = await asyncio.wait_for(future, 20)
        assert isinstance(answer, Accepted), answer
        done.setdefault(id, []).append(answer.version)
    for id, acknowledged in done.items():
        stored = await versions(cluster, id)
        assert stored == list(range(1, len(stored) + 1))
        assert len(set(acknowledged)) == len(acknowledged)
        assert set(acknowledged) <= set(stored)
