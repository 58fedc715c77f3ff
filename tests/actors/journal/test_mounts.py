"""A network file system is told from a local one by the kernel's table of mounts."""

import os
from pathlib import Path

import pytest

from actors.journal import mounts
from actors.journal.data_directory import DataDirectory
from actors.journal.port import JournalUnavailable


def table(path: Path, kind: str) -> str:
    """A table in which the device of ``path`` is of this kind."""
    device = os.stat(path).st_dev
    return (
        "22 1 254:99 / / rw,relatime shared:1 - ext4 /dev/vda rw\n"
        f"36 22 {os.major(device)}:{os.minor(device)} / /a\\040mount rw shared:3 - {kind} srv:/x rw\n"
    )


def given(monkeypatch: pytest.MonkeyPatch, path: Path, text: str) -> None:
    file = path / "mountinfo"
    file.write_text(text)
    monkeypatch.setattr(mounts, "_MOUNTS", file)


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "smb3"])
def test_a_data_directory_on_a_network_file_system_is_refused_with_one_line(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given(monkeypatch, tmp_path, table(tmp_path, kind))
    with pytest.raises(JournalUnavailable, match=rf"^the data directory .* network file system \({kind}\)"):
        DataDirectory(tmp_path / "data")
    given(monkeypatch, tmp_path, table(tmp_path, "ext4"))
    DataDirectory(tmp_path / "data").close()


def test_what_the_operating_system_does_not_tell_is_not_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given(monkeypatch, tmp_path, "a table of some other make\n")
    assert mounts.remote_file_system(tmp_path) is None
    monkeypatch.setattr(mounts, "_MOUNTS", tmp_path / "missing")
    assert mounts.remote_file_system(tmp_path) is None
    monkeypatch.undo()
    assert mounts.remote_file_system(tmp_path) is None
