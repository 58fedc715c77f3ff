"""What stores promise of generations: one answers at a time, and nothing is lost by a switch."""

import asyncio

import msgspec
import pytest

from actors.views.port import Done, NoSuchView, Place, Standing, ViewStore, Wanted
from tests.actors.views.documents import CARDS, LATER_CARDS, TALLIES, Count, Fail, Pass, work
from tests.actors.views.opening import Opening, documents, folds, keys


class Generations(Opening):
    """Part of the suite."""

    async def test_the_first_generation_of_a_view_is_live_at_once(self, store: ViewStore) -> None:
        [one] = await store.generations()
        assert (one.number, one.shape, one.live, one.paused) == (1, CARDS.shape, True, False)
        assert one.view == "cards"
        assert await keys(store) == []

    async def test_preparing_again_changes_nothing(self, store: ViewStore, other: ViewStore) -> None:
        before = await store.generations()
        await asyncio.gather(*(one.prepare([CARDS.shape]) for one in (store, other, store)))
        assert await other.generations() == before

    async def test_workers_that_start_together_make_one_generation(
        self, store: ViewStore, other: ViewStore
    ) -> None:
        await asyncio.gather(*(one.prepare([CARDS.shape, TALLIES.shape]) for one in (store, other)))
        assert [(one.view, one.live) for one in await store.generations()] == [
            ("cards", True),
            ("tallies", True),
        ]

    async def test_a_changed_shape_is_built_beside_the_live_one(self, store: ViewStore) -> None:
        await store.project([work(Count(["a"]))])
        await store.prepare([LATER_CARDS.shape])
        one, two = await store.generations()
        assert (one.shape, one.live, two.shape, two.live) == (CARDS.shape, True, LATER_CARDS.shape, False)
        assert two.number > one.number
        await store.project([work(Count(["a"]), Count(["a"]), generation=two.number, of=LATER_CARDS)])
        assert await folds(store) == {"a": 1}
        assert await store.places() == {one.number: {0: Place(1)}, two.number: {0: Place(2)}}

    async def test_the_old_shape_again_leaves_what_is_built(self, store: ViewStore) -> None:
        """A worker with the old code may start while one with the new code builds."""
        await store.prepare([LATER_CARDS.shape])
        before = await store.generations()
        await store.prepare([CARDS.shape])
        assert await store.generations() == before

    async def test_a_third_shape_takes_the_place_of_what_was_built(self, store: ViewStore) -> None:
        await store.prepare([LATER_CARDS.shape])
        third = msgspec.structs.replace(CARDS.shape, fingerprint="0123456789abcdef")
        await store.prepare([third])
        assert [(one.shape, one.live) for one in await store.generations()] == [
            (CARDS.shape, True),
            (third, False),
        ]
        assert await store.project([work(Count(["a"]), generation=2)]) == [Done(0, gone=True)]

    async def test_a_rebuild_begins_another_generation_of_the_same_shape(self, store: ViewStore) -> None:
        first = await store.rebuild(CARDS.shape)
        second = await store.rebuild(CARDS.shape)
        assert (second.shape, second.live) == (CARDS.shape, False)
        assert second.number > first.number > 1
        assert [one.number for one in await store.generations()] == [1, second.number]

    async def test_an_incomplete_generation_is_not_switched_to(self, store: ViewStore) -> None:
        number = (await store.rebuild(CARDS.shape)).number
        await store.project([work(shard=0, generation=number, complete=True)])
        assert not await store.switch(number, 2)
        await store.project([work(Pass(), shard=1, generation=number)])
        assert not await store.switch(number, 2)
        await store.project([work(shard=1, generation=number, after=1, complete=True)])
        assert await store.switch(number, 2)
        assert [(one.number, one.live) for one in await store.generations()] == [(number, True)]

    async def test_a_generation_behind_the_live_one_is_not_switched_to(self, store: ViewStore) -> None:
        number = (await store.rebuild(CARDS.shape)).number
        await store.project([work(Count(["a"]), generation=number, complete=True)])
        await store.project([work(Count(["a"]), Count(["a"]))])
        assert not await store.switch(number, 1)
        await store.project([work(Count(["a"]), generation=number, after=1)])
        assert await store.switch(number, 1)

    async def test_a_failing_event_keeps_a_generation_from_being_switched_to(self, store: ViewStore) -> None:
        number = (await store.rebuild(CARDS.shape)).number
        await store.project([work(Count(["a"]), Fail(["a"]), generation=number, complete=True)])
        assert not await store.switch(number, 1)

    async def test_a_switch_drops_all_that_was_there_before(self, store: ViewStore, other: ViewStore) -> None:
        await store.project([work(Count(["old"]))])
        number = (await store.rebuild(CARDS.shape)).number
        await store.project([work(Count(["new"]), generation=number, complete=True)])
        assert await store.switch(number, 1)
        for one in (store, other):
            assert await folds(one) == {"new": 1}
            assert await one.places() == {number: {0: Place(1, True)}}
            assert await one.project([work(Count(["a"]), after=1)]) == [Done(0, gone=True)]
        assert (await other.read([Wanted("cards")])).standings == {"cards": Standing(number, {0: 1})}

    async def test_what_is_live_already_is_switched_to(self, store: ViewStore) -> None:
        assert await store.switch(1, 4)

    async def test_what_does_not_exist_is_not_switched_to(self, store: ViewStore) -> None:
        assert not await store.switch(99, 0)

    async def test_two_workers_switch_once(self, store: ViewStore, other: ViewStore) -> None:
        number = (await store.rebuild(CARDS.shape)).number
        await store.project([work(shard=0, generation=number, complete=True)])
        assert all(await asyncio.gather(store.switch(number, 1), other.switch(number, 1)))
        assert [one.number for one in await other.generations()] == [number]

    async def test_reads_beside_switches_are_each_of_one_generation(
        self, store: ViewStore, other: ViewStore
    ) -> None:
        """Generation g holds the documents a and b, each with the same number of folds: its own."""
        await store.project([work(Count(["a", "b"]))])
        expected = {1: 1}
        over = False

        async def look() -> int:
            seen: set[int] = set()
            while not over:
                reading = await other.read([Wanted("cards", keys=("a",)), Wanted("cards")])
                number = reading.standings["cards"].generation
                seen.add(number)
                [[a], both] = [page.found for page in reading.pages]
                counted = {msgspec.json.decode(found.document or b"")["folds"] for found in (a, *both)}
                assert counted == {expected[number]}
                assert reading.standings["cards"].positions == {0: expected[number]}
            return len(seen)

        looking = asyncio.create_task(look())
        for events in range(2, 8):
            number = (await store.rebuild(CARDS.shape)).number
            expected[number] = events
            events_of = [Count(["a", "b"])] * events
            await store.project([work(*events_of, generation=number, complete=True)])
            await other.read([Wanted("cards")])
            assert await store.switch(number, 1)
        over = True
        assert await looking >= 2

    async def test_a_halted_view_says_so_in_all_generations(self, store: ViewStore, other: ViewStore) -> None:
        await store.prepare([LATER_CARDS.shape, TALLIES.shape])
        await store.pause("cards", True)
        await store.pause("cards", True)
        halted = {(one.view, one.paused) for one in await other.generations()}
        assert halted == {("cards", True), ("tallies", False)}
        assert (await store.rebuild(CARDS.shape)).paused
        await other.pause("cards", False)
        assert not any(one.paused for one in await store.generations())

    async def test_an_unknown_view_cannot_be_halted(self, store: ViewStore) -> None:
        with pytest.raises(NoSuchView):
            await store.pause("nothing", True)

    async def test_only_the_next_event_can_be_skipped(self, store: ViewStore) -> None:
        await store.project([work(Count(["a"]), Fail(["a"]), Count(["a"]))])
        assert not await store.skip(1, 0, 1)
        assert not await store.skip(1, 0, 3)
        assert not await store.skip(55, 0, 1)
        assert await store.skip(1, 0, 2)
        assert not await store.skip(1, 0, 2)
        assert await store.project([work(Count(["a"]), after=2)]) == [Done(3)]
        assert await folds(store) == {"a": 2}

    async def test_the_first_event_of_a_shard_can_be_skipped(self, store: ViewStore) -> None:
        assert await store.skip(1, 6, 1)
        assert await store.places() == {1: {6: Place(1)}}

    async def test_standings_are_those_of_live_generations(self, store: ViewStore, other: ViewStore) -> None:
        number = (await store.rebuild(CARDS.shape)).number
        await store.project([work(Pass(), shard=4), work(Count(["a"]), Pass(), shard=2)])
        await store.project([work(shard=1, complete=True), work(Pass(), generation=number)])
        expected = {"cards": Standing(1, {2: 2, 4: 1})}
        assert await store.standings(["cards"]) == expected
        assert await other.standings(["cards", "nothing"]) == expected
        assert await documents(other) == await documents(store)
