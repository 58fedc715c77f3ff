"""thespian's own tests, shipped in its wheel, with the stage in place of simpleSystemBase.

On simpleSystemBase every one of them that is not skipped passes, so on the stage every one must pass and
none may be skipped in addition. The exceptions, if any, are ``CANNOT_APPLY``.
"""

from tests.actors.stage.own_tests import OwnTests

PASS_ON_SIMPLE_SYSTEM_BASE = 421
"""Counted by running ``pytest --pyargs thespian.test -k "not multiproc"`` with thespian 4.0.1."""

CANNOT_APPLY: dict[str, str] = {}
"""Test name to the reason why it cannot pass on the stage."""


def test_every_test_that_passes_on_simple_system_base_passes_on_the_stage(
    thespians_own_tests: OwnTests,
) -> None:
    outcomes = thespians_own_tests.outcomes()
    broken = {name for name, outcome in outcomes.items() if outcome in ("failure", "error")}
    assert broken == set(CANNOT_APPLY)
    ran = [name for name, outcome in outcomes.items() if outcome != "skipped"]
    assert len(ran) == PASS_ON_SIMPLE_SYSTEM_BASE
