"""The stage by name: ``ActorSystem("butaiBase")`` makes one with a loop and a thread of its own."""

import asyncio
import sys
import threading
from logging.config import dictConfig
from typing import Any

from actors.stage.stage import Stage

JOIN_SECONDS = 10.0
"""How long a shutdown waits for a handler that is still running."""


class ActorSystemBase(Stage):
    """A stage whose actors run on a thread of their own; thespian constructs it with these arguments."""

    def __init__(self, system: Any, logDefs: Any = None) -> None:
        """``logDefs``: a ``logging`` dictionary to configure; None and False leave logging as it is."""
        if logDefs:
            dictConfig(logDefs)
        loop = asyncio.new_event_loop()
        self._runner = threading.Thread(target=_run, args=(loop,), name="butai-stage", daemon=True)
        self._runner.start()
        super().__init__(loop, capabilities=system.capabilities, thread=self._runner.ident)

    def shutdown(self) -> None:
        super().shutdown()
        if self.loop.is_closed():
            return
        if threading.current_thread() is self._runner:
            self.loop.stop()
        else:
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._runner.join(JOIN_SECONDS)


def _run(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
        # Those who called in the last moment are told that the stage has stopped.
        loop.call_soon(loop.stop)
        loop.run_forever()
    finally:
        loop.close()


def register(name: str = "butaiBase") -> None:
    """Let ``ActorSystem(name)`` find this stage: it looks for the module ``thespian.system.<name>``."""
    sys.modules[f"thespian.system.{name}"] = sys.modules[__name__]
