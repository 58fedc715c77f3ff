"""Venue: which spaces there are to let."""

from contexts.venue import space
from contexts.vocabulary import Context, Get, Post

context = Context(
    "venue",
    summary="Which spaces there are to let.",
    aggregates=[space.aggregate],
    routes=[
        Post("/spaces/{space}", space.Register, creates="/spaces/{space}"),
        Get("/spaces/{space}", space.aggregate),
    ],
)
