"""Booking without its views: the base of what views cost."""

from contexts.booking import commands, space
from contexts.vocabulary import Context, Get, Post

context = Context(
    "booking",
    aggregates=[space.aggregate],
    routes=[
        Post("/spaces/{space}", commands.Open, creates="/spaces/{space}"),
        Post("/spaces/{space}/reservations", commands.Reserve, creates="/spaces/{space}"),
        Get("/spaces/{space}", space.aggregate),
    ],
)
