"""What one entity answers."""

import msgspec
import pytest

from actors.messages import Absent, Accepted, Reason, Refused, Rejected, Shown
from contexts.vocabulary import Principal
from tests.actors.house import Add, AddMany, Build, House, Nothing

KEY = b"sixteen bytes ok"


async def test_a_reply_tells_version_position_and_events(house: House) -> None:
    answer = await house.ask(Add(7), by=Principal("ada"))
    assert isinstance(answer, Accepted)
    assert answer.changed
    number = house.shard().number
    assert msgspec.json.decode(answer.body) == {
        "version": 1,
        "position": f"sums/{number}:1",
        "events": [{"version": 1, "type": "Added", "at": "2023-11-14T22:13:20Z", "data": {"amount": 7}}],
    }


async def test_the_journal_row_tells_who_when_and_which_command(house: House) -> None:
    await house.ask(Add(7), by=Principal("ada"), key=KEY)
    (row,) = house.journal.batches[0]
    assert (row.by, row.at, row.command_id, row.fingerprint) == (
        "ada",
        1_700_000_000_000_000,
        KEY,
        b"8 bytes.",
    )


async def test_a_command_that_finds_nothing_to_do_changes_nothing(house: House) -> None:
    await house.ask(Add(7))
    answer = await house.ask(Nothing())
    assert isinstance(answer, Accepted)
    assert (answer.version, answer.changed) == (1, False)
    assert msgspec.json.decode(answer.body)["events"] == []


async def test_a_query_of_what_does_not_exist_leaves_no_entity_behind(house: House) -> None:
    assert await house.ask(None, "nobody") == Absent(0)
    assert house.region.active == 0


async def test_a_command_past_its_deadline_is_not_decided(house: House) -> None:
    answer = await house.ask(Add(1), patience=0.0)
    assert isinstance(answer, Refused)
    assert answer.reason is Reason.EXPIRED
    assert house.journal.batches == []


async def test_without_a_lease_nothing_is_decided_not_even_a_read(house: House) -> None:
    await house.ask(Add(1))
    house.lease.until = house.clock.now() - 1
    for command in (Add(1), Add(1000), None):
        answer = await house.ask(command)
        assert isinstance(answer, Refused)
        assert answer.reason is Reason.MOVED
    house.lease.until = house.clock.now() + 1
    assert isinstance(await house.ask(None), Shown)


@pytest.mark.parametrize(("expected", "right"), [(2, True), (1, False), (0, False)])
async def test_the_expected_version_must_be_the_present_one(house: House, expected: int, right: bool) -> None:
    await house.ask(AddMany([1, 1]))
    answer = await house.ask(Add(1), expected=expected)
    assert isinstance(answer, Accepted) is right


async def test_expecting_version_zero_means_not_to_exist_yet(house: House) -> None:
    assert isinstance(await house.ask(Add(1), expected=0), Accepted)
    assert isinstance(await house.ask(Add(1), expected=0), Refused)


async def test_a_retry_with_the_same_key_gets_the_first_answer(house: House) -> None:
    first = await house.ask(Add(1), key=KEY)
    await house.ask(Add(1))
    again = await house.ask(Add(1), key=KEY)
    assert isinstance(first, Accepted)
    assert again == Accepted(1, first.body, replayed=True)
    assert await house.value() == 2


async def test_a_retry_while_the_first_is_in_flight_waits_for_it(house: House) -> None:
    house.journal.gate.clear()
    first = house.tell(Add(1), key=KEY)
    await house.turns()
    second = house.tell(Add(1), key=KEY)
    await house.turns()
    assert not second.done()
    house.journal.gate.set()
    assert (await first).body == (await second).body  # type: ignore[union-attr]
    assert await house.value() == 1


async def test_the_same_key_with_another_payload_is_refused(house: House) -> None:
    await house.ask(Add(1), key=KEY)
    answer = await house.ask(Add(2), key=KEY, fingerprint=b"another!")
    assert isinstance(answer, Refused)
    assert answer.reason is Reason.KEY_REUSED
    assert await house.value() == 1


async def test_a_retry_of_a_rejected_command_gets_the_rejection_again(house: House) -> None:
    first = await house.ask(Add(200), key=KEY)
    again = await house.ask(Add(200), key=KEY)
    assert isinstance(first, Rejected)
    assert again == Rejected(first.version, first.rejection, replayed=True)


async def test_what_the_journal_holds_outweighs_a_remembered_rejection(house: House) -> None:
    rejected = await house.ask(Add(200), key=KEY)
    house.region.answers.forget(KEY)
    first = await house.ask(Add(1), key=KEY)
    assert isinstance(first, Accepted)
    house.region.answers.remember(KEY, b"8 bytes.", rejected)
    assert await house.ask(Add(1), key=KEY) == Accepted(1, first.body, replayed=True)
    assert await house.value() == 1


@pytest.mark.parametrize("snapshot_every", [2, 1000])
async def test_a_retry_after_a_crash_gets_the_first_answer(build: Build, snapshot_every: int) -> None:
    entities = {"snapshot_every": snapshot_every}
    house = await build(entities=entities)
    first = await house.ask(AddMany([1, 2, 3]), key=KEY)
    await house.ask(Add(4))
    after = await build(house.journal, entities=entities)
    again = await after.ask(AddMany([1, 2, 3]), key=KEY)
    assert again == Accepted(3, first.body, replayed=True)  # type: ignore[union-attr]
    other = await after.ask(AddMany([9]), key=KEY, fingerprint=b"another!")
    assert isinstance(other, Refused)
    assert await after.value() == 10


async def test_keys_are_forgotten_after_their_retention(build: Build) -> None:
    house = await build(entities={"key_retention": 60.0})
    await house.ask(Add(1), key=KEY)
    house.clock.advance(61)
    await house.ask(Add(1), key=b"another key, 16b")
    house.region.answers.forget(KEY)
    assert not (await house.ask(Add(1), key=KEY)).replayed  # type: ignore[union-attr]


@pytest.mark.parametrize("text", ["nul\x00", "\ud800"])
async def test_text_that_not_every_journal_can_hold_is_refused_and_spoils_nothing(
    house: House, text: str
) -> None:
    spoilt = [house.tell(Add(1), text), house.tell(Add(1), by=Principal(text))]
    assert isinstance(await house.ask(Add(1)), Accepted)
    for answer in spoilt:
        refused = await answer
        assert isinstance(refused, Refused)
        assert refused.reason is Reason.UNSTORABLE


async def test_text_beyond_ascii_is_stored(house: House) -> None:
    assert isinstance(await house.ask(Add(1), "møte/部屋", by=Principal("Åsa")), Accepted)
