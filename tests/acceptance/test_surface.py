"""The sample's REST surface, line by line as it is published."""

from datetime import datetime
from typing import Any

import pytest

from tests.acceptance.client import Client, Reply, as_answered
from tests.acceptance.theatre import SPACE, reservation

MAPLE = {
    "kind": "meeting_room",
    "name": "Maple",
    "capacity": 16,
    "time_zone": "Asia/Tokyo",
    "opens": "09:00",
    "closes": "22:00",
}
R1 = {
    "reservation": "r1",
    "guest": "ada",
    "guests": 4,
    "start": "2027-01-15T10:00:00+09:00",
    "end": "2027-01-15T12:00:00+09:00",
}
FAR = "2099-01-01T00:00:00+09:00"


@pytest.fixture
async def space(client: Client, request: pytest.FixtureRequest) -> str:
    """The path of a space that is open for booking, one for each test."""
    path = f"/booking/spaces/{request.node.name[:60].replace('[', '-').rstrip(']')}"
    assert created(await client.post(path, SPACE), 1, "Opened") == path
    return path


def happened(reply: Reply, version: int, *types: str) -> list[dict[str, Any]]:
    """The events of an accepted command, in the published form."""
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.headers["ETag"] == f'"{version}"'
    body = reply.json
    assert list(body) == ["version", "position", "events"]
    assert body["version"] == version
    context, _, place = body["position"].partition("/")
    shard, _, seq = place.partition(":")
    assert context in ("venue", "booking")
    assert 0 <= int(shard) < 64
    assert int(seq) >= version
    assert [event["type"] for event in body["events"]] == list(types)
    for number, event in enumerate(body["events"], version - len(types) + 1):
        assert list(event) == ["version", "type", "at", "data"]
        assert event["version"] == number
        assert datetime.fromisoformat(event["at"]).utcoffset() is not None
    return list(body["events"])


def created(reply: Reply, version: int, *types: str) -> str:
    """Where what was created is."""
    assert reply.status == 201, reply
    happened(reply, version, *types)
    return reply.headers["Location"]


def changed(reply: Reply, version: int, *types: str) -> list[dict[str, Any]]:
    """The events of a command that creates nothing."""
    assert reply.status == 200, reply
    assert "Location" not in reply.headers
    return happened(reply, version, *types)


async def test_a_space_is_added_to_the_venue(client: Client) -> None:
    reply = await client.post("/venue/spaces/maple", MAPLE)
    assert created(reply, 1, "Registered") == "/venue/spaces/maple"
    assert reply.json["events"][0]["data"] == MAPLE
    state = await client.get("/venue/spaces/maple")
    assert (state.status, state.version, state.json["state"]) == (200, 1, MAPLE)
    again = await client.post("/venue/spaces/maple", MAPLE)
    assert (again.status, again.problem) == (409, "already-registered")


async def test_a_space_is_opened_for_booking_once(client: Client) -> None:
    reply = await client.post("/booking/spaces/once", SPACE)
    location = created(reply, 1, "Opened")
    state = await client.get(location)
    assert list(state.json) == ["version", "position", "state"]
    assert state.json["state"] == {**SPACE, "reservations": {}}
    assert state.json["position"] == reply.json["position"]
    again = await client.post("/booking/spaces/once", SPACE)
    assert (again.status, again.problem) == (409, "already-open")


async def test_a_reservation_is_made_and_found_at_its_location(client: Client, space: str) -> None:
    reply = await client.post(f"{space}/reservations", R1)
    location = created(reply, 2, "Reserved")
    assert location == f"{space}/reservations/r1"
    assert reply.json["events"][0]["data"] == R1
    found = await client.get(location)
    expected = {key: value for key, value in R1.items() if key != "reservation"}
    assert (found.status, found.version, found.json["state"]) == (200, 2, expected)
    state = await client.get(space)
    assert state.json["state"]["reservations"] == {"r1": expected}


async def test_reservations_that_overlap_are_refused_and_those_back_to_back_are_not(
    client: Client, space: str
) -> None:
    assert created(await client.post(f"{space}/reservations", R1), 2, "Reserved")
    over = {
        **R1,
        "reservation": "r2",
        "start": "2027-01-15T11:59:59+09:00",
        "end": "2027-01-15T13:00:00+09:00",
    }
    refused = await client.post(f"{space}/reservations", over)
    assert (refused.status, refused.problem) == (409, "taken")
    assert refused.json["type"] == "/problems/taken"
    assert refused.json["instance"] == f"{space}/reservations"
    after = {**over, "start": "2027-01-15T03:00:00Z"}
    assert created(await client.post(f"{space}/reservations", after), 3, "Reserved")


async def test_a_hold_becomes_a_reservation(client: Client, space: str) -> None:
    held = await client.post(f"{space}/holds", {**R1, "expires": FAR})
    location = created(held, 2, "Held")
    assert location == f"{space}/reservations/r1"
    assert (await client.get(location)).json["state"]["expires"] == FAR
    assert changed(await client.post(f"{location}/confirm"), 3, "Confirmed")[0]["data"] == {
        "reservation": "r1"
    }
    assert "expires" not in (await client.get(location)).json["state"]
    # What is confirmed already needs nothing.
    assert changed(await client.post(f"{location}/confirm"), 3) == []


async def test_a_reservation_is_rescheduled_and_cancelled(client: Client, space: str) -> None:
    location = created(await client.post(f"{space}/reservations", R1), 2, "Reserved")
    times = {"start": "2027-01-16T10:00:00+09:00", "end": "2027-01-16T12:00:00+09:00"}
    (event,) = changed(await client.post(f"{location}/reschedule", times), 3, "Rescheduled")
    assert event["data"] == {"reservation": "r1", **times}
    assert (await client.get(location)).json["state"]["start"] == times["start"]
    (event,) = changed(await client.request("DELETE", location), 4, "Cancelled")
    assert event["data"] == {"reservation": "r1"}
    gone = await client.get(location)
    assert (gone.status, gone.problem) == (404, "not-found")
    again = await client.request("DELETE", location)
    assert (again.status, again.problem) == (404, "no-such-reservation")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/reservations", R1),
        ("POST", "/holds", {**R1, "expires": FAR}),
        ("POST", "/reservations/r1/confirm", None),
        ("POST", "/reservations/r1/reschedule", {"start": R1["start"], "end": R1["end"]}),
        ("DELETE", "/reservations/r1", None),
        ("GET", "", None),
        ("GET", "?version=1", None),
        ("GET", "/events", None),
        ("GET", "/reservations/r1", None),
    ],
)
async def test_a_space_that_was_never_opened_is_not_found(
    method: str, path: str, body: Any, client: Client
) -> None:
    reply = await client.request(method, f"/booking/spaces/never{path}", body)
    assert (reply.status, reply.problem) == (404, "not-found" if method == "GET" else "not-open")


@pytest.mark.parametrize(
    ("body", "status", "problem"),
    [
        (R1 | {"guests": 17}, 409, "too-many-guests"),
        (R1 | {"end": R1["start"]}, 422, "impossible-slot"),
        (R1 | {"start": "2027-01-15T10:00:00"}, 422, "invalid-body"),
        (R1 | {"guests": "4"}, 422, "invalid-body"),
        (R1 | {"colour": "red"}, 422, "invalid-body"),
        (R1 | {"reservation": "a/b"}, 422, "invalid-body"),
    ],
)
async def test_a_refusal_has_a_name_in_kebab_case(
    body: dict[str, Any], status: int, problem: str, client: Client
) -> None:
    await client.post("/booking/spaces/strict", SPACE)
    reply = await client.post("/booking/spaces/strict/reservations", body)
    assert (reply.status, reply.problem) == (status, problem)
    if problem == "invalid-body":
        (field,) = [name for name in body if body[name] != R1.get(name)]
        assert field in reply.body.decode()
    assert (await client.get("/booking/spaces/strict")).version == 1


async def test_opening_hours_are_those_of_the_space(client: Client) -> None:
    path = "/booking/spaces/daytime"
    await client.post(path, {**SPACE, "opens": "09:00", "closes": "22:00"})
    early = {**R1, "start": "2027-01-15T08:30:00+09:00"}
    reply = await client.post(f"{path}/reservations", early)
    assert (reply.status, reply.problem) == (409, "outside-opening-hours")
    assert reply.json["opens"] == "09:00"
    assert (reply.json["closes"], reply.json["time_zone"]) == ("22:00", "Asia/Tokyo")


async def test_a_past_state_is_what_it_was(client: Client, space: str) -> None:
    states = [await client.get(space)]
    for number in range(5):
        (await client.post(f"{space}/reservations", reservation(number))).accepted()
        states.append(await client.get(space))
    for version, then in enumerate(states, 1):
        past = await client.get(f"{space}?version={version}")
        assert (past.status, past.headers["ETag"], past.body) == (200, f'"{version}"', then.body)
    future = await client.get(f"{space}?version=7")
    assert (future.status, future.problem) == (404, "no-such-version")
    for wrong in ("0", "-1", "x", "", "1&version=2", "9999999999999999999999"):
        refused = await client.get(f"{space}?version={wrong}")
        assert (refused.status, refused.problem) == (400, "invalid-query"), wrong


@pytest.mark.parametrize("limit", [1, 4, 7, 21, 100])
async def test_history_is_paged(limit: int, client: Client, space: str) -> None:
    told = [as_answered((await client.get(f"{space}/events")).json["events"][0])]
    for number in range(20):
        reply = await client.post(f"{space}/reservations", reservation(number))
        told += reply.accepted().json["events"]
    pages, path = [], f"{space}/events?limit={limit}"
    while path is not None:
        page = await client.get(path)
        assert page.status == 200
        assert list(page.json) == ["events", "next"]
        assert len(page.json["events"]) <= limit
        pages.append([as_answered(event) for event in page.json["events"]])
        path = page.json["next"]
    assert [event for page in pages for event in page] == told
    assert len(pages) == -(-21 // limit)


async def test_conditions_speak_of_versions(client: Client, space: str) -> None:
    stale = await client.post(f"{space}/reservations", R1, If_Match='"7"')
    assert (stale.status, stale.problem) == (412, "precondition-failed")
    there = await client.post(space, SPACE, If_None_Match="*")
    assert (there.status, there.problem) == (412, "precondition-failed")
    assert created(await client.post(f"{space}/reservations", R1, If_Match='"1"'), 2, "Reserved")
    unchanged = await client.get(space, If_None_Match='"2"')
    assert (unchanged.status, unchanged.body, unchanged.headers["ETag"]) == (304, b"", '"2"')
    assert (await client.get(space, If_None_Match='"1"')).status == 200


async def test_a_key_gives_the_first_answer_again_and_takes_no_other_payload(
    client: Client, space: str
) -> None:
    first = await client.post(f"{space}/reservations", R1, Idempotency_Key='"key-1"')
    again = await client.post(f"{space}/reservations", R1, Idempotency_Key='"key-1"')
    assert created(first, 2, "Reserved") == created(again, 2, "Reserved")
    assert first.body == again.body
    assert again.headers["Idempotency-Replayed"] == "true"
    other = await client.post(f"{space}/reservations", {**R1, "guests": 5}, Idempotency_Key='"key-1"')
    assert (other.status, other.problem) == (422, "idempotency-key-reused")
    assert len(await client.history(space)) == 2


async def test_probes_figures_and_description_are_where_they_are_expected(client: Client) -> None:
    assert (await client.get("/healthz")).status == 200
    assert (await client.get("/readyz")).status == 200
    assert b"butai_http_requests_total" in (await client.get("/metrics")).body
    description = (await client.get("/openapi.json")).json
    assert description["openapi"].startswith("3.1")
    published = {
        (method.upper(), path)
        for path, item in description["paths"].items()
        for method in item
        if path.startswith(("/venue", "/booking"))
    }
    assert published >= {
        ("POST", "/venue/spaces/{space}"),
        ("POST", "/booking/spaces/{space}"),
        ("POST", "/booking/spaces/{space}/reservations"),
        ("POST", "/booking/spaces/{space}/holds"),
        ("POST", "/booking/spaces/{space}/reservations/{reservation}/confirm"),
        ("POST", "/booking/spaces/{space}/reservations/{reservation}/reschedule"),
        ("DELETE", "/booking/spaces/{space}/reservations/{reservation}"),
        ("GET", "/booking/spaces/{space}"),
        ("GET", "/booking/spaces/{space}/events"),
    }
    assert b"<html" in (await client.get("/docs")).body.lower()
