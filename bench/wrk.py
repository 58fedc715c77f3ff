"""Driving wrk: one thread, 64 connections, each with one request in flight at a time."""

import shutil
import subprocess
from pathlib import Path

import msgspec

CONNECTIONS = 64
SCRIPT = Path(__file__).with_name("load.lua")
MISSING = "wrk is not installed; on Debian or Ubuntu: apt-get install wrk"
START = 15.0
"""Seconds wrk may take beyond its duration."""


class LoadFailed(Exception):
    """Requests were not answered with 2xx, or wrk did not run."""


class Load(msgspec.Struct, frozen=True):
    """One kind of request, as ``load.lua`` makes it."""

    kind: str
    spaces: int = 1
    name: str = ""
    pause: int = 0
    """Milliseconds that each connection waits before a request."""


class Slice(msgspec.Struct, frozen=True):
    """What wrk saw. Times are in microseconds."""

    requests: int
    """Answers."""
    issued: int
    """Requests made; up to one per connection was not answered before the end."""
    next: int
    """Where the numbering of requests goes on."""
    micros: int
    p50: int
    p99: int
    bytes: int
    connect: int
    read: int
    write: int
    status: int
    """Answers of 400 and above."""
    timeout: int

    @property
    def rate(self) -> float:
        """Answers per second."""
        return self.requests / (self.micros / 1e6)

    @property
    def errors(self) -> dict[str, int]:
        """What went wrong, by kind; empty if nothing did."""
        kinds = ("connect", "read", "write", "status", "timeout")
        return {kind: count for kind in kinds if (count := getattr(self, kind))}


def installed() -> bool:
    """Whether wrk can be found."""
    return shutil.which("wrk") is not None


def parse(output: str) -> Slice:
    """The figures in wrk's output; raises LoadFailed if there are none or they tell of errors."""
    lines = [line for line in output.splitlines() if line.startswith("{")]
    if not lines:
        raise LoadFailed(f"wrk gave no figures: {output.strip() or 'no output'}")
    try:
        found = msgspec.json.decode(lines[-1], type=Slice)
    except msgspec.DecodeError as error:
        raise LoadFailed(f"wrk's figures cannot be read: {error}") from error
    if found.errors:
        told = ", ".join(f"{count} {kind}" for kind, count in found.errors.items())
        raise LoadFailed(f"of {found.requests} requests failed: {told}")
    if not found.requests:
        raise LoadFailed("no request was answered")
    return found


def run(url: str, load: Load, seconds: float, first: int = 0) -> Slice:
    """Load ``url`` for ``seconds``, beginning with request number ``first``; raises LoadFailed."""
    command = [
        "wrk",
        "-t1",
        f"-c{CONNECTIONS}",
        f"-d{round(seconds)}s",
        "--timeout",
        "10s",
        "-s",
        str(SCRIPT),
    ]
    command += [url, "--", load.kind, str(load.spaces), str(first), load.name, str(load.pause)]
    # subprocess.run kills wrk when it is interrupted or late.
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=seconds + START, check=False)
    except subprocess.TimeoutExpired as error:
        raise LoadFailed(f"wrk did not end within {seconds + START:g} s") from error
    if ended.returncode:
        raise LoadFailed(f"wrk ended with status {ended.returncode}: {ended.stderr.strip()}")
    return parse(ended.stdout)
