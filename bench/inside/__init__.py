"""Figures from inside a process, without HTTP: each set in a fresh process, on the loop a worker uses."""

import json
import subprocess
import sys
from pathlib import Path

from bench.served import ROOT

SETS = ("stage", "memory", "recovery", "placement")
LIMIT = 600.0
"""Seconds a set may take."""


class InsideFailed(Exception):
    """A set did not give its figures; one line."""


def measure(name: str, data: Path, quick: bool) -> dict[str, list[float]]:
    """The repeated values of every figure of a set; ``data`` is a folder for journals."""
    command = [sys.executable, "-m", "bench.inside", name, str(data), "quick" if quick else "full"]
    try:
        ended = subprocess.run(
            command, stdout=subprocess.PIPE, text=True, timeout=LIMIT, check=True, cwd=ROOT, process_group=0
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        raise InsideFailed(f"the figures of {name!r} could not be had: {error}") from error
    found: dict[str, list[float]] = json.loads(ended.stdout)
    return found
