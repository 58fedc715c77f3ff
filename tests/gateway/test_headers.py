import pytest
from hypothesis import given
from hypothesis import strategies as st

from contexts.vocabulary import Command
from gateway.conditions import NEVER, expected_version
from gateway.deadline import wait_preference
from gateway.idempotency import LONGEST, fingerprint, key_of, scoped
from gateway.negotiation import JSON_ALONE, accepts, is_json
from gateway.problems import Refusal
from gateway.trace import trace_of

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

visible = st.text([chr(c) for c in range(0x21, 0x7F)], min_size=1, max_size=LONGEST)


class TestPrefer:
    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            ("wait=10", 10),
            ("respond-async, wait=10", 10),
            ('WAIT = "3"; x=y', 3),
            ("wait=2, wait=5", 2),
            ("wait=0", None),
            ("wait=-1", None),
            ("wait=1.5", None),
            ("await=3", None),
            ("wait", None),
            ("", None),
        ],
    )
    def test_the_first_whole_number_of_seconds_counts(self, value: str, seconds: int | None) -> None:
        assert wait_preference(value) == seconds

    @given(st.text())
    def test_nothing_that_is_sent_is_an_error(self, value: str) -> None:
        seconds = wait_preference(value)
        assert seconds is None or seconds > 0


class TestTrace:
    def test_a_valid_parent_is_kept(self) -> None:
        assert trace_of(f" 00-{TRACE} ") == f"00-{TRACE}"

    def test_of_a_later_version_what_every_version_has_is_kept(self) -> None:
        assert trace_of(f"01-{TRACE}-more") == f"01-{TRACE}"

    @pytest.mark.parametrize(
        "value",
        [
            "",
            f"ff-{TRACE}",
            f"00-{TRACE}-more",
            f"00-{TRACE}".upper(),
            f"00-{'0' * 32}-00f067aa0ba902b7-01",
            f"00-{'a' * 32}-{'0' * 16}-01",
            TRACE,
        ],
    )
    def test_anything_else_is_ignored(self, value: str) -> None:
        assert trace_of(value) is None


class TestIdempotencyKey:
    @given(visible)
    def test_any_visible_key_can_be_sent_quoted(self, key: str) -> None:
        escaped = key.replace("\\", "\\\\").replace('"', '\\"')
        assert key_of(f'"{escaped}"') == key

    @given(st.text(max_size=300))
    def test_any_header_is_a_key_or_refused(self, header: str) -> None:
        try:
            key = key_of(header)
        except Refusal:
            return
        assert 1 <= len(key) <= LONGEST
        assert key.isascii()
        assert key.isprintable()

    def test_every_part_of_the_scope_makes_another_key(self) -> None:
        keys = {
            scoped("k", "ada", "POST", "/a/{x}", ("1",)),
            scoped("k2", "ada", "POST", "/a/{x}", ("1",)),
            scoped("k", "bob", "POST", "/a/{x}", ("1",)),
            scoped("k", "ada", "PUT", "/a/{x}", ("1",)),
            scoped("k", "ada", "POST", "/b/{x}", ("1",)),
            scoped("k", "ada", "POST", "/a/{x}", ("2",)),
            scoped("k", "ada", "POST", "/a/{x}", ("1", "")),
        }
        assert {len(key) for key in keys} == {16}
        assert len(keys) == 7

    def test_a_fingerprint_tells_payloads_and_commands_apart(self) -> None:
        class A(Command, frozen=True):
            x: int

        class B(Command, frozen=True):
            x: int

        assert fingerprint(A(1)) == fingerprint(A(1))
        assert len({fingerprint(A(1)), fingerprint(A(2)), fingerprint(B(1))}) == 3
        assert len(fingerprint(A(1))) == 8


class TestConditions:
    @given(st.integers(1, 10**18))
    def test_a_version_is_expected_as_it_is_tagged(self, version: int) -> None:
        assert expected_version(f'"{version}"', None) == version

    @given(st.text(), st.none() | st.text())
    def test_any_header_is_understood_or_refused(self, match: str, none_match: str | None) -> None:
        try:
            expected = expected_version(match, none_match)
        except Refusal:
            return
        assert expected is None or expected >= NEVER

    @pytest.mark.parametrize("match", ['"1"', "*", 'W/"1"'])
    def test_nothing_is_both_there_and_not_there(self, match: str) -> None:
        assert expected_version(match, "*") == NEVER


class TestNegotiation:
    @pytest.mark.parametrize("value", ["*/*", "application/*", "application/json", "text/html, */*;q=0.8"])
    def test_json_is_accepted(self, value: str) -> None:
        assert accepts(value, JSON_ALONE)

    @pytest.mark.parametrize("value", ["", "text/*", "application/json;q=0", "application/json;q=0.0, */*"])
    def test_json_is_not_accepted(self, value: str) -> None:
        assert not accepts(value, JSON_ALONE)

    @given(st.text())
    def test_any_header_is_understood(self, value: str) -> None:
        assert accepts(value, JSON_ALONE) in (True, False)
        assert is_json(value) in (True, False)
