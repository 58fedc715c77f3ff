"""A node keeps its id, and no two lives of a worker have the same."""

from pathlib import Path

import pytest

from actors.identity import FILE, new_life, node_id, worker_id
from actors.journal.port import JournalUnavailable


def test_a_node_is_the_same_as_long_as_its_data_lives(tmp_path: Path) -> None:
    first = node_id(tmp_path)
    assert node_id(tmp_path) == first
    (tmp_path / "other").mkdir()
    assert node_id(tmp_path / "other") != first


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"not an id", b"a1ae0f16.x"])
def test_a_file_without_an_id_is_written_anew(content: bytes, tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(content)
    assert node_id(tmp_path) == (tmp_path / FILE).read_text().strip() != content.decode("latin1")


def test_a_folder_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    with pytest.raises(JournalUnavailable, match="cannot use the data directory"):
        node_id(tmp_path)


def test_lives_and_starts_tell_workers_apart() -> None:
    life = new_life()
    assert worker_id("a1ae0f16", 0, life, 1) == f"a1ae0f16-0-{life}-1"
    assert len({new_life() for _ in range(20)}) > 1
