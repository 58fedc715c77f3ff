"""The words a bounded context is written in.

A context is plain data and pure functions:

- a *value* is immutable data; a *command* asks, an *event* states what happened, a *rejection* says why not;
- an *aggregate* decides commands and evolves its state by events, alone and in order;
- a *view* folds events into documents, a *query* asks what is answered from them;
- a *context* lists its aggregates, its views and the routes by which commands and queries reach them.

The annotations of ``decide`` and ``evolve`` are the contract: what may arrive, what may happen and what
may be refused is read from them, by mypy and by the gateway alike. Nothing here knows of a cluster, a
database or HTTP, so domain code runs and is tested without them.
"""

from contexts.vocabulary.aggregate import (
    Aggregate,
    Upcaster,
)
from contexts.vocabulary.routes import (
    CommandRoute,
    Context,
    Delete,
    Find,
    Get,
    Patch,
    Post,
    Put,
    Route,
)
from contexts.vocabulary.values import (
    ANONYMOUS,
    Call,
    Command,
    EndOfDay,
    Event,
    Forbidden,
    Id,
    Invalid,
    Meta,
    Moment,
    NotFound,
    Principal,
    Rejection,
    State,
    Text,
    TimeOfDay,
    Value,
    ZoneName,
    time_zone,
)
from contexts.vocabulary.views import (
    Calendar,
    CalendarEntry,
    Inquiry,
    Is,
    Key,
    Many,
    One,
    Operator,
    Origin,
    Query,
    Scalar,
    View,
)

__all__ = [
    "ANONYMOUS",
    "Aggregate",
    "Calendar",
    "CalendarEntry",
    "Call",
    "Command",
    "CommandRoute",
    "Context",
    "Delete",
    "EndOfDay",
    "Event",
    "Find",
    "Forbidden",
    "Get",
    "Id",
    "Inquiry",
    "Invalid",
    "Is",
    "Key",
    "Many",
    "Meta",
    "Moment",
    "NotFound",
    "One",
    "Operator",
    "Origin",
    "Patch",
    "Post",
    "Principal",
    "Put",
    "Query",
    "Rejection",
    "Route",
    "Scalar",
    "State",
    "Text",
    "TimeOfDay",
    "Upcaster",
    "Value",
    "View",
    "ZoneName",
    "time_zone",
]
