"""What was done in a run and when, a line each, in a file beside what was logged."""

from pathlib import Path

from tests.chaos.history import History


class Chronicle:
    """Seconds count from its beginning, on the history's clock."""

    def __init__(self, file: Path, history: History) -> None:
        self.file = file
        self.lines: list[str] = []
        self._history = history
        self._began = history.now()

    def tell(self, line: str) -> None:
        """Write it down, with the time since the beginning and the history's own."""
        now = self._history.now()
        self.lines.append(f"{now - self._began:8.3f} s [{now:.6f}] {line}")
        print(self.lines[-1])  # noqa: T201 - seen when the test fails
        with self.file.open("a") as stream:
            stream.write(self.lines[-1] + "\n")
