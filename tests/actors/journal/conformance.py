"""What every journal promises. An adapter's test module subclasses ``Conformance`` and gives a fixture."""

from collections.abc import AsyncIterator, Iterable

import pytest

from actors.journal.port import Corrupted, Journal, Row, Snapshot, Tenure

SHARDS = 8


def row(shard: int, seq: int, id: str, version: int, **changes: object) -> Row:
    """A row that tells itself from any other."""
    made = Row(
        shard=shard,
        seq=seq,
        aggregate="space",
        id=id,
        version=version,
        type="Reserved",
        command_id=f"{shard:08d}{seq:08d}".encode(),
        fingerprint=None,
        at=1_800_000_000_000_000 + seq,
        by="ada",
        trace=None,
        data=f"{id}/{version}".encode(),
    )
    return made._replace(**changes)  # type: ignore[arg-type]


def snapshot(of: Row, **changes: object) -> Snapshot:
    """A snapshot of the state that ``of`` led to."""
    made = Snapshot(
        of.shard, of.aggregate, of.id, of.version, of.seq, b"statetyp", b"state at %d" % of.version
    )
    return made._replace(**changes)  # type: ignore[arg-type]


def seen(snapshot: Snapshot | None, rows: Iterable[Row]) -> tuple[Snapshot | None, list[Row]]:
    """A fold that keeps what it is given."""
    return snapshot, list(rows)


async def replayed(journal: Journal, id: str) -> tuple[Snapshot | None, list[Row]]:
    return await journal.replay("space", id, seen)


async def claimed(journal: Journal, *shards: int) -> dict[int, int]:
    """The epochs of these shards, claimed."""
    return {claim.shard: claim.epoch for claim in await journal.claim(shards, "a")}


class Conformance:
    """The suite. ``journal`` is empty, has ``SHARDS`` shards, and is closed by its fixture."""

    @pytest.fixture
    async def journal(self) -> AsyncIterator[Journal]:
        raise NotImplementedError
        yield  # noqa: PT022 - an async generator by its type only

    async def test_a_feed_of_all_shards_reads_each_event_once_and_goes_on(self, journal: Journal) -> None:
        epochs = await claimed(journal, 1, 2)
        first = [row(1, 1, "a", 1), row(2, 1, "b", 1), row(1, 2, "a", 2)]
        await journal.append(first, epochs)
        feed = journal.follow({})
        found = await feed.read(100)
        assert sorted(found) == sorted(first)
        assert [r.seq for r in found if r.shard == 1] == [1, 2]
        assert await feed.read(100) == []
        await journal.append([row(2, 2, "b", 2)], epochs)
        assert await feed.read(100) == [row(2, 2, "b", 2)]
        assert await feed.read(100) == []

    async def test_a_feed_begins_after_what_is_known_of_each_shard(self, journal: Journal) -> None:
        epochs = await claimed(journal, 1, 2)
        rows = [row(shard, seq, str(shard), seq) for shard in (1, 2) for seq in (1, 2, 3)]
        await journal.append(rows, epochs)
        found = await journal.follow({1: 2, 5: 7}).read(100)
        assert sorted(r[:2] for r in found) == [(1, 3), (2, 1), (2, 2), (2, 3)]

    @pytest.mark.parametrize("limit", [1, 2, 7, 100])
    async def test_a_feed_is_read_in_pages_without_gaps(self, journal: Journal, limit: int) -> None:
        epochs = await claimed(journal, *range(SHARDS))
        for seq in range(1, 6):
            await journal.append([row(shard, seq, str(shard), seq) for shard in range(SHARDS)], epochs)
        feed = journal.follow({3: 4})
        last = dict.fromkeys(range(SHARDS), 0) | {3: 4}
        while page := await feed.read(limit):
            assert len(page) <= limit
            for one in page:
                assert one.seq == last[one.shard] + 1
                last[one.shard] = one.seq
        assert last == dict.fromkeys(range(SHARDS), 5)

    async def test_heads_are_the_last_sequences_of_shards_with_events(self, journal: Journal) -> None:
        assert await journal.heads() == {}
        epochs = await claimed(journal, 1, 2)
        await journal.append([row(1, 1, "a", 1), row(2, 1, "b", 1), row(1, 2, "a", 2)], epochs)
        assert await journal.heads() == {1: 2, 2: 1}
        await journal.append([row(2, 2, "b", 2)], epochs)
        assert await journal.heads() == {1: 2, 2: 2}

    async def test_it_knows_its_number_of_shards(self, journal: Journal) -> None:
        assert journal.shards == SHARDS

    async def test_an_empty_shard_is_claimed_with_a_first_epoch(self, journal: Journal) -> None:
        [claim] = await journal.claim([3], "a")
        assert (claim.shard, claim.epoch, claim.last_seq) == (3, 1, 0)

    async def test_every_claim_raises_the_epoch_and_tells_the_last_sequence(self, journal: Journal) -> None:
        [first] = await journal.claim([3], "a")
        await journal.append([row(3, 1, "x", 1), row(3, 2, "y", 1)], {3: first.epoch})
        second, other = await journal.claim([3, 4], "b")
        assert second.epoch > first.epoch
        assert (second.shard, second.last_seq) == (3, 2)
        assert (other.shard, other.last_seq) == (4, 0)

    async def test_a_shard_beyond_the_number_is_not_claimed(self, journal: Journal) -> None:
        with pytest.raises(ValueError):
            await journal.claim([SHARDS], "a")

    async def test_a_claim_that_names_the_epoch_it_follows_fails_when_another_came_before(
        self, journal: Journal
    ) -> None:
        [mine] = await journal.claim([1], "a", after={1: 0})
        [theirs] = await journal.claim([1], "b", after={1: mine.epoch})
        assert await journal.claim([1], "a", after={1: mine.epoch}) == []
        assert await journal.append([row(1, 1, "x", 1)], {1: theirs.epoch}) == frozenset()

    async def test_the_shards_that_another_claimed_do_not_spoil_a_claim_of_others(
        self, journal: Journal
    ) -> None:
        await journal.claim([1, 2, 3], "a")
        await journal.claim([2], "b")
        claims = await journal.claim([1, 2, 3, 4], "c", after={1: 1, 2: 1, 3: 1, 4: 0})
        assert {(claim.shard, claim.epoch) for claim in claims} == {(1, 2), (3, 2), (4, 1)}

    async def test_it_tells_whose_every_shard_is(self, journal: Journal) -> None:
        await journal.claim([1, 2], "a")
        await journal.claim([2], "b")
        expected = [Tenure(shard, 0, "") for shard in range(SHARDS)]
        expected[1:3] = [Tenure(1, 1, "a"), Tenure(2, 2, "b")]
        assert await journal.tenures() == expected

    async def test_a_released_shard_has_no_owner_and_keeps_its_epoch(self, journal: Journal) -> None:
        one, two = await journal.claim([1, 2], "a")
        await journal.release({1: one.epoch})
        assert (await journal.tenures())[1:3] == [Tenure(1, 1, ""), Tenure(2, 1, "a")]
        [again] = await journal.claim([1], "b", after={1: one.epoch})
        assert again.epoch == one.epoch + 1
        assert await journal.append([row(2, 1, "y", 1)], {2: two.epoch}) == frozenset()

    async def test_a_release_of_what_another_has_claimed_changes_nothing(self, journal: Journal) -> None:
        [old] = await journal.claim([1], "a")
        await journal.claim([1], "b")
        await journal.release({1: old.epoch})
        assert (await journal.tenures())[1] == Tenure(1, 2, "b")

    async def test_what_is_appended_is_read_back_field_by_field(self, journal: Journal) -> None:
        [claim] = await journal.claim([1], "a")
        plain = row(1, 1, "møte/部屋 '1'", 1, by="Åsa", data=b"")
        full = row(
            1,
            2,
            "møte/部屋 '1'",
            2,
            fingerprint=b"\x00\xff" * 4,
            trace="00-ab-cd-01",
            data=bytes(range(256)) * 50,
        )
        assert await journal.append([plain, full], {1: claim.epoch}) == frozenset()
        assert await replayed(journal, plain.id) == (None, [plain, full])
        assert await journal.feed(1, 0, 10) == [plain, full]
        assert await journal.history("space", plain.id, 0, 10) == [plain, full]

    async def test_entities_and_aggregates_of_one_shard_do_not_mix(self, journal: Journal) -> None:
        [claim] = await journal.claim([1], "a")
        rows = [row(1, 1, "x", 1), row(1, 2, "x", 1, aggregate="order"), row(1, 3, "y", 1), row(1, 4, "x", 2)]
        await journal.append(rows, {1: claim.epoch})
        assert await replayed(journal, "x") == (None, [rows[0], rows[3]])
        assert await journal.replay("order", "x", seen) == (None, [rows[1]])
        assert await replayed(journal, "z") == (None, [])

    async def test_an_append_under_an_older_epoch_is_fenced(self, journal: Journal) -> None:
        [old] = await journal.claim([1], "a")
        [new] = await journal.claim([1], "b")
        assert await journal.append([row(1, 1, "x", 1)], {1: old.epoch}) == {1}
        assert await journal.feed(1, 0, 10) == []
        assert await journal.append([row(1, 1, "x", 1)], {1: new.epoch}) == frozenset()

    async def test_a_shard_that_nobody_claimed_is_fenced(self, journal: Journal) -> None:
        assert await journal.append([row(1, 1, "x", 1)], {1: 1}) == {1}
        assert await replayed(journal, "x") == (None, [])

    async def test_a_fenced_shard_does_not_spoil_the_others(self, journal: Journal) -> None:
        one, two = await journal.claim([1, 2], "a")
        await journal.claim([1], "b")
        rows = [row(1, 1, "x", 1), row(2, 1, "y", 1), row(1, 2, "x", 2), row(2, 2, "y", 2)]
        snapshots = [snapshot(rows[2]), snapshot(rows[3])]
        assert await journal.append(rows, {1: one.epoch, 2: two.epoch}, snapshots) == {1}
        assert await journal.feed(1, 0, 10) == []
        assert await journal.feed(2, 0, 10) == [rows[1], rows[3]]
        assert await replayed(journal, "x") == (None, [])
        assert await replayed(journal, "y") == (snapshots[1], [])

    async def test_a_fenced_snapshot_is_left_out(self, journal: Journal) -> None:
        [old] = await journal.claim([1], "a")
        first = row(1, 1, "x", 1)
        await journal.append([first], {1: old.epoch})
        await journal.claim([1], "b")
        assert await journal.append([], {1: old.epoch}, [snapshot(first)]) == {1}
        assert await replayed(journal, "x") == (None, [first])

    async def test_an_empty_append_tells_which_epochs_hold(self, journal: Journal) -> None:
        one, two = await journal.claim([1, 2], "a")
        await journal.claim([2], "b")
        assert await journal.append([], {1: one.epoch, 2: two.epoch}) == {2}

    async def test_a_sequence_is_used_once(self, journal: Journal) -> None:
        [claim] = await journal.claim([1], "a")
        await journal.append([row(1, 1, "x", 1)], {1: claim.epoch})
        with pytest.raises(Corrupted):
            await journal.append([row(1, 1, "y", 1)], {1: claim.epoch})
        assert await replayed(journal, "y") == (None, [])

    async def test_a_sequence_is_not_skipped(self, journal: Journal) -> None:
        [claim] = await journal.claim([1], "a")
        with pytest.raises(Corrupted):
            await journal.append([row(1, 2, "x", 1)], {1: claim.epoch})
        assert await journal.feed(1, 0, 10) == []

    async def test_a_version_is_used_once(self, journal: Journal) -> None:
        """At the latest when the adapter indexes it, and from then on no append is taken."""
        [claim] = await journal.claim([1], "a")
        await journal.append([row(1, 1, "x", 1)], {1: claim.epoch})

        async def again_and_again() -> None:
            for seq in range(2, 5):
                await journal.append([row(1, seq, "x", 1)], {1: claim.epoch})

        with pytest.raises(Corrupted):
            await again_and_again()

    async def test_a_batch_with_one_wrong_row_leaves_nothing_and_the_journal_goes_on(
        self, journal: Journal
    ) -> None:
        [claim] = await journal.claim([1], "a")
        with pytest.raises(Corrupted):
            await journal.append([row(1, 1, "x", 1), row(1, 2, "x", 1)], {1: claim.epoch})
        assert await journal.feed(1, 0, 10) == []
        assert await journal.append([row(1, 1, "x", 1)], {1: claim.epoch}) == frozenset()
        assert await replayed(journal, "x") == (None, [row(1, 1, "x", 1)])

    async def test_a_replay_begins_at_the_snapshot(self, journal: Journal) -> None:
        [claim] = await journal.claim([1], "a")
        rows = [row(1, n, "x", n) for n in range(1, 6)]
        await journal.append(rows, {1: claim.epoch}, [snapshot(rows[2])])
        assert await replayed(journal, "x") == (snapshot(rows[2]), rows[3:])
        await journal.append([], {1: claim.epoch}, [snapshot(rows[4])])
        assert await replayed(journal, "x") == (snapshot(rows[4]), [])
        assert await journal.replay_all("space", "x", seen) == (None, rows)

    async def test_a_snapshot_ahead_of_the_journal_is_not_believed(self, journal: Journal) -> None:
        [claim] = await journal.claim([1], "a")
        rows = [row(1, n, "x", n) for n in range(1, 4)]
        await journal.append(rows, {1: claim.epoch}, [snapshot(rows[2], version=7, seq=7)])
        assert await replayed(journal, "x") == (None, rows)

    async def test_a_snapshot_of_another_history_is_not_believed(self, journal: Journal) -> None:
        [claim] = await journal.claim([1], "a")
        rows = [row(1, n, "x", n) for n in range(1, 4)]
        await journal.append(rows, {1: claim.epoch}, [snapshot(rows[1], seq=3)])
        assert await replayed(journal, "x") == (None, rows)

    async def test_a_snapshot_without_events_is_not_believed(self, journal: Journal) -> None:
        [claim] = await journal.claim([1], "a")
        await journal.append([], {1: claim.epoch}, [snapshot(row(1, 1, "x", 1))])
        assert await replayed(journal, "x") == (None, [])

    async def test_replay_all_stops_at_a_version(self, journal: Journal) -> None:
        [claim] = await journal.claim([1], "a")
        rows = [row(1, n, "x", n) for n in range(1, 6)]
        await journal.append(rows, {1: claim.epoch}, [snapshot(rows[3])])
        for upto in range(7):
            assert await journal.replay_all("space", "x", seen, upto) == (None, rows[:upto])

    async def test_history_and_feed_are_paged(self, journal: Journal) -> None:
        [claim] = await journal.claim([1], "a")
        rows = [row(1, n, "x", n) for n in range(1, 8)]
        await journal.append(rows, {1: claim.epoch})
        for after in range(8):
            for limit in (0, 1, 3, 100):
                wanted = rows[after : after + limit]
                assert await journal.history("space", "x", after, limit) == wanted
                assert await journal.feed(1, after, limit) == wanted

    async def test_thousands_of_events_are_one_append_and_one_replay(self, journal: Journal) -> None:
        [claim] = await journal.claim([1], "a")
        rows = [row(1, n, "x", n) for n in range(1, 2_501)]
        await journal.append(rows, {1: claim.epoch}, [snapshot(rows[99])])
        assert await replayed(journal, "x") == (snapshot(rows[99]), rows[100:])
        assert await journal.replay_all("space", "x", seen, 2_222) == (None, rows[:2_222])
        assert await journal.feed(1, 0, 10_000) == rows
        assert await journal.feed(1, 990, 1_020) == rows[990:2_010]
        assert await journal.history("space", "x", 999, 1_001) == rows[999:2_000]

    async def test_what_a_fold_raises_reaches_the_caller_alone(self, journal: Journal) -> None:
        [claim] = await journal.claim([1], "a")
        await journal.append([row(1, 1, "x", 1)], {1: claim.epoch})

        def fails(snapshot: Snapshot | None, rows: Iterable[Row]) -> None:
            raise LookupError("a bug in evolve")

        with pytest.raises(LookupError, match="a bug in evolve"):
            await journal.replay("space", "x", fails)
        with pytest.raises(LookupError):
            await journal.replay_all("space", "x", fails)
        assert await replayed(journal, "x") == (None, [row(1, 1, "x", 1)])
