"""A worker dies with its node, however the node dies.

Two independent ties: the kernel kills the worker when its parent ends (Linux), and a thread kills it when
the pipe to the parent ends, which also holds elsewhere and while the loop hangs. Both are sudden: the journal
is made for that, and a worker that outlives its node could meet its successor.
"""

import ctypes
import os
import signal
import sys
import threading

PR_SET_PDEATHSIG = 1
LIMIT = 4_194_304
"""Bytes of the first line; longer is not from a node."""


def tie(parent: int) -> None:
    """Die when the process ``parent`` does; exits at once if it is not the parent any more."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # The parent may have died before the line above; then no signal will ever come.
    if os.getppid() != parent:
        os._exit(1)


def read_line(descriptor: int) -> bytes:
    """The one line that a node sends down the pipe; EOFError if it ends before."""
    line = bytearray()
    while not line.endswith(b"\n"):
        chunk = os.read(descriptor, 65_536)
        if not chunk or len(line) > LIMIT:
            raise EOFError("the node is gone")
        line += chunk
    return bytes(line)


def watch(descriptor: int) -> None:
    """Die when the pipe ends. The thread is a daemon: it holds nothing and ends with the process."""

    def wait() -> None:
        while os.read(descriptor, 4096):
            pass
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=wait, name="lifeline", daemon=True).start()
