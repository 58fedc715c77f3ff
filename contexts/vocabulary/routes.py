"""Routes, and the manifest that lists all that a context consists of."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from contexts.vocabulary.aggregate import Aggregate
from contexts.vocabulary.values import Command, Value
from contexts.vocabulary.views import Inquiry, View


class CommandRoute(Value, frozen=True):
    """Where a command arrives. The parameter named like the aggregate is the entity's id, the others fill
    fields of the command. ``creates`` is the path of the thing that an accepted command brings to life."""

    method: ClassVar[str] = ""
    path: str
    command: type[Command]
    creates: str | None = None


class Post(CommandRoute, frozen=True):
    """A command by POST."""

    method: ClassVar[str] = "POST"


class Put(CommandRoute, frozen=True):
    """A command by PUT."""

    method: ClassVar[str] = "PUT"


class Patch(CommandRoute, frozen=True):
    """A command by PATCH."""

    method: ClassVar[str] = "PATCH"


class Delete(CommandRoute, frozen=True):
    """A command by DELETE; it has no body."""

    method: ClassVar[str] = "DELETE"


class Get(Value, frozen=True):
    """A query of one thing.

    - Of an aggregate: its state, or with ``part(state, *parameters)`` the part of it that the path's other
      parameters name, in their order; ``None`` means there is no such part. A whole aggregate's path also
      answers its past (``?version=N``, ``?at=INSTANT``) and, under ``/events``, its history.
    - Of a view: the document whose key the path's parameters are, in their order.
    - Of an ``Inquiry``: what it says to the question that path and query string ask."""

    path: str
    source: Aggregate[Any] | View[Any] | Inquiry
    part: Callable[..., Any] | None = None


class Find(Value, frozen=True):
    """A query for a view's documents, in pages. The path's parameters are indexed fields that must be equal;
    the query string says more: filters, ``sort``, ``limit``, ``cursor``, ``total``, and ``search`` where the
    view has searchable fields. ``sort`` is the order for those who do not say: an indexed field
    (``"-start"``: descending); without it, by key."""

    path: str
    view: View[Any]
    sort: str | None = None


Route = CommandRoute | Get | Find


class Context:
    """A bounded context's manifest: its name, aggregates, views and routes (paths below ``/<name>``)."""

    __slots__ = ("aggregates", "name", "routes", "summary", "views")

    def __init__(
        self,
        name: str,
        *,
        summary: str = "",
        aggregates: Sequence[Aggregate[Any]],
        views: Sequence[View[Any]] = (),
        routes: Sequence[Route],
    ) -> None:
        self.name = name
        self.summary = summary
        self.aggregates = tuple(aggregates)
        self.views = tuple(views)
        self.routes = tuple(routes)

    def __repr__(self) -> str:
        return f"Context({self.name!r})"
