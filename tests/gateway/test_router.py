import string
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.problems import Refusal
from gateway.router import LONGEST_PARAMETER, Router, split


@pytest.fixture
def router() -> Router[str]:
    router: Router[str] = Router()
    router.add("GET", "/a/{x}", "one")
    router.add("GET", "/a/{x}/events", "events")
    router.add("GET", "/a/special/deep/end", "deep")
    router.add("GET", "/a/{x}/{y}", "two")
    router.add("POST", "/a/{x}", "post")
    router.add("GET", "/", "root")
    router.add("GET", "/plain", "plain")
    return router


def found(router: Router[str], path: str) -> tuple[str, tuple[str, ...]] | None:
    match = router.find(path)
    return (match.endpoints["GET"], match.parameters) if match else None


def test_paths_lead_to_their_endpoints(router: Router[str]) -> None:
    assert found(router, "/") == ("root", ())
    assert found(router, "/plain") == ("plain", ())
    assert found(router, "/a/1") == ("one", ("1",))
    assert found(router, "/a/1/2") == ("two", ("1", "2"))
    assert found(router, "/a/1/2/3") is None
    assert found(router, "/a") is None


def test_a_literal_goes_before_a_parameter(router: Router[str]) -> None:
    assert found(router, "/a/1/events") == ("events", ("1",))


def test_an_entity_named_like_a_literal_is_still_found(router: Router[str]) -> None:
    assert found(router, "/a/special") == ("one", ("special",))
    assert found(router, "/a/special/deep/end") == ("deep", ())
    assert found(router, "/a/special/events") == ("events", ("special",))


def test_an_empty_parameter_is_none(router: Router[str]) -> None:
    assert found(router, "/a/") is None
    assert found(router, "/a//2") is None


def test_methods_of_one_path_lie_together(router: Router[str]) -> None:
    match = router.find("/a/1")
    assert match is not None
    assert match.endpoints == {"GET": "one", "POST": "post"}


def test_a_path_cannot_be_taken_twice(router: Router[str]) -> None:
    with pytest.raises(ValueError, match="twice"):
        router.add("GET", "/a/{other}", "again")


unambiguous = st.text(min_size=1, max_size=LONGEST_PARAMETER).filter(
    lambda s: (
        not any(c in "/\\" or ord(c) < 32 or 127 <= ord(c) <= 159 or 0xD800 <= ord(c) <= 0xDFFF for c in s)
        and s not in (".", "..")
    )
)


@given(unambiguous)
def test_every_id_has_a_path_that_leads_back_to_it(id: str) -> None:
    router: Router[str] = Router()
    router.add("GET", "/a/{x}", "one")
    assert found(router, f"/a/{quote(id, safe='')}") == ("one", (id,))


@given(st.text(string.printable + "é\x00%/.", max_size=60).map(lambda s: "/" + s))
def test_any_path_is_split_into_clean_segments_or_refused(path: str) -> None:
    try:
        segments = split(path)
    except Refusal:
        return
    for segment in segments:
        assert segment not in (".", "..")
        assert not set(segment) & set("/\\\0\n")
        assert len(segment) <= LONGEST_PARAMETER
