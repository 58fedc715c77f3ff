"""Views as operators and scripts read them."""

import json

import msgspec
import pytest

from actors.control.operator import Survey
from gateway import status_view, view_table
from tests.actors.control.telling import parked, place, surveys, view, worker

STUCK = view(5, place(3, 16, 20, "parked"), parked=(parked(3, 17),), parks=1)
BUILT = view(9, place(0, 63, 100, "catching up"), live=False, view="occupancy")
LIVE = view(6, place(0, 100, 100), view="occupancy")
WORKER = worker("w-0", {0: 100, 3: 20}, STUCK, LIVE, BUILT)


def test_the_list_has_a_line_for_each_generation_and_each_parked_event(
    capsys: pytest.CaptureFixture[str],
) -> None:
    view_table.show(surveys(WORKER))
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split() == ["CONTEXT", "VIEW", "GENERATION", "STATE", "FOLDED", "BEHIND", "PARKED"]
    assert [line.split() for line in lines[:3]] == [
        ["booking", "diary", "5", "live,", "parked", "16", "4", "1"],
        ["booking", "occupancy", "6", "live", "100", "0"],
        ["booking", "occupancy", "9", "building", "63", "%", "63", "37"],
    ]
    assert lines[3:] == [
        "parked: view diary of booking at booking/3:17 (Reserved of space/maple, version 4:"
        " KeyError: 'guest'), 6 attempts, on w-0"
    ]


def test_scripts_get_every_generation_with_what_is_parked() -> None:
    found = json.loads(view_table.as_json(surveys(WORKER)))["views"]
    assert [(one["view"], one["generation"], one["live"]) for one in found] == [
        ("diary", 5, True),
        ("occupancy", 6, True),
        ("occupancy", 9, False),
    ]
    (stuck,) = found[0]["parked"]
    assert (stuck["worker"], stuck["event"]["position"], stuck["event"]["attempts"]) == (
        "w-0",
        "booking/3:17",
        6,
    )
    assert found[2]["progress"] == 0.63


def test_positions_are_shown_by_generation_and_shard(capsys: pytest.CaptureFixture[str]) -> None:
    found = surveys(WORKER)[1:]
    view_table.show_positions(found)
    _, *lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines] == [
        ["6", "live", "booking/0", "100", "100", "following"],
        ["9", "building", "booking/0", "63", "100", "catching", "up"],
    ]
    told = json.loads(view_table.positions_as_json(found))
    assert (told["context"], told["view"]) == ("booking", "occupancy")
    assert told["generations"][1] == {
        "generation": 9,
        "live": False,
        "shards": [{"shard": 0, "seq": 63, "head": 100, "state": "catching up"}],
    }


def test_the_status_has_a_line_for_each_view_that_does_not_simply_follow(
    capsys: pytest.CaptureFixture[str],
) -> None:
    status_view.show(Survey([], [WORKER], []), [], False)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("view: ")]
    assert lines == [
        "view: diary of booking: generation 5 is live, parked at booking/3:17 (Reserved of space/maple,"
        " version 4: KeyError: 'guest')",
        "view: occupancy of booking: generation 9 is building 63 %",
    ]


def test_the_status_tells_a_store_that_cannot_be_reached(capsys: pytest.CaptureFixture[str]) -> None:
    (context,) = WORKER.contexts
    context = msgspec.structs.replace(context, views_trouble="views cannot be folded: the disk is full")
    status_view.show(
        Survey([], [msgspec.structs.replace(WORKER, contexts=(context,))], []), [], each_shard=False
    )
    assert (
        "trouble: booking on w-0: views cannot be folded: the disk is full"
        in capsys.readouterr().out.splitlines()
    )
