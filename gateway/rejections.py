"""What a context's rejection is to an HTTP client: the only place where the domain meets status codes."""

import re
from typing import Any

import msgspec

from contexts.vocabulary import Forbidden, Invalid, NotFound, Rejection
from gateway.problems import render
from gateway.responses import Response

_STATUSES: tuple[tuple[type[Rejection], int], ...] = (
    (NotFound, 404),
    (Forbidden, 403),
    (Invalid, 422),
    (Rejection, 409),
)

_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
MEMBERS = frozenset({"type", "title", "status", "detail", "instance", "errors"})
"""Names that RFC 9457 and the gateway give a meaning; a rejection's field of that name is prefixed."""


def status_of(rejection: type[Rejection]) -> int:
    return next(status for kind, status in _STATUSES if issubclass(rejection, kind))


def name_of(rejection: type[Rejection]) -> str:
    """The class name in kebab case: ``AlreadyTaken`` is ``already-taken``."""
    return _WORD.sub("-", rejection.__name__).lower()


def member_of(field: str) -> str:
    """A rejection's field under the name it has in the problem."""
    return f"rejection_{field}" if field in MEMBERS else field


def title_of(rejection: type[Rejection]) -> str:
    """The first paragraph of the docstring, or the class name in words."""
    doc = (rejection.__doc__ or "").strip().split("\n\n")[0]
    return " ".join(doc.replace("`", "").split()) or _WORD.sub(" ", rejection.__name__).capitalize() + "."


def rejected(rejection: Rejection, instance: str, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    """The rejection as a problem; ``instance`` is the request's path."""
    kind = type(rejection)
    status = status_of(kind)
    title = title_of(kind)
    members: dict[str, Any] = {
        "type": f"/problems/{name_of(kind)}",
        "title": title,
        "status": status,
        "detail": title,
        "instance": instance,
    }
    for name, value in msgspec.structs.asdict(rejection).items():
        members[member_of(name)] = value
    return render(status, members, headers)
