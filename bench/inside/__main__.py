"""``python -m bench.inside SET FOLDER quick|full``: one set's figures as JSON on standard output."""

import json
import sys
from pathlib import Path

import uvloop

from bench.inside import memory, placement, recovery, stage

MEASURES = {
    "stage": stage.measure,
    "memory": memory.measure,
    "recovery": recovery.measure,
    "placement": placement.measure,
    "large": recovery.measure_large,
}


def main() -> int:
    """Run the set."""
    name, folder, extent = sys.argv[1:]
    sys.stdout.write(json.dumps(uvloop.run(MEASURES[name](Path(folder), extent == "quick"))) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
