"""One process at a time holds the data directory."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from actors.journal.data_directory import DataDirectory
from actors.journal.port import DataDirectoryInUse, JournalUnavailable

SECOND_PROCESS = """
import sys
from pathlib import Path
from actors.journal.data_directory import DataDirectory
try:
    DataDirectory(Path(sys.argv[1]))
except Exception as error:
    print(type(error).__name__, error)
"""


def test_a_data_directory_in_use_names_the_process(tmp_path: Path) -> None:
    with DataDirectory(tmp_path / "deep" / "data") as held:
        ended = subprocess.run(
            [sys.executable, "-c", SECOND_PROCESS, str(held.path)], capture_output=True, text=True, timeout=30
        )
        assert ended.stdout.startswith(DataDirectoryInUse.__name__), ended.stderr
        assert f"in use by process {os.getpid()}" in ended.stdout
        assert ended.stdout.count("\n") == 1
    DataDirectory(held.path).close()


def test_a_data_directory_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalUnavailable, match=r"cannot use the data directory .*Not a directory"):
        DataDirectory(tmp_path / "file" / "data")
