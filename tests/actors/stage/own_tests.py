"""thespian's own tests, run beside ours in processes of their own."""

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import thespian

PARTS = 5
"""Processes side by side: the tests spend nearly all of their time in sleep."""
SECONDS = 400

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


class OwnTests:
    """Begun when it is made; it must be ended."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parts = [self._start(part) for part in range(PARTS)]

    def _start(self, part: int) -> subprocess.Popen[bytes]:
        folder = self._folder
        environment = os.environ | {
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTHONPATH": os.pathsep.join((str(ROOT), str(HERE))),
            "STAGE_PART": f"{part}/{PARTS}",
            "THESPLOG_FILE": str(folder / f"thespian-{part}.log"),
        }
        command = [*COMMAND, f"--junitxml={folder / f'{part}.xml'}"]
        with (folder / f"{part}.txt").open("wb") as output:
            return subprocess.Popen(
                command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT
            )

    def outcomes(self) -> dict[str, str]:
        """Test name to passed, skipped, failure or error, when all have ended."""
        found: dict[str, str] = {}
        for part, process in enumerate(self._parts):
            process.wait(SECONDS)
            report, said = self._folder / f"{part}.xml", self._folder / f"{part}.txt"
            assert report.exists(), f"part {part} did not end:\n{said.read_text()[-3000:]}"
            for case in ElementTree.parse(report).iter("testcase"):
                kinds = [each.tag for each in case if each.tag in ("skipped", "failure", "error")]
                found[f"{case.get('classname')}.{case.get('name')}"] = kinds[0] if kinds else "passed"
        return found

    def end(self) -> None:
        """End what still runs."""
        for process in self._parts:
            process.kill()
            process.wait()
