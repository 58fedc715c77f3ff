"""A pytest plugin that puts the stage in place of simpleSystemBase, for thespian's own tests.

thespian finds a system base by the name of a module; this gives the name ``simpleSystemBase`` to the stage.
The tests keep their ids and the few branches they take for that base, so results compare one to one.

``STAGE_PART=i/n`` runs the i-th of n parts: most of the tests' time is sleep, so parts may run side by side.
"""

import os
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest
import thespian.system

import actors.stage.named

COMPUTE_SPEED = 4
"""The Computer of test_threadedExternal "works" by sleeping 70 s in all, on one thread. Here, a quarter."""

SPREAD = ("test_actorFailures.py", "test_sourceLoading.py", "test_troupe.py", "test_typeDispatcher.py")
"""Files whose tests are dealt out one by one, for they take long; of the others each part takes some."""

PART, PARTS = (int(each) for each in os.environ.get("STAGE_PART", "0/1").split("/"))


def pytest_configure(config: pytest.Config) -> None:
    sys.modules["thespian.system.simpleSystemBase"] = actors.stage.named
    thespian.system.simpleSystemBase = actors.stage.named


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    name = collection_path.name
    if not name.startswith("test_") or name in SPREAD:
        return None
    files = sorted(each.name for each in collection_path.parent.glob("test_*.py") if each.name not in SPREAD)
    return True if files.index(name) % PARTS != PART else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    chosen = [item for item in items if "multiproc" not in item.nodeid]
    spread = [item for item in chosen if item.path.name in SPREAD][PART::PARTS]
    items[:] = [item for item in chosen if item.path.name not in SPREAD] + spread
    for name, module in list(sys.modules.items()):
        if name.endswith("test_threadedExternal"):
            module.time = _faster_time()  # type: ignore[attr-defined]


def _faster_time() -> ModuleType:
    faster = ModuleType("time")
    faster.sleep = lambda seconds: time.sleep(seconds / COMPUTE_SPEED)  # type: ignore[attr-defined]
    return faster
