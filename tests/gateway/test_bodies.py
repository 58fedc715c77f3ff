"""What a body may be: each rule with its answer (cases 33 and 42)."""

import gzip
import json
import resource
import zlib
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contexts.vocabulary import Command
from gateway import json_rules
from gateway.body import BodyDecoder
from gateway.problems import Refusal
from tests.gateway import notes
from tests.gateway.serving import Served, serving

NOTES = "/notes/boards/b1/notes"


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with serving() as served:
        await served.request("POST", "/notes/boards/b1", {"title": "plans"})
        yield served


def problem_of(decoder: BodyDecoder, body: bytes, *parameters: str) -> tuple[str, str]:
    """The problem's name and the first pointer."""
    with pytest.raises(Refusal) as caught:
        decoder.decode(body, parameters)
    errors = caught.value.errors
    return caught.value.kind.name, errors[0].pointer if errors else ""


BODY_PROBLEMS = ("malformed-json", "nested-too-deeply", "invalid-body")


def outcome(decoder: BodyDecoder, body: bytes) -> str:
    """The name of the problem, empty for a command."""
    try:
        decoder.decode(body, ())
    except Refusal as refusal:
        return refusal.kind.name
    return ""


class Flat(Command, frozen=True):
    name: str
    count: int = 0
    share: float | None = None


FLAT = BodyDecoder(Flat, (), 32)
NESTED = BodyDecoder(notes.Write, (), 32)


class TestRules:
    @pytest.mark.parametrize(
        ("body", "problem", "pointer"),
        [
            (b"nonsense", "malformed-json", ""),
            (b"{", "malformed-json", ""),
            (b'{"name":"a"} x', "malformed-json", ""),
            (b'{"name":"a",}', "malformed-json", ""),
            (b'\xef\xbb\xbf{"name":"a"}', "malformed-json", ""),
            ('{"name":"a"}'.encode("utf-16"), "malformed-json", ""),
            (b'{"name":"\xff"}', "malformed-json", ""),
            (b'{"name":"\xed\xa0\x80"}', "malformed-json", ""),
            (b'{"name":"a\nb"}', "malformed-json", ""),
            (b'{"name":"a","share":NaN}', "malformed-json", ""),
            (b'{"name":1,"share":Infinity}', "malformed-json", ""),
            (b'{"name":"a","name":"a"}', "malformed-json", "/name"),
            (b'{"name":"a","n\\u0061me":"b"}', "malformed-json", "/name"),
            (b'{"name":"a","x":{"y":1,"y":2}}', "malformed-json", "/x/y"),
            (b'{"name":"a","x":' + b"[" * 40 + b"]" * 40 + b"}", "nested-too-deeply", ""),
            (b"[]", "invalid-body", ""),
            (b"null", "invalid-body", ""),
            (b"{}", "invalid-body", "/name"),
            (b'{"name":null}', "invalid-body", "/name"),
            (b'{"name":"a","count":"1"}', "invalid-body", "/count"),
            (b'{"name":"a","count":1.5}', "invalid-body", "/count"),
            (b'{"name":"a","a/b~c":1}', "invalid-body", "/a~1b~0c"),
            (b'{"name":"a\\u0000"}', "invalid-body", "/name"),
            (b'{"name":"\\ud800"}', "invalid-body", "/name"),
            (b'{"name":"\\udc00\\ud800"}', "invalid-body", "/name"),
            (b'{"name":"a","count":9223372036854775808}', "invalid-body", "/count"),
            (b'{"name":"a","count":-9223372036854775809}', "invalid-body", "/count"),
            (b'{"name":"a","count":%s}' % (b"9" * 5000), "invalid-body", "/count"),
            (b'{"name":"a","share":1e400}', "invalid-body", "/share"),
        ],
    )
    def test_each_fault_has_its_problem_and_place(self, body: bytes, problem: str, pointer: str) -> None:
        assert problem_of(FLAT, body) == (problem, pointer)

    @pytest.mark.parametrize(
        ("body", "problem", "pointer"),
        [
            (b'{"note":"n","text":"x","places":[{"room":1}]}', "invalid-body", "/places/0/room"),
            (b'{"note":"n","text":"x","places":[{"room":"r","flor":1}]}', "invalid-body", "/places/0/flor"),
            (
                b'{"note":"n","text":"x","places":[{"room":"r","room":"r"}]}',
                "malformed-json",
                "/places/0/room",
            ),
            (b'{"note":"n","text":"x","places":[{"room":"\\u0000"}]}', "invalid-body", "/places/0/room"),
        ],
    )
    def test_faults_inside_are_pointed_at(self, body: bytes, problem: str, pointer: str) -> None:
        assert problem_of(NESTED, body) == (problem, pointer)

    @pytest.mark.parametrize(
        "body",
        [
            b'{"name":"a","count":9223372036854775807}',
            b'{"name":"\\ud83d\\ude00 \\\\ \\" name"}',
            b'{"name":"name","count":1}',
            b' {\n"name" :\t"a" } ',
            b'{"name":"","share":null}',
        ],
    )
    def test_what_only_looks_odd_is_taken(self, body: bytes) -> None:
        assert FLAT.decode(body, ()) == Flat(**json.loads(body))

    def test_an_instant_needs_its_offset(self) -> None:
        decoder = BodyDecoder(notes.Start, (), 32)
        assert problem_of(decoder, b'{"title":"a","at":"2027-01-15T10:00:00"}') == ("invalid-body", "/at")

    def test_a_field_that_the_path_fills_may_not_be_in_the_body(self) -> None:
        decoder = BodyDecoder(notes.Move, ("note", "place"), 32)
        assert decoder.decode(b"", ("n1", "3")) == notes.Move("n1", 3)
        assert problem_of(decoder, b'{"note":"n1"}', "n1", "3") == ("invalid-body", "/note")

    def test_the_command_s_own_check_is_a_misfit(self) -> None:
        class Odd(Command, frozen=True):
            name: str
            count: int

            def __post_init__(self) -> None:
                if self.count % 2 == 0:
                    raise ValueError("count must be odd")

        assert problem_of(BodyDecoder(Odd, (), 32), b'{"name":"a","count":2}')[0] == "invalid-body"
        assert problem_of(BodyDecoder(Odd, ("name",), 32), b'{"count":2}', "a")[0] == "invalid-body"

    @pytest.mark.parametrize("depth", [100, 500, 1_100, 20_000])
    def test_nesting_is_refused_at_the_documented_depth_whatever_the_stack(self, depth: int) -> None:
        """Case 42."""
        assert problem_of(FLAT, b"[" * depth + b"]" * depth)[0] == "nested-too-deeply"
        assert problem_of(NESTED, b'{"x":' * depth + b"1" + b"}" * depth)[0] == "nested-too-deeply"

    def test_the_deepest_allowed_nesting_is_allowed(self) -> None:
        json_rules.check(b"[" * 32 + b"]" * 32, 32)
        with pytest.raises(Refusal):
            json_rules.check(b"[" * 33 + b"]" * 33, 32)


class TestProperties:
    values = st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=12,
    )

    @given(st.binary() | st.text().map(str.encode))
    def test_any_bytes_are_a_command_or_a_refusal(self, body: bytes) -> None:
        for decoder in (FLAT, NESTED):
            assert outcome(decoder, body) in ("", *BODY_PROBLEMS)

    @given(st.dictionaries(st.sampled_from(["name", "count", "share", "x"]), values))
    def test_any_json_is_a_command_or_a_refusal_that_can_be_shown(self, value: dict[str, Any]) -> None:
        try:
            FLAT.decode(json.dumps(value).encode(), ())
        except Refusal as refusal:
            shown = msgspec.json.decode(refusal.response("/").body)
        else:
            return
        assert shown["type"].removeprefix("/problems/") in BODY_PROBLEMS

    @given(st.fixed_dictionaries({"name": st.text(), "count": st.integers(-(2**65), 2**65)}), st.booleans())
    def test_the_short_cut_agrees_with_the_exact_check(self, value: dict[str, Any], ascii: bool) -> None:
        body = json.dumps(value, ensure_ascii=ascii).encode("utf-8", "surrogatepass")
        try:
            json_rules.check(body, 32)
            exact = ""
        except Refusal as refusal:
            exact = refusal.kind.name
        assert outcome(FLAT, body) == exact

    @given(values)
    def test_what_json_writes_within_the_limits_passes(self, value: Any) -> None:
        if "\\u0000" in (text := json.dumps(value)) or "\\ud" in text:
            return
        json_rules.check(text.encode(), 32)


class TestOverHttp:
    async def test_the_problem_names_the_field(self, served: Served) -> None:
        reply = await served.request("POST", NOTES, {"note": "n", "text": 1})
        assert (reply.status, reply.problem) == (422, "invalid-body")
        assert reply.json["errors"] == [{"pointer": "/text", "detail": "Expected `str`, got `int`"}]

    @pytest.mark.parametrize(
        "kind", ["text/plain", "application/json; charset=latin-1", "application/xml", ""]
    )
    async def test_another_media_type_is_not_supported(self, served: Served, kind: str) -> None:
        reply = await served.request("POST", NOTES, {"note": "n", "text": "x"}, Content_Type=kind)
        assert (reply.status, reply.problem) == (415, "unsupported-media-type")

    async def test_a_body_without_a_media_type_is_not_supported(self, served: Served) -> None:
        reply = await served.request("POST", NOTES, raw=b'{"note":"n","text":"x"}')
        assert (reply.status, reply.problem) == (415, "unsupported-media-type")

    @pytest.mark.parametrize("kind", ["Application/JSON", "application/json; charset=UTF-8"])
    async def test_json_in_utf_8_is_supported_however_it_is_spelled(self, served: Served, kind: str) -> None:
        reply = await served.request("POST", NOTES, {"note": "n", "text": "x"}, Content_Type=kind)
        assert reply.status == 201

    @pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "x-odd", "gzip, identity"])
    async def test_a_compressed_body_is_refused_without_being_expanded(
        self, served: Served, encoding: str
    ) -> None:
        """Case 33: what is small on the wire stays small."""
        bomb = zlib.compress(b" " * 50_000_000)
        if encoding == "gzip":
            bomb = gzip.compress(b" " * 50_000_000)[:-4]
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        how = {"Content_Type": "application/json", "Content_Encoding": encoding}
        client = await served.connect()
        reply = await client.request("POST", NOTES, raw=bomb[:60_000], **how)
        assert (reply.status, reply.problem) == (415, "unsupported-encoding")
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000
        assert (await client.request("GET", "/healthz")).status == 200

    async def test_a_body_on_the_wire_that_is_deep_is_refused_and_nothing_is_stored(
        self, served: Served
    ) -> None:
        raw = b'{"note":' + b"[" * 20_000 + b"]" * 20_000 + b"}"
        reply = await served.request("POST", NOTES, raw=raw, Content_Type="application/json")
        assert (reply.status, reply.problem) == (400, "nested-too-deeply")
        assert (await served.request("GET", "/notes/boards/b1")).json["version"] == 1
