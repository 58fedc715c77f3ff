"""When shards count as back."""

from bench.cluster.probes import Absence


def test_shards_are_away_until_the_last_one_has_answered() -> None:
    absence = Absence([1, 2], since=10.0)
    absence.answered(1, sent=10.1, now=10.2)
    assert absence.missing == {2}
    absence.answered(1, sent=10.4, now=10.9)
    absence.answered(2, sent=10.3, now=10.5)
    assert not absence.missing
    assert absence.seconds == 0.5


def test_an_answer_to_what_was_sent_before_does_not_count() -> None:
    absence = Absence([1], since=10.0)
    absence.answered(1, sent=9.99, now=10.1)
    assert absence.missing == {1}


def test_other_shards_do_not_matter() -> None:
    absence = Absence([1], since=10.0)
    absence.answered(7, sent=11.0, now=12.0)
    assert (absence.missing, absence.seconds) == ({1}, 0.0)
