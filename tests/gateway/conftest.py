"""The gateway is tested on the loop that workers run."""

from collections.abc import Callable, Mapping
from typing import Any

import uvloop


def pytest_asyncio_loop_factories(config: Any, item: Any) -> Mapping[str, Callable[[], uvloop.Loop]]:
    """For every test below this folder."""
    return {"uvloop": uvloop.new_event_loop}
