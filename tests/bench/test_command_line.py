"""Options, and what happens without wrk."""

import pytest

from bench import __main__ as command_line
from bench import wrk


def test_a_quick_run_is_one_round_of_two_seconds() -> None:
    options = command_line.arguments(["--quick"])
    assert (options.seconds, options.rounds) == (2, 1)
    options = command_line.arguments(["--quick", "--seconds", "5", "--rounds", "2"])
    assert (options.seconds, options.rounds) == (5, 2)


@pytest.mark.parametrize("given", [["--only", "nothing"], ["--seconds", "-1"], ["--rounds", "x"]])
def test_wrong_options_end_with_status_2(given: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command_line.arguments(given)
    assert ended.value.code == 2


def test_without_wrk_one_line_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(wrk, "installed", lambda: False)
    for given in ([], ["--only", "spread"], ["--only", "large"], ["--only", "workers"]):
        assert command_line.main(given) == 2
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 1
        assert "apt-get install wrk" in lines[0]


def test_what_is_named_is_measured_and_a_large_run_names_the_large_journal() -> None:
    assert command_line._wanted(command_line.arguments(["--only", "killed", "--large"])) == ["killed"]
    assert "large" in command_line._wanted(command_line.arguments(["--large"]))
    assert "large" not in command_line._wanted(command_line.arguments([]))
