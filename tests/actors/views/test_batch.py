"""A batch folds what several projectors have, over one set of documents."""

import msgspec
import pytest

from actors.journal.port import Row
from actors.views.batch import Batch, Move
from actors.views.folding import Folding
from actors.views.port import Done, Work
from tests.actors.views.guestbook import Broken, Faults, Ignored, Shared, Torn, Written, folding, rows_of

PAGES = folding()


@pytest.fixture(autouse=True)
def broken() -> None:
    Faults.broken = True


def work(
    rows: list[Row], shard: int = 0, after: int = 0, of: Folding = PAGES, complete: bool = False
) -> Work:
    return Work(1, shard, after, rows, of, complete)


def folded(*works: Work, stored: dict[str, bytes] | None = None) -> Batch:
    """All folded from the positions that they expect."""
    batch = Batch(works, {(w.generation, w.shard): w.after for w in works})
    batch.wanted()
    batch.fold({1: stored or {}})
    return batch


def lines(batch: Batch, key: str) -> list[str]:
    document = batch.changes[1][key].document
    assert document is not None
    lines: list[str] = msgspec.json.decode(document)["lines"]
    return lines


def test_events_are_folded_in_their_order() -> None:
    batch = folded(work(rows_of(("a", Written("1")), ("a", Written("2")), ("b", Written("3")))))
    assert lines(batch, "a") == ["1", "2"]
    assert lines(batch, "b") == ["3"]
    assert batch.moves == [Move(1, 0, 0, 3, False)]
    assert batch.done == [Done(3)]


def test_only_the_touched_documents_are_wanted() -> None:
    events = (("b", Written("1")), ("c", Ignored()), ("d", Shared(["x", "a", "x"])))
    batch = Batch([work(rows_of(*events))], {(1, 0): 0})
    assert batch.wanted() == {1: ["a", "b", "x"]}


def test_a_stored_document_is_gone_on_with() -> None:
    stored = {"a": b'{"name":"a","lines":["before"],"last":null}'}
    assert lines(folded(work(rows_of(("a", Written("1")))), stored=stored), "a") == ["before", "1"]


def test_an_event_that_is_passed_over_moves_the_position_only() -> None:
    batch = folded(work(rows_of(("a", Ignored()))))
    assert batch.changes[1] == {}
    assert batch.done == [Done(1)]


def test_an_event_may_touch_several_documents() -> None:
    batch = folded(work(rows_of(("a", Shared(["x", "y", "x"])))))
    assert lines(batch, "x") == lines(batch, "y") == ["from a"]


def test_a_deleted_document_leaves_a_tombstone_with_its_last_columns() -> None:
    batch = folded(work(rows_of(("a", Written("1")), ("a", Torn()))))
    tombstone = batch.changes[1]["a"]
    assert tombstone.document is None
    assert tombstone.columns == ("a", 1_000_000)
    assert tombstone.texts == ("",)


def test_deleting_what_is_not_there_changes_nothing() -> None:
    assert folded(work(rows_of(("a", Torn())))).changes[1] == {}


def test_after_its_deletion_a_document_begins_anew() -> None:
    batch = folded(work(rows_of(("a", Written("1")), ("a", Torn()), ("a", Written("2")))))
    assert lines(batch, "a") == ["2"]


def test_works_of_two_shards_see_each_others_documents() -> None:
    first = work(rows_of(("a", Shared(["x"]))))
    second = work(rows_of(("b", Shared(["x"])), shard=1), shard=1)
    batch = folded(first, second)
    assert lines(batch, "x") == ["from a", "from b"]
    assert batch.done == [Done(1), Done(1)]


def test_a_work_from_another_position_does_nothing() -> None:
    batch = Batch([work(rows_of(("a", Written("2")), after=1), after=1)], {(1, 0): 7})
    assert batch.wanted() == {}
    batch.fold({})
    assert batch.done == [Done(7, moved=True)]
    assert not batch.moves
    assert not batch.changes


def test_a_work_of_a_generation_that_is_gone_does_nothing() -> None:
    batch = Batch([work(rows_of(("a", Written("1"))))], {})
    batch.fold({})
    assert batch.done == [Done(0, gone=True)]
    assert not batch.moves


@pytest.mark.parametrize("where", ["key", "fold"])
def test_what_comes_before_a_failing_event_is_kept_and_nothing_after(where: str) -> None:
    events = (("a", Written("1")), ("a", Broken(where)), ("b", Written("3")))
    batch = folded(work(rows_of(*events), complete=True))
    assert lines(batch, "a") == ["1"], "a fold that fails may not have changed anything, even in place"
    assert "b" not in batch.changes[1]
    assert batch.moves == [Move(1, 0, 0, 1, False)]
    [done] = batch.done
    assert done.seq == 1
    assert done.failure is not None
    assert (done.failure.seq, done.failure.event, done.failure.entity) == (2, "Broken", "book/a")
    assert done.failure.error == f"RuntimeError: a fault in {where}"


def test_a_failing_first_event_moves_nothing() -> None:
    batch = folded(work(rows_of(("a", Broken("fold")))))
    assert not batch.moves
    assert batch.done[0].seq == 0


def test_a_failing_work_does_not_disturb_its_neighbours() -> None:
    failing = work(rows_of(("a", Written("1")), ("a", Broken("fold"))))
    other = work(rows_of(("b", Shared(["a"])), shard=1), shard=1)
    batch = folded(failing, other)
    assert lines(batch, "a") == ["1", "from b"]
    assert batch.done[1] == Done(1)


def test_an_unknown_event_fails() -> None:
    [unknown] = rows_of(("a", Written("1")))
    batch = folded(work([unknown._replace(type="Forgotten")]))
    failure = batch.done[0].failure
    assert failure is not None
    assert "Forgotten" in failure.error


def test_the_bytes_of_an_event_that_is_passed_over_are_not_looked_at() -> None:
    [ignored] = rows_of(("a", Ignored()))
    assert folded(work([ignored._replace(data=b"\xff")])).done == [Done(1)]


@pytest.mark.parametrize("names", [["a", ""], ["n\x00l"], ["x" * 513]])
def test_an_impossible_key_fails(names: list[str]) -> None:
    assert folded(work(rows_of(("a", Shared(names))))).done[0].failure is not None


def test_a_complete_work_says_so_also_when_it_has_no_rows() -> None:
    assert folded(work([], complete=True)).moves == [Move(1, 0, 0, 0, True)]
    assert folded(work([])).moves == []


def test_equal_documents_have_equal_bytes() -> None:
    one = folded(work(rows_of(("a", Written("1")), ("a", Written("2")))))
    stored = folded(work(rows_of(("a", Written("1"))))).changes[1]["a"].document
    assert stored is not None
    two = folded(work(rows_of(("a", Written("1")), ("a", Written("2")))[1:], after=1), stored={"a": stored})
    assert one.changes[1]["a"] == two.changes[1]["a"]
