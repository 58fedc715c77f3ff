"""The facts of a worker, gathered from regions that really run."""

from actors.control.gather import Gatherer, context_facts
from actors.identity import Identity
from tests.actors.house import House


async def test_the_facts_name_each_shard_with_its_epoch_and_state(house: House) -> None:
    facts = context_facts(house.region)
    assert facts.of == len(facts.shards) == house.region.journal.shards
    assert [shard.shard for shard in facts.shards] == list(range(facts.of))
    assert {(shard.epoch, shard.state, shard.seq) for shard in facts.shards} == {(1, "open", 0)}
    assert (facts.active, facts.waiting, facts.recovering, facts.quarantines, facts.trouble) == (
        0,
        0,
        0,
        0,
        "",
    )


async def test_the_facts_say_who_the_worker_is(house: House) -> None:
    identity = Identity(cluster="stage", node="a1ae0f16", worker="a1ae0f16-2-e20e-1", slot=2)
    gatherer = Gatherer(identity, ("gateway", "actors"), {house.region.name: house.region}, {})
    facts = gatherer.facts(leaving=True, in_flight=3, connections=4)
    assert (facts.worker, facts.node, facts.slot) == ("a1ae0f16-2-e20e-1", "a1ae0f16", 2)
    assert (facts.state, facts.in_flight, facts.connections) == ("leaving", 3, 4)
    assert [context.context for context in facts.contexts] == [house.region.name]
