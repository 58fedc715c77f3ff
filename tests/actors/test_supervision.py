"""The pure decision over an entity's past failures."""

import pytest

from actors.settings import SupervisionSettings
from actors.supervision import Escalate, Quarantine, Restart, supervise

LIMITS = SupervisionSettings(failures=4, window=60, backoff=0.5, backoff_limit=1.5, quarantines=3)


@pytest.mark.parametrize(
    ("failures", "directive"),
    [
        ([100], Restart(0)),
        ([99, 100], Restart(0.5)),
        ([98, 99, 100], Restart(1.0)),
        ([97, 98, 99, 100], Quarantine()),
        ([1, 2, 3, 100], Restart(0)),
    ],
)
def test_an_entity_restarts_later_each_time_until_it_is_quarantined(
    failures: list[float], directive: object
) -> None:
    assert supervise(failures, [], 100, LIMITS) == directive


def test_the_backoff_has_a_limit() -> None:
    limits = SupervisionSettings(failures=100, window=60, backoff=0.5, backoff_limit=1.5)
    assert supervise([100.0] * 50, [], 100, limits) == Restart(1.5)


@pytest.mark.parametrize(
    ("quarantines", "directive"),
    [([98, 99], Escalate()), ([99], Quarantine()), ([10, 20, 30], Quarantine())],
)
def test_too_many_quarantined_entities_escalate(quarantines: list[float], directive: object) -> None:
    assert supervise([97, 98, 99, 100], quarantines, 100, LIMITS) == directive
