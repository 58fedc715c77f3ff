"""What people and programs get to see."""

import io
from pathlib import Path

import msgspec
from rich.console import Console

from bench import report
from bench.machine import Machine
from bench.proof import Proof
from bench.reach import figure
from bench.report import Report
from bench.rounds import Compared, Measured, Row
from bench.wrk import Slice


def example(file_system: str = "ext4", others: float = 0.0) -> Report:
    seen = Slice(30_000, 30_064, 30_064, 1_000_000, 1500, 5000, 1, 0, 0, 0, 0, 0)
    measured = Measured(seen, 2e-5, 50_000_000, others)
    rows = [Row("bare", [measured], []), Row("spread", [measured], [Compared(measured, 0.498, 2.0, 1.5)])]
    machine = Machine(2, "Linux x86_64", "3.11.0", {"aiohttp": "3"}, file_system, 800.0)
    figures = [figure("spread/bare", [0.498]), figure("round_trip", [0.9, 1.1, 1.0])]
    return Report("2026-01-02T03:04:05Z", 3.0, 1, machine, rows, figures, Proof(100, 164, 101))


def shown(found: Report) -> str:
    screen = Console(file=io.StringIO(), width=report.WIDTH, highlight=False)
    report.show(found, screen)
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue()


def test_a_ratio_below_its_promise_does_not_look_as_if_it_kept_it() -> None:
    [line] = [line for line in shown(example()).splitlines() if line.startswith("durable commands over")]
    assert line.split()[-4:] == ["0.498", "0.50", "0.70", "missed"]


def test_the_table_tells_rates_times_and_costs() -> None:
    [line] = [line for line in shown(example()).splitlines() if line.startswith("durable commands, 10,000")]
    assert line.split()[4:] == [
        *("30,000", "30,000-30,000", "1.50", "5.00", "0.50", "0.50-0.50", "20.0", "1.50", "50")
    ]


def test_a_journal_in_memory_is_not_called_durable() -> None:
    assert "NOT A DISK" in shown(example("tmpfs"))
    assert "a real disk" in shown(example())


def test_a_busy_machine_is_told() -> None:
    assert "used 5% of the processors\n" in shown(example(others=0.05))
    assert "used 45% of the processors: TOO MUCH" in shown(example(others=0.45))


def test_the_json_is_named_by_its_time_and_holds_everything(tmp_path: Path) -> None:
    found = example()
    path = report.save(found, tmp_path)
    assert path.name == "2026-01-02T030405Z.json"
    assert msgspec.json.decode(path.read_bytes(), type=Report) == found
