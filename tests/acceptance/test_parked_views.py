"""Case 18: an event that a view cannot fold is tried a bounded number of times, then its shard waits for an
operator where everybody looks, and everything else goes on."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from actors.region import shard_of
from gateway.command_line import main
from tests.acceptance.theatre import ROOT, ask_file, journal_of
from tests.gateway.running import SPACE, Running, eventually, running

SHARDS = 8
ATTEMPTS = 3
SETTINGS = (
    "contexts=[tests.acceptance.gallery, contexts.venue, contexts.booking]",
    f"shards={SHARDS}",
    f"views.attempts={ATTEMPTS}",
    "views.backoff=0.01",
)
ERROR = "ValueError: a smear has no place in the catalogue"


def node(folder: Path) -> Any:
    """A node that plays the gallery, its data in ``folder``."""
    arguments = [part for setting in SETTINGS for part in ("--set", setting)]
    return running(folder, *arguments, PYTHONPATH=str(ROOT))


class Operator:
    """Runs commands in the node's folder, in this process."""

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self._folder = folder
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        self._monkeypatch.chdir(self._folder)
        self._monkeypatch.setattr(sys, "argv", ["butai", *arguments])
        return subprocess.CompletedProcess(arguments, main(), *self._capsys.readouterr())

    def ask(self, *arguments: str) -> Any:
        """What a command that succeeds says to scripts."""
        ended = self.run(*arguments, "--json")
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)

    def refused(self, *arguments: str) -> str:
        """The one line of a command that fails."""
        ended = self.run(*arguments)
        assert ended.returncode == 1, ended.stdout
        (line,) = ended.stderr.splitlines()
        return line.removeprefix("butai: ")

    def views(self) -> dict[str, Any]:
        """The gallery's views by name, each of one generation."""
        found = json.loads(self.run("views", "list", "gallery", "--json").stdout)["views"]
        views = {view["view"]: view for view in found}
        assert len(views) == len(found)
        return views


class Gallery(NamedTuple):
    """A node, and pictures of it that no other test has touched."""

    server: Running
    folder: Path
    operator: Operator
    prefix: str

    def picture(self, number: int = 0, shard: int | None = None) -> str:
        """The number-th picture, in a certain shard."""
        names = (f"{self.prefix}{n}" for n in range(10_000))
        fitting = [n for n in names if shard is None or shard_of("picture", n, SHARDS) == shard]
        return fitting[number]

    def shard(self, picture: str) -> int:
        return shard_of("picture", picture, SHARDS)

    def hang(self, picture: str, wall: str) -> int:
        """The event's sequence in its shard."""
        return self._told(self.server.call("POST", f"/gallery/pictures/{picture}", {"wall": wall}))

    def smear(self, picture: str) -> int:
        return self._told(self.server.call("POST", f"/gallery/pictures/{picture}/smear", {}))

    def _told(self, answer: tuple[int, Any]) -> int:
        status, body = answer
        assert status in (200, 201), body
        return int(str(body["position"]).rpartition(":")[2])

    def document(self, path: str) -> Any:
        status, body = self.server.call("GET", f"/gallery/{path}")
        assert status == 200, body
        return body

    def metric(self, name: str, view: str = "catalogue") -> float:
        status, text = self.server.call("GET", "/metrics")
        assert status == 200
        wanted = f'butai_view_{name}{{context="gallery",view="{view}"}} '
        (line,) = [line for line in text.decode().splitlines() if line.startswith(wanted)]
        return float(line.rpartition(" ")[2])

    def readiness(self) -> tuple[int, Any]:
        return self.server.call("GET", "/readyz")

    def follows(self) -> bool:
        """Whether all views have folded everything."""
        return all(
            self.metric(name, view) == 0
            for name in ("lag_events", "shards_parked")
            for view in ("catalogue", "walls")
        )

    def release_all(self) -> None:
        """Let every parked shard try again, without what made it fail."""
        (self.folder / "smears").unlink(missing_ok=True)
        found = json.loads(self.operator.run("views", "list", "--json").stdout)["views"]
        parked = {(view["view"], each["event"]["shard"]) for view in found for each in view["parked"]}
        for view, shard in parked:
            self.operator.ask("views", "release", "gallery", view, str(shard))


@pytest.fixture(scope="module")
def playing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, Path]]:
    folder = tmp_path_factory.mktemp("gallery")
    with node(folder) as server:
        yield server, folder


Make = Callable[[Running, Path, str], Gallery]


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Make:
    return lambda server, folder, prefix: Gallery(
        server, folder, Operator(folder, monkeypatch, capsys), prefix
    )


@pytest.fixture
def gallery(playing: tuple[Running, Path], make: Make, request: pytest.FixtureRequest) -> Iterator[Gallery]:
    """Smears are what the catalogue cannot fold; in the end everything is as it should be."""
    server, folder = playing
    gallery = make(server, folder, f"{request.node.name[-20:]}-")
    (folder / "smears").touch()
    yield gallery
    (folder / "smears").unlink(missing_ok=True)
    if not gallery.follows():
        gallery.release_all()
        assert eventually(gallery.follows)


def park(gallery: Gallery) -> tuple[int, int]:
    """Smear a picture; shard and sequence at which the catalogue is then parked."""
    picture = gallery.picture()
    gallery.hang(picture, "north")
    seq = gallery.smear(picture)
    assert eventually(lambda: gallery.metric("shards_parked") == 1)
    return gallery.shard(picture), seq


def test_a_view_is_parked_where_everybody_looks_and_everything_else_goes_on(gallery: Gallery) -> None:
    failures = gallery.metric("failures_total")
    shard, seq = park(gallery)
    assert gallery.metric("failures_total") == failures + ATTEMPTS
    for number in range(40):
        gallery.hang(gallery.picture(number), "south")
    behind = sum(gallery.shard(gallery.picture(n)) == shard for n in range(40)) + 1
    assert eventually(lambda: gallery.metric("lag_events", "walls") == 0)
    assert eventually(lambda: gallery.metric("lag_events") == behind)
    assert gallery.server.call("POST", f"/booking/spaces/{gallery.prefix}", SPACE)[0] == 201
    assert gallery.metric("failures_total") == failures + ATTEMPTS

    listed = gallery.operator.run("views", "list")
    assert listed.returncode == 1
    views = gallery.operator.views()
    assert (views["walls"]["state"], views["walls"]["lag"]) == ("live", 0)
    (parked,) = views["catalogue"]["parked"]
    event = parked["event"]
    where, picture = f"gallery/{shard}:{seq}", gallery.picture()
    assert (event["position"], event["attempts"], event["error"]) == (where, ATTEMPTS, ERROR)
    assert (event["event"], event["entity"], event["version"]) == ("Smeared", f"picture/{picture}", 2)
    told = f"{where} (Smeared of picture/{picture}, version 2: {ERROR})"
    assert f"parked: view catalogue of gallery at {told}, {ATTEMPTS} attempts" in listed.stdout
    status = gallery.operator.run("status")
    assert status.returncode == 0
    assert f"is live, parked at {told}" in status.stdout
    note = f"view catalogue is parked at {where} ({ERROR}); shards parked: 1"
    assert gallery.readiness() == (200, {"status": "ready", "notes": {"gallery": note}})
    at = gallery.operator.ask("views", "positions", "gallery", "catalogue")["generations"][0]["shards"]
    assert [each["seq"] for each in at if each["shard"] == shard] == [seq - 1]
    assert {each["state"] for each in at if each["shard"] != shard} == {"following"}


def test_a_released_shard_tries_again_and_follows_when_the_cause_is_gone(gallery: Gallery) -> None:
    shard, _ = park(gallery)
    failures = gallery.metric("failures_total")
    released = gallery.operator.run("views", "release", "gallery", "catalogue", str(shard))
    assert released.stdout.startswith(f"view catalogue tries gallery/{shard} again on ")
    assert eventually(lambda: gallery.metric("shards_parked") == 1)
    assert gallery.metric("failures_total") == failures + ATTEMPTS
    (gallery.folder / "smears").unlink()
    gallery.operator.ask("views", "release", "gallery", "catalogue", str(shard))
    assert eventually(gallery.follows)
    assert gallery.operator.run("views", "list").returncode == 0
    assert gallery.readiness() == (200, {"status": "ready"})


def test_an_event_is_skipped_by_whoever_names_it_exactly(gallery: Gallery) -> None:
    shard, seq = park(gallery)
    gallery.hang(gallery.picture(), "west")
    skip = ("views", "skip", "gallery", "catalogue", str(shard))
    told = f"gallery/{shard}:{seq} (Smeared of picture/{gallery.picture()}, version 2: {ERROR})"
    assert gallery.operator.refused(*skip, str(seq + 1)) == (
        f"seq: expected {seq}, found {seq + 1}: it is parked at {told}"
    )
    skipped = gallery.operator.run(*skip, str(seq))
    assert skipped.stdout == (
        f"view catalogue passed over gallery/{shard}:{seq}: Smeared of picture/{gallery.picture()},"
        f" version 2, which failed with {ERROR}\n"
    )
    assert eventually(gallery.follows)
    assert gallery.operator.refused(*skip, str(seq)) == (
        f"shard: view catalogue is not parked at gallery/{shard}: none is"
    )


def test_a_paused_view_answers_and_folds_nothing_until_it_is_resumed(gallery: Gallery) -> None:
    assert gallery.operator.ask("views", "pause", "gallery", "walls")["paused"] is True
    gallery.hang(gallery.picture(), "east")
    assert eventually(lambda: gallery.metric("lag_events", "walls") == 1)
    assert gallery.metric("paused", "walls") == 1
    assert gallery.operator.views()["walls"]["state"] == "live, paused"
    assert "view: walls of gallery: generation" in gallery.operator.run("status").stdout
    assert gallery.operator.refused("views", "rebuild", "gallery", "walls", "--wait") == (
        "view walls of gallery is paused: resume it first"
    )
    assert gallery.operator.run("views", "resume", "gallery", "walls").stdout == (
        "view walls of gallery goes on\n"
    )
    assert eventually(lambda: b"rebuild_progress{" not in gallery.server.call("GET", "/metrics")[1])
    assert eventually(gallery.follows)


def test_a_rebuilt_view_answers_as_another_generation(gallery: Gallery) -> None:
    for number in range(20):
        gallery.hang(gallery.picture(number), "north")
    assert eventually(gallery.follows)
    before = gallery.operator.views()["walls"]
    built = gallery.operator.ask("views", "rebuild", "gallery", "walls", "--wait")
    after = gallery.operator.views()["walls"]
    assert (after["generation"], after["live"]) == (built["generation"], True)
    assert after["folded"] == before["folded"]
    assert built["generation"] > before["generation"]


def test_a_rebuild_that_parks_says_so_instead_of_waiting(gallery: Gallery) -> None:
    park(gallery)
    line = gallery.operator.refused("views", "rebuild", "gallery", "catalogue", "--wait")
    assert re.match(r"generation \d+ is parked at gallery/\d:\d+ \(Smeared of picture/", line)
    gallery.release_all()
    gallery.operator.ask("views", "rebuild", "gallery", "catalogue", "--wait")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ["list", "halls"],
            "context: expected one of booking, gallery, venue in the cluster butai, found 'halls'",
        ),
        (["positions", "gallery", "x"], "view: expected one of catalogue, walls in gallery, found 'x'"),
        (["rebuild", "gallery", "x"], "view: expected one of catalogue, walls in gallery, found 'x'"),
        (["pause", "venue", "walls"], "view: expected one of spaces in venue, found 'walls'"),
        (["release", "gallery", "walls", "3"], "shard: view walls is not parked at gallery/3: none is"),
        (["skip", "gallery", "walls", "3", "1"], "shard: view walls is not parked at gallery/3: none is"),
    ],
)
def test_what_is_not_there_is_one_line(arguments: list[str], expected: str, gallery: Gallery) -> None:
    assert gallery.operator.refused("views", *arguments) == expected


def test_an_event_of_an_unknown_type_parks_its_shard_alone(tmp_path: Path, make: Make) -> None:
    with node(tmp_path) as server:
        gallery = make(server, tmp_path, "p")
        for number in range(20):
            gallery.hang(gallery.picture(number), "north")
        assert server.stop() == 0
    stranger = gallery.picture(20)
    shard = gallery.shard(stranger)
    file = journal_of(tmp_path, "gallery")
    [(last,)] = ask_file(file, "SELECT coalesce(max(seq), 0) FROM events WHERE shard = ?", shard)
    ask_file(
        file,
        "INSERT INTO events SELECT max(position) + 1, ?, ?, 'picture', ?, 1, 'Stolen', zeroblob(16), NULL,"
        " max(at), 'thief', NULL, x'80' FROM events",
        *(shard, last + 1, stranger),
    )
    with node(tmp_path) as server:
        gallery = make(server, tmp_path, "p")
        assert eventually(lambda: gallery.metric("shards_parked", "walls") == 1)
        assert eventually(lambda: gallery.metric("shards_parked") == 1)
        for view in gallery.operator.views().values():
            (parked,) = view["parked"]
            assert parked["event"]["position"] == f"gallery/{shard}:{last + 1}"
            assert (parked["event"]["event"], parked["event"]["entity"]) == ("Stolen", f"picture/{stranger}")
            assert parked["event"]["attempts"] == ATTEMPTS
        assert gallery.readiness()[0] == 200
        others = [gallery.picture(n) for n in range(20) if gallery.shard(gallery.picture(n)) != shard]
        for other in others:
            gallery.hang(other, "south")
        neighbour = gallery.picture(0, shard)
        gallery.hang(neighbour, "south")
        assert eventually(lambda: gallery.metric("lag_events") == 2)
        assert eventually(lambda: gallery.metric("lag_events", "walls") == 2)
        assert gallery.metric("failures_total") == ATTEMPTS
        for view in ("catalogue", "walls"):
            skipped = gallery.operator.ask("views", "skip", "gallery", view, str(shard), str(last + 1))
            assert skipped["event"] == "Stolen"
        assert eventually(gallery.follows)
        assert server.stop() == 0
