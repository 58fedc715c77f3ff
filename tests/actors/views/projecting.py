"""What stores promise of ``project``: order, exactly once, whoever folds."""

import asyncio

from actors.views.folding import key_of
from actors.views.port import Done, Found, Place, ViewStore, Wanted
from tests.actors.views.documents import (
    CARDS,
    TALLIES,
    Card,
    Count,
    Fail,
    Pass,
    Put,
    Remove,
    encoded,
    put,
    work,
)
from tests.actors.views.opening import Opening, Opens, documents, folds, keys, opened, page


class Projecting(Opening):
    """Part of the suite."""

    async def test_events_become_a_document(self, store: ViewStore) -> None:
        card = Card("ada", 3, title="Ärger")
        [done] = await store.project([work(put("a", card), Count(["a"]), Count(["a"]))])
        assert done == Done(3)
        assert await documents(store) == {"a": encoded(Card("ada", 3, title="Ärger", folds=3))}

    async def test_folding_goes_on_with_what_is_stored(self, store: ViewStore) -> None:
        await store.project([work(put("a", Card("ada")), put("b", Card("bob")))])
        [done] = await store.project([work(Count(["a", "b"]), after=2)])
        assert done == Done(3)
        assert await folds(store) == {"a": 2, "b": 2}

    async def test_work_that_does_not_begin_at_the_position_does_nothing(self, store: ViewStore) -> None:
        first = work(Count(["a"]), Count(["a"]))
        assert await store.project([first]) == [Done(2)]
        assert await store.project([first]) == [Done(2, moved=True)]
        assert await store.project([work(Count(["a"]), after=3)]) == [Done(2, moved=True)]
        assert await folds(store) == {"a": 2}

    async def test_the_same_work_twice_in_one_transaction_counts_once(self, store: ViewStore) -> None:
        first = work(Count(["a"]))
        assert await store.project([first, first]) == [Done(1), Done(1, moved=True)]
        assert await folds(store) == {"a": 1}

    async def test_a_generation_that_is_not_there_is_gone(self, store: ViewStore) -> None:
        done = await store.project([work(Count(["a"]), generation=77), work(Count(["b"]))])
        assert done == [Done(0, gone=True), Done(1)]
        assert await folds(store) == {"b": 1}

    async def test_events_that_are_passed_over_move_the_position(self, store: ViewStore) -> None:
        assert await store.project([work(Pass(), Pass(), shard=5)]) == [Done(2)]
        assert await store.places() == {1: {5: Place(2)}}
        assert await documents(store) == {}

    async def test_several_works_touch_one_document_in_their_order(self, store: ViewStore) -> None:
        done = await store.project(
            [
                work(Put(["a"], Card("first")), shard=1),
                work(Count(["a"]), shard=2),
                work(Put(["a"], Card("last")), shard=3),
            ]
        )
        assert done == [Done(1), Done(1), Done(1)]
        assert await documents(store) == {"a": encoded(Card("last", folds=3))}

    async def test_one_event_touches_several_documents(self, store: ViewStore) -> None:
        many = [f"k{number:04d}" for number in range(1_500)]
        await store.project([work(Put(many, Card()), Count(many[:10]))])
        assert await folds(store) == {key: 2 if key < "k0010" else 1 for key in many}

    async def test_what_comes_before_a_failing_event_is_kept_and_nothing_after(
        self, store: ViewStore
    ) -> None:
        [done] = await store.project([work(Count(["a"]), Fail(["b"]), Count(["a"]), complete=True)])
        assert done.seq == 1
        assert done.failure is not None
        assert (done.failure.seq, done.failure.event, done.failure.entity) == (2, "Fail", "box/box0")
        assert "this one never" in done.failure.error
        assert await folds(store) == {"a": 1}
        assert await store.places() == {1: {0: Place(1)}}

    async def test_a_failing_event_does_not_spoil_other_works(self, store: ViewStore) -> None:
        done = await store.project([work(Fail(["a"]), shard=1), work(Count(["b"]), shard=2)])
        assert [one.seq for one in done] == [0, 1]
        assert await folds(store) == {"b": 1}

    async def test_a_deleted_document_leaves_a_tombstone_with_its_columns(self, store: ViewStore) -> None:
        await store.project([work(put("a", Card("ada", 7)), put("b", Card("bob", 6)))])
        await store.project([work(Remove(["a", "nobody"]), after=2)])
        assert await keys(store) == ["b"]
        assert await keys(store, keys=("a",)) == []
        found = await page(store, sort="size", tombstones=True)
        assert found.found == [Found("b", encoded(Card("bob", 6, folds=1)), 6), Found("a", None, 7)]

    async def test_a_document_that_comes_and_goes_in_one_work_leaves_a_tombstone(
        self, store: ViewStore
    ) -> None:
        await store.project([work(put("a", Card("ada", 7)), Remove(["a"]))])
        assert (await page(store, sort="size", tombstones=True)).found == [Found("a", None, 7)]

    async def test_a_deleted_document_begins_anew(self, store: ViewStore) -> None:
        await store.project([work(Count(["a"]), Count(["a"]), Remove(["a"]))])
        await store.project([work(Count(["a"]), after=3)])
        assert await folds(store) == {"a": 1}
        assert await keys(store) == ["a"]

    async def test_a_shard_is_complete_once_it_was_at_its_end(self, store: ViewStore) -> None:
        await store.project([work(shard=1, complete=True), work(Pass(), shard=2, complete=True)])
        await store.project([work(Pass(), shard=2, after=1), work(Pass(), shard=3)])
        assert await store.places() == {1: {1: Place(0, True), 2: Place(2, True), 3: Place(1)}}

    async def test_thousands_of_events_are_one_work(self, store: ViewStore) -> None:
        events = [Count([f"k{number % 700:03d}"]) for number in range(5_000)]
        assert await store.project([work(*events)]) == [Done(5_000)]
        assert await folds(store) == {f"k{n:03d}": 8 if n < 100 else 7 for n in range(700)}

    async def test_long_documents_and_keys_of_any_letters_come_back(self, store: ViewStore) -> None:
        card = Card("x" * 300_000, text="\U0001f600 \\ \" ' \n \u0000 %_")
        odd = ["部屋/1", 'it\'s "it"', "a%25b", "\u007f\u0001", "ß"]
        await store.project([work(Put(odd, card))])
        expected = encoded(Card("x" * 300_000, text=card.text, folds=1))
        assert await documents(store) == dict.fromkeys(map(key_of, odd), expected)

    async def test_two_workers_with_one_shard_fold_nothing_twice(
        self, store: ViewStore, other: ViewStore
    ) -> None:
        for seq in range(30):
            both = await asyncio.gather(
                *(one.project([work(Count(["a"]), after=seq)]) for one in (store, other))
            )
            assert sorted(done.moved for [done] in both) == [False, True]
            assert [done.seq for [done] in both] == [seq + 1, seq + 1]
        assert await folds(store) == {"a": 30}

    async def test_two_workers_with_one_document_lose_nothing(
        self, store: ViewStore, other: ViewStore
    ) -> None:
        async def fold(one: ViewStore, shard: int) -> None:
            for seq in range(25):
                assert await one.project([work(Count(["a", "b"]), shard=shard, after=seq)]) == [Done(seq + 1)]

        await asyncio.gather(fold(store, 1), fold(other, 2), fold(store, 3), fold(other, 4))
        assert await folds(other) == {"a": 100, "b": 100}

    async def test_two_workers_make_the_same_document(self, store: ViewStore, other: ViewStore) -> None:
        """Neither finds it in the store when it looks."""
        for number in range(20):
            one, two = (work(Count([f"k{number}"]), shard=shard, after=number) for shard in (1, 2))
            await asyncio.gather(store.project([one]), other.project([two]))
        assert await folds(store) == {f"k{number}": 2 for number in range(20)}

    async def test_many_calls_at_once_are_all_answered(self, store: ViewStore) -> None:
        done = await asyncio.gather(
            *(store.project([work(Count(["a"]), shard=shard)]) for shard in range(40)),
            *(store.project([work(Count(["b"]), shard=shard, after=5)]) for shard in range(40)),
        )
        assert done == [[Done(1)]] * 40 + [[Done(1, moved=True)]] * 40
        assert await folds(store) == {"a": 40}

    async def test_views_do_not_mix(self, store: ViewStore) -> None:
        await store.prepare([CARDS.shape, TALLIES.shape])
        events = (Count(["a"]), Put(["a"], Card()), Count(["a"]))
        await store.project([work(*events), work(*events, generation=2, of=TALLIES)])
        assert await folds(store, "cards") == {"a": 3}
        assert await folds(store, "tallies") == {"a": 2}

    async def test_an_empty_call_is_answered(self, store: ViewStore) -> None:
        assert await store.project([]) == []

    async def test_a_reopened_store_has_all_of_it(self, store: ViewStore, opens: Opens) -> None:
        await store.project([work(Count(["a"]), Count(["b"]), Remove(["b"]), shard=3, complete=True)])
        await store.pause("cards", True)
        kept = (await documents(store), await store.places(), await store.generations())
        await store.close()
        async with opened(opens) as again:
            await again.prepare([CARDS.shape])
            assert (await documents(again), await again.places(), await again.generations()) == kept
            assert await again.project([work(Count(["b"]), shard=3, after=3)]) == [Done(4)]
            assert (await again.read([Wanted("cards")])).standings["cards"].positions == {3: 4}
