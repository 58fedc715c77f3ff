import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors import manifest
from actors.messages import Reason, Refused
from actors.settings import GatewaySettings, Settings
from actors.views.inquiry import read_inquiry
from contexts.vocabulary import Get, Inquiry, Rejection
from gateway.openapi import document
from gateway.openapi_answers import UNDESCRIBED
from gateway.problems import PROBLEM_TYPES, REASONS, refusal, seconds_to_wait
from gateway.rejections import member_of, name_of, status_of, title_of
from gateway.server import Gateway
from tests.gateway import library

DOC = (Path(__file__).parents[2] / "docs" / "problems.md").read_text()


def documented() -> dict[str, int]:
    """Name and status of every row."""
    return {
        name: int(status) for name, status in re.findall(r"^\| `/problems/([a-z-]+)` \| (\d+) \|", DOC, re.M)
    }


class Known:
    """A region that is only looked at."""

    def __init__(self, context: manifest.ContextManifest) -> None:
        self.name = context.name
        self.manifest = context
        self.shard_count = 4


class Seen:
    """Views that are only looked at."""

    store = None


def described() -> dict[str, Any]:
    """Of the sample, and of the library, whose queries have every answer that there is."""
    known = {**manifest.load(Settings().contexts), "library": manifest.read(library.context)}
    regions: Any = {name: Known(found) for name, found in known.items()}
    views: Any = {name: Seen() for name in known}
    gateway = Gateway(GatewaySettings(), regions, dict, views=views)
    return document(gateway.operations, GatewaySettings())


def in_schema(spec: dict[str, Any], schema: dict[str, Any]) -> list[str]:
    """The problem types that a schema of an answer allows."""
    components = spec["components"]["schemas"]
    alternatives = [
        components[a["$ref"].rpartition("/")[2]] if "$ref" in a else a for a in schema.get("anyOf", [schema])
    ]
    types = [alternative["properties"]["type"] for alternative in alternatives]
    return [uri for kind in types for uri in kind.get("enum", [kind.get("const")])]


def rejections_of(context: manifest.ContextManifest) -> Iterator[type[Rejection]]:
    """Of commands and of questions."""
    for aggregate in context.aggregates.values():
        yield from aggregate.rejections
    for route in context.context.routes:
        if isinstance(route, Get) and isinstance(route.source, Inquiry):
            yield from read_inquiry(route.source).rejections


def test_routes_that_read_views_are_refused_where_there_are_none() -> None:
    regions: Any = {"library": Known(manifest.read(library.context))}
    with pytest.raises(manifest.ManifestError, match="there are no views to read"):
        Gateway(GatewaySettings(), regions, dict)


class TestDocumentation:
    def test_the_gateway_s_problems_are_all_documented_with_their_status(self) -> None:
        rows = documented()
        assert {name: kind.status for name, kind in PROBLEM_TYPES.items()} == {
            name: status for name, status in rows.items() if name in PROBLEM_TYPES
        }

    def test_the_sample_s_rejections_are_all_documented_with_their_status(self) -> None:
        kinds = {
            name_of(kind): status_of(kind)
            for context in manifest.load(Settings().contexts).values()
            for kind in rejections_of(context)
        }
        assert kinds == {name: status for name, status in documented().items() if name not in PROBLEM_TYPES}

    def test_openapi_names_every_problem_of_an_operation_under_its_status(self) -> None:
        rows = documented() | {"no-such-author": 404, "too-curious": 403, "backwards": 422}
        seen = set()
        spec = described()
        for operations in spec["paths"].values():
            for operation in operations.values():
                for status, answer in operation["responses"].items():
                    for content in answer.get("content", {}).values():
                        if int(status) >= 400:
                            for uri in in_schema(spec, content["schema"]):
                                name = uri.removeprefix("/problems/")
                                assert rows[name] == int(status)
                                seen.add(name)
        assert seen == rows.keys() - {kind.name for kind in UNDESCRIBED}

    def test_the_documented_limits_are_the_defaults(self) -> None:
        for name, value in re.findall(r"`gateway\.([a-z_]+)` \((\d+)\)", DOC):
            assert getattr(GatewaySettings(), name) == int(value)
        assert DOC.count("`gateway.body_bytes` (65536)") == 1


class TestReasons:
    @pytest.mark.parametrize("reason", Reason)
    def test_every_reason_has_a_problem(self, reason: Reason) -> None:
        response = refusal(Refused(reason, "why", 2.4)).response("/x")
        assert response.status == REASONS[reason].status
        assert (b"Retry-After: 3\r\n" in response.head) == REASONS[reason].retry

    def test_what_can_be_tried_again_is_503_and_nothing_else_is(self) -> None:
        for kind in PROBLEM_TYPES.values():
            assert kind.retry == (kind.status == 503)

    @pytest.mark.parametrize(
        ("seconds", "header"), [(None, 1), (0.0, 1), (0.2, 1), (1.0, 1), (1.01, 2), (float("inf"), 1)]
    )
    def test_retry_after_is_whole_seconds_and_at_least_one(self, seconds: float | None, header: int) -> None:
        assert seconds_to_wait(seconds) == header


class TestRejections:
    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("Taken", "taken"),
            ("TooManyGuests", "too-many-guests"),
            ("HTTPGone", "http-gone"),
            ("A1B", "a1-b"),
        ],
    )
    def test_the_name_is_in_kebab_case(self, name: str, expected: str) -> None:
        assert name_of(type(name, (Rejection,), {})) == expected

    def test_the_title_is_the_docstring_s_first_paragraph_or_the_name_in_words(self) -> None:
        class DoorLocked(Rejection, frozen=True):
            """The ``door``
            is locked.

            More about doors."""

        assert title_of(DoorLocked) == "The door is locked."
        assert title_of(type("DoorLocked", (Rejection,), {})) == "Door locked."

    def test_a_field_never_takes_the_name_of_a_problem_s_member(self) -> None:
        assert (member_of("type"), member_of("limit")) == ("rejection_type", "limit")
