"""What a worker tells of its views, and does about them when an operator asks, with projections that fold."""

from collections.abc import AsyncIterator

import pytest

from actors.control.facts import ContextFacts, ViewFacts
from actors.control.gather import context_facts
from actors.control.messages import (
    Begun,
    Done,
    Failed,
    LookAtViews,
    PauseView,
    RebuildView,
    ReleaseView,
    Reply,
    Skipped,
    SkipView,
    ViewAsk,
)
from actors.control.views import ViewControl
from tests.actors.control.viewing import Viewing, until, viewing
from tests.actors.views.guestbook import Faults

ERROR = "RuntimeError: a fault in fold"


@pytest.fixture
async def worker() -> AsyncIterator[Viewing]:
    async with viewing(attempts=3) as worker:
        yield worker


def facts(worker: Viewing) -> ContextFacts:
    return context_facts(worker.region, worker.projections)


def pages(worker: Viewing) -> ViewFacts:
    (found,) = [view for view in facts(worker).views if view.view == "pages"]
    return found


async def ask(worker: Viewing, request: ViewAsk) -> Reply:
    reply = ViewControl({"guestbook": worker.projections}).handle(request)
    return await reply if not isinstance(reply, Reply) else reply


async def park(worker: Viewing) -> int:
    """Break the fourth line of a book, with one more after it; its shard, in which it is number 4."""
    for line in ("one", "two", "three", "break fold", "five"):
        await worker.write("ada", line)
    await until(lambda: pages(worker).parks)
    await worker.folded()
    return worker.shard("ada")


async def test_a_view_that_follows_tells_how_far_it_is(worker: Viewing) -> None:
    for _ in range(3):
        await worker.write("ada", "line")
    await worker.folded()
    found = pages(worker)
    assert (found.live, found.paused, found.foldable) == (True, False, True)
    assert found.fingerprint == worker.projections.foldings["pages"].shape.fingerprint
    assert (found.folded, found.lag, found.seconds, found.waiting, found.parks) == (3, 0, 0.0, 0, 0)
    at = {place.shard: (place.seq, place.head, place.state) for place in found.places}
    assert at.pop(worker.shard("ada")) == (3, 3, "following")
    assert set(at.values()) == {(0, 0, "following")}


async def test_an_event_that_cannot_be_folded_is_told_with_all_that_leads_to_it(worker: Viewing) -> None:
    shard = await park(worker)
    found = pages(worker)
    (event,) = found.parked
    assert (event.shard, event.seq, event.position) == (shard, 4, f"guestbook/{shard}:4")
    assert (event.event, event.entity, event.version) == ("Broken", "book/ada", 4)
    assert (event.error, event.attempts) == (ERROR, 3)
    assert (found.folded, found.lag) == (3, 2)
    assert {place.state for place in found.places if place.shard == shard} == {"parked"}
    (other,) = [view for view in facts(worker).views if view.view == "sums"]
    assert (other.folded, other.lag, other.parks) == (5, 0, 0)
    assert worker.projections.trouble() == (
        f"view pages is parked at guestbook/{shard}:4 ({ERROR}); shards parked: 1"
    )
    assert facts(worker).views_trouble == ""


async def test_a_parked_shard_that_is_released_goes_on_when_the_cause_is_gone(
    worker: Viewing, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard = await park(worker)
    release = ReleaseView(context="guestbook", view="pages", shard=shard)
    failures = worker.projections.pump.tallies["pages"].failures
    assert await ask(worker, release) == Done()
    await until(lambda: pages(worker).parks)
    # Tried again as often as the first time, and no more.
    assert worker.projections.pump.tallies["pages"].failures == failures + 3
    monkeypatch.setattr(Faults, "broken", False)
    assert await ask(worker, release) == Done()
    await until(lambda: pages(worker).folded == 5)
    assert pages(worker).parks == 0
    where = f"view pages is not parked at guestbook/{shard} on this worker"
    assert await ask(worker, release) == Failed(where)


async def test_a_skipped_event_is_told_and_what_came_after_it_is_folded(worker: Viewing) -> None:
    shard = await park(worker)
    for wrong in (3, 5):
        skip = SkipView(context="guestbook", view="pages", shard=shard, seq=wrong)
        where = f"view pages is not parked at guestbook/{shard}:{wrong} on this worker"
        assert await ask(worker, skip) == Failed(where)
    skip = SkipView(context="guestbook", view="pages", shard=shard, seq=4)
    assert await ask(worker, skip) == Skipped(event="Broken", entity="book/ada", version=4, error=ERROR)
    await worker.folded()
    assert (pages(worker).folded, pages(worker).lag, pages(worker).parks) == (5, 0, 0)


async def test_a_paused_view_stands_still_and_goes_on_where_it_was(worker: Viewing) -> None:
    assert await ask(worker, PauseView(context="guestbook", view="pages", paused=True)) == Done()
    await until(lambda: pages(worker).paused)
    await worker.write("ada", "line")
    await until(lambda: pages(worker).lag == 1)
    assert {place.state for place in pages(worker).places} == {"paused"}
    assert await ask(worker, PauseView(context="guestbook", view="pages", paused=False)) == Done()
    await until(lambda: pages(worker).folded == 1)


async def test_a_rebuilt_view_is_another_generation_which_comes_to_answer(worker: Viewing) -> None:
    await worker.write("ada", "line")
    await worker.folded()
    before = pages(worker).generation
    begun = await ask(worker, RebuildView(context="guestbook", view="pages"))
    assert isinstance(begun, Begun)
    assert begun.generation > before
    after = [begun.generation]
    await until(lambda: [v.generation for v in facts(worker).views if v.view == "pages"] == after)
    assert (pages(worker).live, pages(worker).folded) == (True, 1)


async def test_what_is_not_there_is_refused(worker: Viewing) -> None:
    elsewhere = LookAtViews(context="elsewhere")
    assert await ask(worker, elsewhere) == Failed("the views of elsewhere are not folded on this worker")
    assert await ask(worker, LookAtViews(context="guestbook")) == Done()
    for request in (
        RebuildView(context="guestbook", view="none"),
        PauseView(context="guestbook", view="none", paused=True),
    ):
        reply = await ask(worker, request)
        assert isinstance(reply, Failed)
        assert "none" in reply.why
