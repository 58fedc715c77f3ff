"""A journal that was damaged while nobody ran. Snapshots are only a shortcut, so what they say wrongly does
no harm; events are the truth, so an entity whose events cannot be read says so, and every other goes on."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.client import Client
from tests.acceptance.theatre import SPACE, ask_file, journal_of, playing, reservation
from tests.gateway.running import Running, butai

EVENTS = 13
EVERY = "entities.snapshot_every=5"

SNAPSHOTS = {
    "whole": "version = version",
    "truncated": "data = substr(data, 1, length(data) / 2)",
    "empty": "data = x''",
    "flipped": "data = substr(data, 1, length(data) - 1) || x'00'",
    "foreign": "fingerprint = x'0000000000000000'",
    "newer": "data = x'02' || substr(data, 2)",
    "ahead": "version = version + 7, seq = seq + 7",
    "misplaced": "version = version - 1",
}
"""What is done to the snapshot of the room of that name."""

FAULTY = {
    "teleported": ("type = 'Teleported'", "Teleported"),
    "upgraded": ("type = 'Reserved@9'", "Reserved@9"),
    "garbled": ("data = x'c1c1c1'", "Reserved"),
}
"""What is done to an event of the room of that name, and what the answer says of it."""

REPLAYED_BADLY = {"crown": "Jammed", "veil": "Fainted"}
"""Which event of the prop of that name becomes one on which ``evolve`` raises: an Exception, or worse."""

BAD = 6
"""The version of the event that is changed."""


class Damaged:
    """A server on a damaged journal, and what its rooms were before."""

    def __init__(self, server: Running, before: dict[str, Any]) -> None:
        self.server = server
        self.before = before


def prepare(node: Running) -> dict[str, Any]:
    """Fill the rooms; their states."""
    before = {}
    for room in (*SNAPSHOTS, *FAULTY):
        path = f"/booking/spaces/{room}"
        assert node.call("POST", path, SPACE)[0] == 201
        for number in range(EVENTS - 1):
            assert node.call("POST", f"{path}/reservations", reservation(number))[0] == 201
        before[room] = node.call("GET", path)[1]
    for prop in REPLAYED_BADLY:
        for where in ("stage", "wings"):
            assert node.call("POST", f"/stagehand/props/{prop}", {"where": where})[0] == 200
    return before


def damage(folder: Path) -> None:
    """Change the files as nobody should."""
    file = journal_of(folder, "booking")
    assert ask_file(file, "SELECT count(*) FROM snapshots") == [(len(SNAPSHOTS) + len(FAULTY),)]
    for room, change in SNAPSHOTS.items():
        ask_file(file, f"UPDATE snapshots SET {change} WHERE id = ?", room)
    for room, (change, _) in FAULTY.items():
        ask_file(file, "DELETE FROM snapshots WHERE id = ?", room)
        ask_file(file, f"UPDATE events SET {change} WHERE id = ? AND version = ?", room, BAD)
    stagehand = journal_of(folder, "stagehand")
    for prop, event in REPLAYED_BADLY.items():
        ask_file(stagehand, "DELETE FROM snapshots WHERE id = ?", prop)
        ask_file(
            stagehand, "UPDATE events SET type = ?, data = x'80' WHERE id = ? AND version = 2", event, prop
        )


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Damaged]:
    folder = tmp_path_factory.mktemp("damaged")
    with playing(folder, EVERY) as node:
        before = prepare(node)
        assert node.stop() == 0
    damage(folder)
    with playing(folder, EVERY) as node:
        yield Damaged(node, before)


@pytest.fixture(scope="module")
def server(damaged: Damaged) -> Running:
    return damaged.server


@pytest.mark.parametrize("room", SNAPSHOTS)
async def test_a_snapshot_that_cannot_be_used_is_replaced_by_a_full_replay(
    room: str, client: Client, damaged: Damaged
) -> None:
    path = f"/booking/spaces/{room}"
    state = await client.get(path)
    assert state.status == 200
    assert state.version == EVENTS
    assert state.json == damaged.before[room]
    taken = await client.post(f"{path}/reservations", reservation(0, reservation="late"))
    assert (taken.status, taken.problem) == (409, "taken")
    assert (await client.post(f"{path}/reservations", reservation(50))).accepted().version == EVENTS + 1


@pytest.mark.parametrize("room", [room for room in SNAPSHOTS if room != "whole"])
async def test_a_snapshot_that_is_not_used_is_warned_of(room: str, client: Client, damaged: Damaged) -> None:
    assert (await client.get(f"/booking/spaces/{room}")).status == 200
    log = damaged.server.log.read_text()
    (warning,) = [line for line in log.splitlines() if f" id={room} " in line]
    assert " WARNING " in warning
    assert "snapshot ignored" in warning
    assert " id=whole " not in log


@pytest.mark.parametrize("room", FAULTY)
async def test_an_unreadable_event_is_a_clear_problem_of_that_room_alone(
    room: str, client: Client, damaged: Damaged
) -> None:
    path = f"/booking/spaces/{room}"
    for refused in (
        await client.get(path),
        await client.post(f"{path}/reservations", reservation(50)),
        await client.get(f"{path}/events"),
        await client.get(f"{path}?version={EVENTS}"),
    ):
        assert (refused.status, refused.problem) == (500, "unreadable")
        assert FAULTY[room][1] in refused.detail
    # What lies before it can be read.
    past = await client.get(f"{path}?version={BAD - 1}")
    assert len(past.json["state"]["reservations"]) == BAD - 2
    page = await client.get(f"{path}/events?limit={BAD - 1}")
    assert [event["version"] for event in page.json["events"]] == list(range(1, BAD))
    assert (await client.get(page.json["next"])).problem == "unreadable"
    assert (await client.get("/booking/spaces/whole")).status == 200
    assert (await client.get("/readyz")).status == 200


@pytest.mark.parametrize("room", ["teleported", "garbled"])
def test_the_journal_shows_an_event_that_the_context_cannot_read(room: str, damaged: Damaged) -> None:
    shown = butai(damaged.server.log.parent, "journal", "booking", "space", room, "--json")
    assert shown.returncode == 0, shown.stderr
    events = [json.loads(line) for line in shown.stdout.splitlines()]
    assert [event["version"] for event in events] == list(range(1, EVENTS + 1))
    assert events[BAD - 1]["type"] == FAULTY[room][1]


@pytest.mark.parametrize(("prop", "event"), [("crown", "Jammed"), ("veil", "Fainted")])
async def test_an_event_on_which_the_context_fails_is_a_clear_problem_of_that_entity_alone(
    prop: str, event: str, client: Client
) -> None:
    path = f"/stagehand/props/{prop}"
    for refused in (await client.get(path), await client.post(path, {"where": "box"})):
        assert (refused.status, refused.problem) == (500, "failed")
        assert "could not be replayed" in refused.detail
    assert (await client.get(f"{path}?version=1")).json["state"]["where"] == "stage"
    assert [each["type"] for each in await client.history(path)] == ["Placed", event]
    assert (await client.post(f"/stagehand/props/not-{prop}", {"where": "box"})).accepted().version == 1
