"""What is read from the kernel's tables."""

from pathlib import Path

import pytest

from bench import machine, process

MOUNTS = """\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 22 0:25 / /dev/shm rw,nosuid - tmpfs tmpfs rw
31 22 0:26 / /srv/with\\040space rw shared:5 - xfs /dev/vdb rw
32 22 0:27 / /srv/twice rw - ext4 /dev/vdc rw
33 22 0:28 / /srv/twice rw - tmpfs tmpfs rw
"""


@pytest.mark.parametrize(
    ("folder", "type"),
    [
        ("/srv", "ext4"),
        ("/dev/shm", "tmpfs"),
        ("/dev/shm/deep/down", "tmpfs"),
        ("/dev/shmall", "ext4"),
        ("/srv/with space/data", "xfs"),
        ("/srv/twice", "tmpfs"),
    ],
)
def test_the_innermost_and_latest_mount_holds_the_folder(folder: str, type: str) -> None:
    assert machine.file_system(Path(folder), MOUNTS) == type


def test_cpu_time_is_that_of_user_and_system_whatever_the_name() -> None:
    ticks = process.TICKS
    stat = f"42 (a) b (c) S 1 42 42 0 -1 4194304 100 0 0 0 {3 * ticks} {2 * ticks} 7 7 20 0 5 0 100 0"
    assert process.parse_cpu(stat) == 5.0


def test_the_machine_is_busy_with_everything_but_waiting() -> None:
    ticks = process.TICKS
    seconds = (5, 1, 4, 99, 88, 1, 2, 1, 77, 77)
    stat = f"cpu  {' '.join(str(each * ticks) for each in seconds)}\ncpu0 1 2 3 4 5\n"
    assert process.parse_machine(stat) == 14.0


def test_a_process_that_has_ended_is_told_as_such() -> None:
    # Process ids end at 2**22 on Linux.
    gone = 2**22 + 1
    for look in (process.cpu_seconds, process.rss, process.children, process.command_line):
        with pytest.raises(process.ProcessGone):
            look(gone)
