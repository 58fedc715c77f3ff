"""One host at a time holds a data directory, also where the locks of another are not seen."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from actors.journal import host_beat
from actors.journal.host_beat import Host, HostBeat
from actors.journal.port import DataDirectoryInUse

OTHER = "00000000-another-boot"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "host"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_beat, "BEAT_SECONDS", 0.01)
    monkeypatch.setattr(host_beat, "_POLL_SECONDS", 0.005)


def write(path: Path, host: Host) -> None:
    path.write_bytes(msgspec.json.encode(host).ljust(512))


def read(path: Path) -> Host:
    return msgspec.json.decode(path.read_bytes(), type=Host)


@pytest.fixture
def living(path: Path) -> Iterator[None]:
    """Another host that holds the directory."""
    over = threading.Event()
    write(path, Host(OTHER, "elsewhere", 0))

    def beat() -> None:
        number = 0
        while not over.wait(0.005):
            number += 1
            write(path, Host(OTHER, "elsewhere", number))

    thread = threading.Thread(target=beat)
    thread.start()
    yield
    over.set()
    thread.join()


@pytest.mark.usefixtures("living")
def test_a_living_host_is_named(path: Path) -> None:
    with pytest.raises(DataDirectoryInUse, match="in use by the host elsewhere"):
        HostBeat(path)


def test_a_dead_hosts_directory_is_taken_after_a_while(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_beat, "WATCH_SECONDS", 0.05)
    write(path, Host(OTHER, "elsewhere", 7))
    beat = HostBeat(path)
    assert read(path).boot != OTHER
    beat.close()


@pytest.mark.parametrize("content", [b"", b"not a mark", b'{"boot": 1}', b"\x00" * 512])
def test_a_mark_that_makes_no_sense_is_nobodys(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    HostBeat(path).close()
    assert not read(path).held


def test_after_a_clean_end_another_host_takes_it_at_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    HostBeat(path).close()
    monkeypatch.setattr(host_beat, "boot_id", lambda: OTHER)
    monkeypatch.setattr(host_beat, "WATCH_SECONDS", 3_600.0)
    HostBeat(path).close()
    assert read(path).boot == OTHER


def test_after_any_end_the_same_host_takes_it_at_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    beat = HostBeat(path)
    left = read(path)
    beat.close()
    write(path, left)
    monkeypatch.setattr(host_beat, "WATCH_SECONDS", 3_600.0)
    HostBeat(path).close()


def test_the_number_grows_while_it_is_held(path: Path) -> None:
    beat = HostBeat(path)
    first, give_up = read(path).beat, time.monotonic() + 20
    while read(path).beat < first + 3:
        assert time.monotonic() < give_up
    beat.close()


def test_the_holder_notices_that_another_host_has_taken_it_and_leaves_the_mark_alone(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    beat = HostBeat(path)
    assert beat._thread is not None
    assert beat.taken_by == ""
    while beat._thread.is_alive():
        # Again, as a beat may be under way at that moment.
        write(path, Host(OTHER, "elsewhere", 1))
        beat._thread.join(0.05)
    assert beat.taken_by == "elsewhere"
    assert "elsewhere has taken the data directory" in caplog.text
    write(path, Host(OTHER, "elsewhere", 2))
    beat.close()
    assert read(path) == Host(OTHER, "elsewhere", 2)


def test_without_a_boot_id_nothing_is_marked(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_beat, "_BOOT_ID", path.with_name("missing"))
    HostBeat(path).close()
    assert not path.exists()
