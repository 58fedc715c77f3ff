"""The operator's commands against a real node and a real bus."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.command_line import main
from tests.gateway.running import alive, eventually
from tests.gateway.understudies import Troupe, troupe

Command = Callable[..., subprocess.CompletedProcess[str]]
Status = Callable[[Path], dict[str, Any]]


@pytest.fixture
def butai(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs a command in this process, which has loaded what it needs."""
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("TERM", "dumb")

    def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "argv", ["butai", *arguments])
        return subprocess.CompletedProcess(arguments, main(), *capsys.readouterr())

    return run


@pytest.fixture
def status(butai: Command) -> Status:
    """What ``butai status --json`` says."""

    def ask(folder: Path) -> dict[str, Any]:
        ended = butai(folder, "status", "--json")
        assert ended.stdout, ended.stderr
        found: dict[str, Any] = json.loads(ended.stdout)
        return found

    return ask


def complaint(ended: subprocess.CompletedProcess[str]) -> str:
    """The only line of a command that failed."""
    assert ended.returncode == 1, ended.stderr
    (line,) = ended.stderr.splitlines()
    return line


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Troupe]:
    """A node with two workers, for the tests that leave it so."""
    with troupe(tmp_path_factory.mktemp("two"), 2) as two:
        yield two


def test_the_status_shows_nodes_workers_and_an_owner_for_each_shard(two: Troupe, status: Status) -> None:
    found = status(two.folder)
    (node,) = found["nodes"]
    assert node["wanted"] == 2
    assert [slot["state"] for slot in node["slots"]] == ["serving", "serving"]
    workers = [worker["worker"] for worker in found["workers"]]
    assert workers == [slot["worker"] for slot in node["slots"]]
    assert [worker["pid"] for worker in found["workers"]] == [slot["pid"] for slot in node["slots"]]
    assert [(s["context"], s["shard"], s["epoch"], s["state"]) for s in found["shards"]] == [
        ("rooms", number, 1, "open") for number in range(8)
    ]
    assert {shard["owner"] for shard in found["shards"]} == set(workers)
    assert (found["silent"], found["not_open"], found["pins"]) == ([], [], [])
    (context,) = found["workers"][0]["contexts"]
    assert (context["passivated"], context["recovered"], context["quarantines"]) == (2, 3, 1)


def test_the_status_for_people_names_what_needs_them(two: Troupe, butai: Command) -> None:
    ended = butai(two.folder, "status")
    assert ended.returncode == 0, ended.stderr
    assert "quarantined: rooms/space/maple" in ended.stdout
    assert "0,2,4,6" in ended.stdout
    each = butai(two.folder, "status", "--shards")
    assert [f"rooms/{number} " in each.stdout for number in range(8)] == [True] * 8


def test_a_pin_is_kept_by_slot_and_taken_away(two: Troupe, butai: Command, status: Status) -> None:
    worker = status(two.folder)["workers"][1]["worker"]
    slot = worker.rsplit("-", 2)[0]
    ended = butai(two.folder, "pin", "rooms", "3", worker, "--json")
    assert json.loads(ended.stdout) == {"context": "rooms", "shard": 3, "place": slot}
    assert status(two.folder)["pins"] == [{"context": "rooms", "shard": 3, "place": slot}]
    assert butai(two.folder, "unpin", "rooms", "3").stdout == "rooms/3 is not pinned any more\n"
    assert status(two.folder)["pins"] == []


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["drain", "nobody"], "there is no worker nobody in the cluster butai"),
        (["scale", "3", "--node", "elsewhere"], "there is no node elsewhere in the cluster butai"),
        (["pin", "rooms", "8", "x"], "rooms has the shards 0 to 7, not 8"),
        (["pin", "halls", "0", "x"], "there is no context halls in the cluster butai"),
        (["pin", "rooms", "0", "x"], "there is no worker and no node x in the cluster butai"),
        (["unpin", "rooms", "0"], "rooms/0 is not pinned"),
        (["release", "rooms", "space", "oak"], "rooms/space/oak is not quarantined"),
        (["views", "list", "halls"], "context: expected one of rooms in the cluster butai, found 'halls'"),
        (["views", "pause", "rooms", "x"], "view: expected one of diary in rooms, found 'x'"),
    ],
)
def test_what_is_not_there_is_one_line(
    arguments: list[str], expected: str, two: Troupe, butai: Command
) -> None:
    assert complaint(butai(two.folder, *arguments)) == f"butai: {expected}"


# Views of two workers, which look at their generations only when they are told to


def generations(folder: Path, butai: Command) -> list[tuple[int, bool, bool]]:
    """Number, whether it is live, whether it is paused."""
    found = json.loads(butai(folder, "views", "list", "--json").stdout)["views"]
    return [(view["generation"], view["live"], view["paused"]) for view in found]


def test_a_view_is_paused_on_all_workers_when_the_command_returns(two: Troupe, butai: Command) -> None:
    number, *_ = generations(two.folder, butai)[0]
    ended = butai(two.folder, "views", "pause", "rooms", "diary", "--json")
    assert json.loads(ended.stdout) == {"context": "rooms", "view": "diary", "paused": True}
    assert generations(two.folder, butai) == [(number, True, True)]
    assert butai(two.folder, "views", "resume", "rooms", "diary").stdout == "view diary of rooms goes on\n"
    assert generations(two.folder, butai) == [(number, True, False)]


def test_a_rebuild_is_waited_for_until_all_workers_answer_from_it(two: Troupe, butai: Command) -> None:
    number, *_ = generations(two.folder, butai)[0]
    ended = butai(two.folder, "views", "rebuild", "rooms", "diary", "--wait")
    assert ended.stdout == f"generation {number + 1} of view diary of rooms answers\n", ended.stderr
    assert generations(two.folder, butai) == [(number + 1, True, False)]


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("rival", "butai: generation {begun} was given up for generation {later}"),
        (
            "slow",
            "butai: waited 0.5 s for generation {begun} of view diary, which is building 40 %; it goes on",
        ),
    ],
)
def test_a_rebuild_that_does_not_end_is_one_line(
    how: str, expected: str, two: Troupe, butai: Command
) -> None:
    number = generations(two.folder, butai)[-1][0]
    (two.folder / how).touch()
    try:
        ended = butai(two.folder, "views", "rebuild", "rooms", "diary", "--wait", "--timeout", "0.5")
        assert complaint(ended) == expected.format(begun=number + 1, later=number + 2)
    finally:
        (two.folder / how).unlink()
    # And without waiting it is begun, and told.
    ended = butai(two.folder, "views", "rebuild", "rooms", "diary", "--json")
    begun = json.loads(ended.stdout)
    assert (begun["live"], begun["generation"]) == (False, generations(two.folder, butai)[-1][0])


def test_the_token_is_for_the_nodes_user_alone(two: Troupe) -> None:
    assert (two.folder / "data" / "nats" / "nats.conf").stat().st_mode & 0o077 == 0


def test_a_quarantined_entity_is_released_where_it_lives(
    tmp_path: Path, butai: Command, status: Status
) -> None:
    with troupe(tmp_path, 1):
        ended = butai(tmp_path, "release", "rooms", "space", "maple", "--json")
        (worker,) = status(tmp_path)["workers"]
        assert json.loads(ended.stdout)["worker"] == worker["worker"]
        assert worker["contexts"][0]["quarantines"] == 0


def test_workers_are_added_drained_and_taken_away(tmp_path: Path, butai: Command, status: Status) -> None:
    with troupe(tmp_path, 1) as node:
        assert butai(tmp_path, "scale", "3").stdout == "3 workers serve\n"
        assert len(node.children()) == 3
        workers = [worker["worker"] for worker in status(tmp_path)["workers"]]
        ended = butai(tmp_path, "drain", workers[1])
        assert ended.stdout == f"{workers[1]} has left\n", ended.stderr
        assert len(node.children()) == 2
        assert [worker["worker"] for worker in status(tmp_path)["workers"]] == [workers[0], workers[2]]
        ended = butai(tmp_path, "scale", "1", "--json")
        assert json.loads(ended.stdout) == {"workers": [workers[0]]}
        assert len(node.children()) == 1
        assert "worker died" not in node.log()


def test_a_rolling_restart_replaces_every_worker_and_never_has_fewer(
    tmp_path: Path, butai: Command, status: Status
) -> None:
    with troupe(tmp_path, 2) as node:
        before = {worker["worker"] for worker in status(tmp_path)["workers"]}
        ended = butai(tmp_path, "rolling-restart", "--json")
        after = json.loads(ended.stdout)["restarted"]
        assert {worker["worker"] for worker in status(tmp_path)["workers"]} == set(after)
        assert len(after) == 2
        assert not before & set(after)
        lines = node.log().splitlines()
        steps = [line for line in lines if " worker ready " in line or " stopping " in line]
        assert [" worker ready " in step for step in steps] == [True, False, True, False]


def test_a_worker_whose_successor_cannot_start_goes_on(
    tmp_path: Path, butai: Command, status: Status
) -> None:
    with troupe(tmp_path, 1):
        (worker,) = status(tmp_path)["workers"]
        (tmp_path / "refuse").touch()
        assert complaint(butai(tmp_path, "rolling-restart")) == (
            f"butai: {worker['worker']} was not replaced: the successor could not start: no room on the stage"
        )
        assert complaint(butai(tmp_path, "scale", "2")).endswith("slot 1: no room on the stage")
        assert [one["worker"] for one in status(tmp_path)["workers"]] == [worker["worker"]]


def test_a_stopped_worker_is_shown_as_silent_and_a_killed_one_is_replaced(
    tmp_path: Path, butai: Command, status: Status
) -> None:
    with troupe(tmp_path, 2) as node:
        stopped, killed = (slot["pid"] for slot in status(tmp_path)["nodes"][0]["slots"])
        os.kill(stopped, signal.SIGSTOP)
        try:
            ended = butai(tmp_path, "status", "--json")
            found = json.loads(ended.stdout)
            assert ended.returncode == 1
            assert found["silent"] == [found["nodes"][0]["slots"][0]["worker"]]
            assert found["not_open"]
        finally:
            os.kill(stopped, signal.SIGCONT)
        os.kill(killed, signal.SIGKILL)
        assert eventually(lambda: killed not in node.children() and len(node.children()) == 2)
        slot = status(tmp_path)["nodes"][0]["slots"][1]
        assert (slot["deaths"], slot["last_words"]) == (1, "killed by SIGKILL")


def test_a_server_that_dies_comes_back_and_the_node_is_heard_again(tmp_path: Path, butai: Command) -> None:
    with troupe(tmp_path, 1) as node:
        (server,) = node.children("nats-server")
        os.kill(server, signal.SIGKILL)
        assert eventually(lambda: server not in node.children("nats-server"))
        assert eventually(lambda: butai(tmp_path, "status").returncode == 0, 20.0)


def test_a_killed_node_takes_workers_and_server_along(tmp_path: Path, butai: Command) -> None:
    with troupe(tmp_path, 3) as node:
        children = [*node.children(), *node.children("nats-server")]
        assert len(children) == 4
        node.process.kill()
        assert eventually(lambda: not any(alive(child) for child in children), 2.0)
        assert complaint(butai(tmp_path, "status")).startswith("butai: the cluster butai cannot be reached: ")


def test_a_cluster_that_is_not_there_is_one_line(tmp_path: Path, butai: Command) -> None:
    for command in (
        ["status"],
        ["scale", "2"],
        ["drain", "x"],
        ["rolling-restart"],
        ["release", "a", "b", "c"],
        ["views", "list"],
        ["views", "skip", "a", "b", "1", "2"],
    ):
        assert complaint(butai(tmp_path, *command)) == (
            "butai: the cluster butai cannot be reached: no node runs on the data directory data"
        )
    elsewhere = butai(tmp_path, "status", "--set", "bus=nats://127.0.0.1:1")
    assert complaint(elsewhere).startswith("butai: the cluster butai cannot be reached: nats://127.0.0.1:1: ")
