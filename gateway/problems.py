"""Problems (RFC 9457) that the gateway itself answers with; their names are stable and listed in
``docs/problems.md``. What a context refuses is in ``rejections``."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from actors.messages import Reason, Refused
from gateway.responses import PROBLEM, Response, respond


class ProblemType(msgspec.Struct, frozen=True):
    """A kind of problem. ``retry``: the answer says after how many seconds another try makes sense."""

    name: str
    status: int
    title: str
    retry: bool = False

    @property
    def uri(self) -> str:
        return f"/problems/{self.name}"


_BY_NAME: dict[str, ProblemType] = {}


def _define(name: str, status: int, title: str, retry: bool = False) -> ProblemType:
    kind = _BY_NAME[name] = ProblemType(name, status, title, retry)
    return kind


MALFORMED_REQUEST = _define("malformed-request", 400, "The request is not well-formed HTTP.")
INVALID_PATH = _define("invalid-path", 400, "The path has more than one meaning, or names an impossible id.")
INVALID_QUERY = _define("invalid-query", 400, "The query has an unknown, repeated or impossible parameter.")
INVALID_HEADER = _define("invalid-header", 400, "A header's value is not what its specification says.")
MALFORMED_JSON = _define("malformed-json", 400, "The body is not JSON, or repeats a key.")
NESTED_TOO_DEEPLY = _define("nested-too-deeply", 400, "The body nests arrays and objects too deeply.")
UNEXPECTED_BODY = _define("unexpected-body", 400, "This operation takes no body.")
NOT_FOUND = _define("not-found", 404, "There is nothing here.")
NO_SUCH_VERSION = _define("no-such-version", 404, "It has not reached that version.")
METHOD_NOT_ALLOWED = _define("method-not-allowed", 405, "The path does not support this method.")
NOT_ACCEPTABLE = _define("not-acceptable", 406, "Accept excludes the form that the answer would have.")
REQUEST_TIMEOUT = _define("request-timeout", 408, "The request did not arrive in time.")
PRECONDITION_FAILED = _define("precondition-failed", 412, "The version is not the expected one.")
BODY_TOO_LARGE = _define("body-too-large", 413, "The body is too large.")
UNSUPPORTED_MEDIA_TYPE = _define("unsupported-media-type", 415, "The body must be application/json.")
UNSUPPORTED_ENCODING = _define("unsupported-encoding", 415, "Compressed bodies are not taken.")
EXPECTATION_FAILED = _define("expectation-failed", 417, "Only 100-continue can be expected.")
INVALID_BODY = _define("invalid-body", 422, "The body is JSON, but not what this operation takes.")
IDEMPOTENCY_KEY_REUSED = _define(
    "idempotency-key-reused", 422, "The idempotency key was used with another payload."
)
TOO_MANY_DOCUMENTS = _define(
    "too-many-documents", 422, "The answer needs more documents than are read for one: narrow the question."
)
HEADERS_TOO_LARGE = _define("headers-too-large", 431, "The request's line or headers are too large.")
INTERNAL_ERROR = _define("internal-error", 500, "A fault in the server.")
FAILED = _define("failed", 500, "The command hit a fault in its context; nothing was done.")
QUERY_FAILED = _define("query-failed", 500, "The query hit a fault in its context.")
UNREADABLE = _define("unreadable", 500, "Its journal cannot be read; nothing was done.")
MAILBOX_FULL = _define("mailbox-full", 503, "Too much is waiting for this entity; nothing was done.", True)
OVERLOADED = _define("overloaded", 503, "Too much is in progress; nothing was done.", True)
EXPIRED = _define("expired", 503, "The deadline passed before anything was done.", True)
QUARANTINED = _define("quarantined", 503, "It failed too often and waits for an operator.", True)
MOVED = _define("moved", 503, "It is moving to another worker; nothing was done.", True)
STOPPING = _define("stopping", 503, "The server is stopping; nothing was done.", True)
JOURNAL_UNAVAILABLE = _define(
    "journal-unavailable", 503, "The journal cannot be reached; nothing was done.", True
)
NOT_YET_VISIBLE = _define("not-yet-visible", 503, "The view has not yet folded what Read-After names.", True)
VIEWS_UNAVAILABLE = _define("views-unavailable", 503, "The views cannot be read now.", True)
NOT_READY = _define("not-ready", 503, "The worker cannot serve yet, or not any more.", True)
OUTCOME_UNKNOWN = _define(
    "outcome-unknown", 504, "The deadline passed during the commit: retry with the same key."
)
JOURNAL_FULL = _define("journal-full", 507, "The journal takes no more; nothing was done.")

PROBLEM_TYPES: Mapping[str, ProblemType] = _BY_NAME

REASONS: Mapping[Reason, ProblemType] = {
    Reason.PRECONDITION: PRECONDITION_FAILED,
    Reason.KEY_REUSED: IDEMPOTENCY_KEY_REUSED,
    Reason.NO_SUCH_VERSION: NO_SUCH_VERSION,
    Reason.MAILBOX_FULL: MAILBOX_FULL,
    Reason.OVERLOADED: OVERLOADED,
    Reason.EXPIRED: EXPIRED,
    Reason.QUARANTINED: QUARANTINED,
    Reason.MOVED: MOVED,
    Reason.STOPPING: STOPPING,
    Reason.JOURNAL_UNAVAILABLE: JOURNAL_UNAVAILABLE,
    Reason.JOURNAL_FULL: JOURNAL_FULL,
    Reason.UNSTORABLE: INVALID_PATH,
    Reason.FAILED: FAILED,
    Reason.UNREADABLE: UNREADABLE,
    Reason.OUTCOME_UNKNOWN: OUTCOME_UNKNOWN,
}


class FieldError(msgspec.Struct, frozen=True):
    """What is wrong at one place of the body; ``pointer`` is a JSON Pointer (RFC 6901)."""

    pointer: str
    detail: str


class Refusal(Exception):
    """The request is answered with a problem."""

    def __init__(
        self,
        kind: ProblemType,
        detail: str = "",
        errors: Sequence[FieldError] = (),
        headers: tuple[tuple[str, str], ...] = (),
        retry_after: float | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        """``members`` are the problem's own, beside those that all have."""
        super().__init__(detail or kind.title)
        self.kind = kind
        self.detail = detail
        self.errors = errors
        self.headers = headers
        self.retry_after = retry_after
        self.members = members or {}

    def response(self, instance: str) -> Response:
        """The problem as an answer; ``instance`` is the request's path."""
        members: dict[str, Any] = {
            "type": self.kind.uri,
            "title": self.kind.title,
            "status": self.kind.status,
        }
        if self.detail:
            members["detail"] = self.detail
        members["instance"] = instance
        if self.errors:
            members["errors"] = list(self.errors)
        members.update(self.members)
        headers = self.headers
        if self.kind.retry:
            headers = (*headers, ("Retry-After", str(seconds_to_wait(self.retry_after))))
        return render(self.kind.status, members, headers)


def refusal(refused: Refused) -> Refusal:
    """What the actors' refusal is to a client."""
    return Refusal(REASONS[refused.reason], refused.detail, retry_after=refused.retry_after)


def render(status: int, members: Mapping[str, Any], headers: tuple[tuple[str, str], ...] = ()) -> Response:
    return respond(status, msgspec.json.encode(members), PROBLEM, headers)


def seconds_to_wait(seconds: float | None) -> int:
    """``Retry-After`` in whole seconds, at least 1 (RFC 9110, 10.2.3)."""
    return max(1, math.ceil(seconds)) if seconds is not None and math.isfinite(seconds) else 1
