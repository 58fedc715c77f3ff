"""How fast this machine runs Python, from moment to moment.

Promises in absolute units were made for a machine on which a turn takes 30 ns. Others that share its cores
can make it three times as slow for minutes; then this figure says so.
"""

import time

TURNS = 2_000_000


def nanoseconds_per_turn() -> float:
    """Of an empty loop."""
    began = time.perf_counter()
    for _ in range(TURNS):
        pass
    return (time.perf_counter() - began) / TURNS * 1e9
