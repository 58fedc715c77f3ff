"""Reading what wrk says."""

import pytest

from bench import wrk

FIGURES = (
    '{"requests":30000,"issued":30064,"next":40064,"micros":1500000,"p50":900,"p99":4000,"bytes":1,'
    '"connect":0,"read":0,"write":0,"status":0,"timeout":0}'
)


def output(figures: str) -> str:
    return f"Running 2s test @ http://127.0.0.1:1\n  1 threads and 64 connections\n\n{figures}\n"


def test_a_slice_is_read_from_the_line_of_json() -> None:
    seen = wrk.parse(output(FIGURES))
    assert (seen.requests, seen.issued, seen.next) == (30_000, 30_064, 40_064)
    assert (seen.p50, seen.p99) == (900, 4_000)
    assert seen.rate == 20_000
    assert seen.errors == {}


@pytest.mark.parametrize("kind", ["connect", "read", "write", "status", "timeout"])
def test_one_failed_request_fails_the_slice(kind: str) -> None:
    with pytest.raises(wrk.LoadFailed, match=f"1 {kind}"):
        wrk.parse(output(FIGURES.replace(f'"{kind}":0', f'"{kind}":1')))


def test_a_slice_without_answers_fails() -> None:
    with pytest.raises(wrk.LoadFailed, match="no request"):
        wrk.parse(output(FIGURES.replace("30000", "0")))


@pytest.mark.parametrize(
    "text", ["", "unable to connect to 127.0.0.1:1", output('{"requests":1}'), output("{")]
)
def test_what_is_not_understood_fails(text: str) -> None:
    with pytest.raises(wrk.LoadFailed):
        wrk.parse(text)
