"""A venue's spaces."""

import msgspec
import pytest

from contexts.specification import given
from contexts.venue import context
from contexts.venue.space import AlreadyRegistered, Register, Registered, UnknownTimeZone, aggregate

MAPLE = {
    "kind": "meeting_room",
    "name": "Maple",
    "capacity": 16,
    "time_zone": "Asia/Tokyo",
    "opens": "09:00",
    "closes": "22:00",
}
REGISTERED = Registered("meeting_room", "Maple", 16, "Asia/Tokyo", "09:00", "22:00")


def register(**changes: object) -> Register:
    return msgspec.convert(MAPLE | changes, Register)


def test_a_space_is_registered_once() -> None:
    given(aggregate).when(register()).then(REGISTERED).when(register(name="Oak")).then(AlreadyRegistered())


def test_the_state_is_what_was_registered() -> None:
    assert msgspec.to_builtins(given(aggregate, REGISTERED).state) == MAPLE


@pytest.mark.parametrize("zone", ["Mars/Olympus", "America", "Europe/", "localtime", "europe//berlin"])
def test_a_time_zone_must_exist(zone: str) -> None:
    given(aggregate).when(register(time_zone=zone)).then(UnknownTimeZone())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kind", "ball_room"),
        ("name", ""),
        ("name", " "),
        ("name", "Ma\0ple"),
        ("name", "Maple\n"),
        ("name", "M" * 201),
        ("capacity", 0),
        ("capacity", 1_000_001),
        ("capacity", True),
        ("time_zone", "../etc/passwd"),
        ("time_zone", "Asia/Tokyo\n"),
        ("opens", "24:00"),
        ("opens", "9:00"),
        ("opens", "09:00\n"),
        ("closes", "24:01"),
        ("closes", "22:60"),
        ("colour", "green"),
    ],
)
def test_a_field_outside_its_limits_is_refused(field: str, value: object) -> None:
    with pytest.raises(msgspec.ValidationError, match=field):
        register(**{field: value})


def test_the_routes_are_the_published_ones() -> None:
    assert [(getattr(route, "method", "GET"), route.path) for route in context.routes] == [
        ("POST", "/spaces/{space}"),
        ("GET", "/spaces/{space}"),
        ("GET", "/spaces"),
    ]
