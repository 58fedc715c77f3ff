"""The ``butai`` command as people meet it: real processes, one line per error, never a traceback."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgpack
import pytest

from actors.journal.port import Row
from gateway.command_line import main
from gateway.journal_view import as_json, as_text
from tests.gateway.running import BUTAI, CLEAN, SPACE, Running, alive, butai, eventually, running

COMMANDS = [
    *("up", "check", "journal", "book", "version"),
    *("status", "scale", "drain", "rolling-restart", "pin", "unpin", "release", "views"),
]
SLOT = {"guest": "ada", "guests": 4, "start": "2027-01-15T10:00:00+09:00", "end": "2027-01-15T12:00:00+09:00"}


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One node for the tests that leave it as it is."""
    with running(tmp_path_factory.mktemp("node")) as node:
        yield node


def one_line(ended: subprocess.CompletedProcess[str], status: int = 1) -> str:
    """The only line on stderr of a command that failed."""
    assert ended.returncode == status, ended.stderr
    assert "Traceback" not in ended.stderr
    lines = [
        line for line in ended.stderr.splitlines() if "no cluster.yaml" not in line and " INFO " not in line
    ]
    assert len(lines) == 1, ended.stderr
    return lines[0]


# Help and usage, in this process: they read nothing and start nothing

CommandLine = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def command_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "dumb")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        monkeypatch.setattr(sys, "argv", ["butai", *arguments])
        status = main()
        return subprocess.CompletedProcess(arguments, status, *capsys.readouterr())

    return run


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, command_line: CommandLine) -> None:
    ended = command_line(command, "--help")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert f"butai {command}" in ended.stdout
    assert len(ended.stdout.splitlines()) > 5


@pytest.mark.parametrize("command", ["list", "positions", "rebuild", "pause", "resume", "release", "skip"])
def test_every_command_about_views_explains_itself(command: str, command_line: CommandLine) -> None:
    assert f"│ {command} " in command_line("views", "--help").stdout
    ended = command_line("views", command, "--help")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert f"butai views {command}" in ended.stdout
    assert all(f"--{option} " in ended.stdout for option in ("json", "data", "config", "set"))


def test_the_help_lists_every_command(command_line: CommandLine) -> None:
    ended = command_line("--help")
    assert ended.returncode == 0
    assert all(f"│ {command} " in ended.stdout for command in COMMANDS)


def test_without_arguments_the_help_is_shown(command_line: CommandLine) -> None:
    ended = command_line()
    assert (ended.returncode, ended.stderr) == (2, "")
    assert "Commands" in ended.stdout


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["chek"], "butai: No such command 'chek'. Did you mean 'check'? (see butai --help)"),
        (["up", "--sett", "x"], "butai: No such option: --sett"),
        (["up", "x"], "butai: Got unexpected extra argument(s) (x) (see butai up --help)"),
        (["journal", "booking"], "butai: Missing argument 'aggregate'. (see butai journal --help)"),
        (["journal", "a", "b", "c", "--after", "-1"], "butai: Invalid value for '--after'"),
        (["views", "lst"], "butai: No such command 'lst'. Did you mean 'list'? (see butai views --help)"),
        (["views", "skip", "a", "b", "3"], "butai: Missing argument 'seq'. (see butai views skip --help)"),
    ],
)
def test_wrong_usage_is_one_line(arguments: list[str], expected: str, command_line: CommandLine) -> None:
    assert one_line(command_line(*arguments), 2).startswith(expected)


def test_the_version_is_shown_in_two_ways(command_line: CommandLine) -> None:
    shown = {command_line(way).stdout for way in ("version", "--version")}
    assert len(shown) == 1
    assert shown.pop().startswith("butai ")


# check


def test_check_shows_contexts_aggregates_commands_and_routes(tmp_path: Path) -> None:
    ended = butai(tmp_path, "check")
    assert ended.returncode == 0
    lines = ended.stdout.splitlines()
    assert "  space: Open, Reserve, Hold, Confirm, Reschedule, Cancel" in lines
    assert "  POST   /booking/spaces/{space}/reservations  Reserve" in lines
    assert lines[-1] == "ok: 2 contexts, to be served on http://127.0.0.1:8080"


def test_check_tells_every_wrong_key(tmp_path: Path) -> None:
    (tmp_path / "cluster.yaml").write_text("gateway: {bimd: x}\nshards: many\n")
    ended = butai(tmp_path, "check", "--set", "log=xml")
    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [
        "butai: gateway.bimd: unknown key, did you mean gateway.bind?",
        "butai: shards: expected a whole number from 1 to 4,096, found 'many'",
        "butai: --set log: expected json or text, found 'xml'",
    ]


def test_check_tells_every_context_that_cannot_be_loaded(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("1 / 0\n")
    (tmp_path / "empty.py").write_text("")
    ended = butai(tmp_path, "check", "--set", "contexts=[nowhere, broken, empty, contexts.venue]")
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[1:] == [
        "butai: contexts: 'nowhere' cannot be imported: ModuleNotFoundError: No module named 'nowhere'",
        "butai: contexts: 'broken' cannot be imported: ZeroDivisionError: division by zero",
        "butai: contexts: module 'empty' has no 'context' of type Context",
    ]


def test_a_context_in_the_current_folder_is_found_but_hides_nothing_installed(tmp_path: Path) -> None:
    (tmp_path / "actors").mkdir()
    (tmp_path / "actors" / "__init__.py").write_text("raise SystemExit('the wrong package')")
    (tmp_path / "rooms.py").write_text("from contexts.venue import context\n")
    ended = subprocess.run(
        [Path(sys.executable).parent / "butai", "check", "--set", "contexts=[rooms]"],
        cwd=tmp_path,
        env=CLEAN,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr


def test_a_reader_that_goes_away_is_no_traceback(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stdout:
        process = subprocess.Popen(
            [*BUTAI, "check"], cwd=tmp_path, env=CLEAN, stdout=stdout, stderr=subprocess.PIPE, text=True
        )
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "Traceback" not in errors
    assert "Exception ignored" not in errors


# up, when it cannot


def test_a_wrong_key_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "cluster.yaml").write_text("gateway: {bnd: 127.0.0.1:0}\n")
    assert one_line(butai(tmp_path, "up")) == "butai: gateway.bnd: unknown key, did you mean gateway.bind?"


def test_a_taken_port_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        bind = f"127.0.0.1:{other.getsockname()[1]}"
        ended = butai(tmp_path, "up", "--set", f"gateway.bind={bind}")
    assert one_line(ended) == f"butai: gateway.bind: {bind} is taken by another process"


def test_an_address_that_is_not_ours_is_one_line(tmp_path: Path) -> None:
    ended = butai(tmp_path, "up", "--set", "gateway.bind=[::1%lo:0]:0")
    assert one_line(ended).startswith("butai: gateway.bind: ")


@pytest.mark.parametrize("data", ["file/data", "/proc/1/data"])
def test_an_unwritable_data_directory_is_one_line(data: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ended = butai(tmp_path, "up", "--set", "gateway.bind=127.0.0.1:0", "--set", f"data={data}")
    assert one_line(ended).startswith(f"butai: cannot use the data directory {data}: ")


def test_a_second_node_on_the_same_data_is_refused_in_one_line(node: Running) -> None:
    ended = butai(node.log.parent, "up", "--set", "gateway.bind=127.0.0.1:0")
    assert one_line(ended) == f"butai: the data directory data is in use by process {node.process.pid}"
    assert node.serves()


def test_a_broken_context_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("1 / 0\n")
    ended = butai(tmp_path, "up", "--set", "gateway.bind=127.0.0.1:0", "--set", "contexts=[broken]")
    assert (
        one_line(ended) == "butai: contexts: 'broken' cannot be imported: ZeroDivisionError: division by zero"
    )


# up, when it can


def test_the_ready_line_names_address_contexts_journal_and_docs(node: Running) -> None:
    data = node.log.parent / "data"
    assert node.ready == (
        f"butai: butai is ready at {node.url} "
        f"(contexts: venue, booking; journal: sqlite in {data}; docs: {node.url}/docs)\n"
    )
    assert node.call("GET", "/healthz")[0] == 200
    assert node.serves()


def test_a_killed_worker_is_replaced_and_what_was_acknowledged_is_still_there(tmp_path: Path) -> None:
    with running(tmp_path) as node:
        assert node.call("POST", "/booking/spaces/maple", SPACE)[0] == 201
        for number in range(3):
            body = {"reservation": f"r{number}", **SLOT, "start": f"2027-01-1{number}T10:00:00+09:00"}
            body["end"] = f"2027-01-1{number}T12:00:00+09:00"
            assert node.call("POST", "/booking/spaces/maple/reservations", body)[0] == 201
            killed = node.worker()
            os.kill(killed, signal.SIGKILL)
            assert eventually(lambda killed=killed: not alive(killed) and node.serves())  # type: ignore[misc]
            _, history = node.call("GET", "/booking/spaces/maple/events")
            assert [event["version"] for event in history["events"]] == list(range(1, number + 3))
        assert node.stop() == 0


def test_a_worker_whose_committer_dies_says_why_and_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "rooms.py").write_text("""
from pathlib import Path
from actors import commit
from contexts.booking import context

async def fail(self, batch):
    raise RuntimeError("disk on fire")

if not Path("failed").exists():
    Path("failed").touch()
    commit.Committer._commit = fail
""")
    with running(tmp_path, "--set", "contexts=[rooms]") as node:
        with pytest.raises(OSError):
            node.call("POST", "/booking/spaces/maple", SPACE)
        assert eventually(node.serves)
        assert node.call("POST", "/booking/spaces/maple", SPACE)[0] == 201
        assert node.stop() == 0
        died = [line for line in node.log.read_text().splitlines() if "restart_in" in line]
        assert len(died) == 1
        assert "booking: the committer ended: RuntimeError('disk on fire')" in died[0]


def test_a_killed_node_takes_its_worker_along_and_frees_its_data(tmp_path: Path) -> None:
    with running(tmp_path) as node:
        worker = node.worker()
        node.process.kill()
        assert eventually(lambda: not alive(worker), 2.0)
    with running(tmp_path) as node:
        assert node.serves()
        assert node.stop() == 0


def test_logs_may_be_json(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [*BUTAI, "up", "--log", "json", "--set", "gateway.bind=127.0.0.1:0"],
            cwd=tmp_path,
            env=CLEAN,
            stderr=stderr,
        )
    try:
        assert eventually(lambda: '"message": "ready"' in log.read_text(), 20.0)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
    entries = [json.loads(line) for line in log.read_text().splitlines()[1:]]
    (ready,) = [entry for entry in entries if entry["message"] == "ready"]
    assert ready["url"].startswith("http://127.0.0.1:")
    assert all({"ts", "level", "logger", "message"} <= entry.keys() for entry in entries)


# journal


def test_journal_shows_events_while_the_worker_runs(node: Running) -> None:
    assert node.call("POST", "/booking/spaces/oak", SPACE)[0] == 201
    body = {"reservation": "r1", **SLOT}
    assert node.call("POST", "/booking/spaces/oak/reservations", body)[0] == 201
    folder = node.log.parent
    shown = butai(folder, "journal", "booking", "space", "oak")
    assert shown.returncode == 0, shown.stderr
    first, second = shown.stdout.splitlines()
    assert first.split()[:2] == ["1", "Opened"]
    assert '"reservation": "r1"' in second
    listed = butai(folder, "journal", "booking", "space", "oak", "--json", "--after", "1", "--data", "data")
    (only,) = [json.loads(line) for line in listed.stdout.splitlines()]
    _, history = node.call("GET", "/booking/spaces/oak/events")
    assert only["type"] == "Reserved"
    assert (only["version"], only["at"]) == (2, history["events"][1]["at"])
    assert only["data"]["reservation"] == "r1"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (
            ["booking", "space", "nowhere"],
            "butai: booking: there is no space 'nowhere' in data/booking.sqlite",
        ),
        (["nothing", "space", "oak"], "butai: there is no journal at data/nothing.sqlite"),
        (
            ["broken", "space", "oak"],
            "butai: cannot open the journal data/broken.sqlite: file is not a database",
        ),
    ],
)
def test_journal_tells_in_one_line_what_is_not_there(
    arguments: list[str], problem: str, node: Running
) -> None:
    folder = node.log.parent
    (folder / "data" / "broken.sqlite").write_text(
        "this is no database, and long enough to be sure of it " * 9
    )
    assert one_line(butai(folder, "journal", *arguments)).startswith(problem)


def row(data: bytes, id: str = "maple") -> Row:
    return Row(3, 7, "space", id, 1, "Opened", b"0" * 16, None, 1_800_000_000_000_001, "ada\x1b", None, data)


def test_an_event_that_makes_no_sense_is_shown_as_it_is_stored() -> None:
    shown = json.loads(as_json("booking", row(b"\xc1\x00")))
    assert shown["data"]["undecodable"] == "c100"
    assert shown["at"] == "2027-01-15T08:00:00.000001Z"
    assert shown["position"] == "booking/3:7"


def test_what_is_stored_cannot_command_a_terminal() -> None:
    data = msgpack.packb({"name": "\x9b2J\u202e楓\n", "raw": b"\x00"})
    for line in (as_text("booking", row(data)), as_json("booking", row(data))):
        assert line.isprintable()
        assert "楓" in line
    assert json.loads(as_json("booking", row(data)))["data"]["name"] == "\x9b2J\u202e楓\n"
