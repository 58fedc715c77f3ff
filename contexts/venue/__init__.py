"""Venue: which spaces there are to let."""

from contexts.venue import space, spaces
from contexts.vocabulary import Context, Find, Get, Post

context = Context(
    "venue",
    summary="Which spaces there are to let.",
    aggregates=[space.aggregate],
    views=[spaces.view],
    routes=[
        Post("/spaces/{space}", space.Register, creates="/spaces/{space}"),
        Get("/spaces/{space}", space.aggregate),
        Find("/spaces", spaces.view, sort="name"),
    ],
)
