"""Booking: who may use which space, and when.

Booking knows of a space only what it decides by: how many people it holds, its time zone and its opening
hours. It is told so by the command ``Open``."""

from contexts.booking import availability, calendar, commands, diary, occupancy, rooms, space
from contexts.vocabulary import Context, Delete, Find, Get, Post

RESERVATIONS = "/spaces/{space}/reservations"
RESERVATION = "/spaces/{space}/reservations/{reservation}"

context = Context(
    "booking",
    summary="Who may use which space, and when.",
    aggregates=[space.aggregate],
    views=[diary.view, rooms.view],
    routes=[
        Post("/spaces/{space}", commands.Open, creates="/spaces/{space}"),
        Post(RESERVATIONS, commands.Reserve, creates=RESERVATION),
        Post("/spaces/{space}/holds", commands.Hold, creates=RESERVATION),
        Post(RESERVATION + "/confirm", commands.Confirm),
        Post(RESERVATION + "/reschedule", commands.Reschedule),
        Delete(RESERVATION, commands.Cancel),
        Get("/spaces/{space}", space.aggregate),
        Get(RESERVATION, space.aggregate, part=space.reservation),
        Get("/rooms/{space}", rooms.view),
        Find("/rooms", rooms.view),
        Find("/guests/{guest}/diary", diary.view, sort="start"),
        Find("/spaces/{space}/reservations", diary.view, sort="end"),
        Get("/spaces/{space}/availability", availability.inquiry),
        Get("/spaces/{space}/occupancy/{month}", occupancy.inquiry),
        Get("/spaces/{space}/calendar.ics", calendar.inquiry),
    ],
)
