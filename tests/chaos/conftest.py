"""What every fault test has: a seed that repeats it, and lines that are seen also when it passes."""

import os
import random
from collections.abc import Callable

import pytest

Tell = Callable[[str], None]


@pytest.fixture
def seed() -> int:
    """From CHAOS_SEED, or a new one; it is shown also when a test fails before it is judged."""
    seed = int(os.environ.get("CHAOS_SEED") or random.SystemRandom().randrange(1_000_000))
    print(f"CHAOS_SEED={seed}")  # noqa: T201
    return seed


@pytest.fixture
def tell(capfd: pytest.CaptureFixture[str]) -> Tell:
    """Print a line that is seen also when the test passes."""

    def told(line: str) -> None:
        with capfd.disabled():
            print(f"\n{line}")  # noqa: T201

    return told
