"""thespian's own tests, shipped in its wheel, with the stage in place of simpleSystemBase.

On simpleSystemBase every one of them that is not skipped passes, so on the stage every one must pass and
none may be skipped in addition. The exceptions, if any, are ``CANNOT_APPLY``.
"""

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import thespian

PARTS = 10
"""Processes side by side: the tests spend nearly all of their time in sleep."""
SECONDS = 300
PASS_ON_SIMPLE_SYSTEM_BASE = 421
"""Counted by running ``pytest --pyargs thespian.test -k "not multiproc"`` with thespian 4.0.1."""

CANNOT_APPLY: dict[str, str] = {}
"""Test name to the reason why it cannot pass on the stage."""

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
COMMAND = [sys.executable, "-m", "pytest", "--pyargs", "thespian.test", "-p", "thespian_on_the_stage"]
COMMAND += [
    "-c",
    os.devnull,
    "--rootdir",
    str(Path(thespian.__file__).parent / "test"),
    "-p",
    "no:cacheprovider",
]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Test name to passed, skipped, failure or error."""
    folder = tmp_path_factory.mktemp("thespian")
    parts = [_start(part, folder) for part in range(PARTS)]
    try:
        for process in parts:
            process.wait(SECONDS)
    finally:
        for process in parts:
            process.kill()
            process.wait()
    found: dict[str, str] = {}
    for part in range(PARTS):
        report = folder / f"{part}.xml"
        assert report.exists(), f"part {part} did not end:\n{(folder / f'{part}.txt').read_text()[-3000:]}"
        for case in ElementTree.parse(report).iter("testcase"):
            kinds = [each.tag for each in case if each.tag in ("skipped", "failure", "error")]
            found[f"{case.get('classname')}.{case.get('name')}"] = kinds[0] if kinds else "passed"
    return found


def _start(part: int, folder: Path) -> subprocess.Popen[bytes]:
    environment = os.environ | {
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONPATH": os.pathsep.join((str(ROOT), str(HERE))),
        "STAGE_PART": f"{part}/{PARTS}",
        "THESPLOG_FILE": str(folder / f"thespian-{part}.log"),
    }
    command = [*COMMAND, f"--junitxml={folder / f'{part}.xml'}"]
    with (folder / f"{part}.txt").open("wb") as output:
        return subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT)


def test_every_test_that_passes_on_simple_system_base_passes_on_the_stage(outcomes: dict[str, str]) -> None:
    broken = {name for name, outcome in outcomes.items() if outcome in ("failure", "error")}
    assert broken == set(CANNOT_APPLY)
    ran = [name for name, outcome in outcomes.items() if outcome != "skipped"]
    assert len(ran) == PASS_ON_SIMPLE_SYSTEM_BASE
