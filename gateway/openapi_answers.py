"""What an operation may answer, problems and all, for the OpenAPI document."""

from collections.abc import Mapping, Sequence
from typing import Any

from actors.manifest import AggregateManifest
from gateway import problems
from gateway.commands import CommandEndpoint
from gateway.openapi_headers import headers as headers_of
from gateway.openapi_schemas import REFERENCE, Schema, Schemas
from gateway.problems import PROBLEM_TYPES, ProblemType
from gateway.rejections import name_of, status_of

ANY_EXCHANGE = (
    problems.MALFORMED_REQUEST,
    problems.INVALID_PATH,
    problems.INVALID_QUERY,
    problems.INVALID_HEADER,
    problems.UNEXPECTED_BODY,
    problems.NOT_FOUND,
    problems.NOT_ACCEPTABLE,
    problems.REQUEST_TIMEOUT,
    problems.PRECONDITION_FAILED,
    problems.BODY_TOO_LARGE,
    problems.EXPECTATION_FAILED,
    problems.HEADERS_TOO_LARGE,
    problems.INTERNAL_ERROR,
    problems.OVERLOADED,
    problems.EXPIRED,
)
ANY_REQUEST = (
    *ANY_EXCHANGE,
    problems.FAILED,
    problems.UNREADABLE,
    problems.MAILBOX_FULL,
    problems.QUARANTINED,
    problems.MOVED,
    problems.STOPPING,
    problems.JOURNAL_UNAVAILABLE,
)
"""Of what is asked of entities."""
ANY_READ = (
    *ANY_EXCHANGE,
    problems.QUERY_FAILED,
    problems.NOT_YET_VISIBLE,
    problems.VIEWS_UNAVAILABLE,
)
"""Of what is read from views."""
VIEW_POSITION = ("Position", "PositionAge")
"""Headers that say how fresh an answer is."""
ANY_COMMAND = (
    problems.MALFORMED_JSON,
    problems.NESTED_TOO_DEEPLY,
    problems.UNSUPPORTED_MEDIA_TYPE,
    problems.UNSUPPORTED_ENCODING,
    problems.INVALID_BODY,
    problems.IDEMPOTENCY_KEY_REUSED,
    problems.OUTCOME_UNKNOWN,
    problems.JOURNAL_FULL,
)

UNDESCRIBED = frozenset({problems.METHOD_NOT_ALLOWED, problems.NOT_READY})
"""Problems of no operation: what answers is not an operation, or not the API."""

assert UNDESCRIBED.isdisjoint((*ANY_REQUEST, *ANY_COMMAND, *ANY_READ))
assert set(PROBLEM_TYPES.values()) == {
    *ANY_REQUEST,
    *ANY_COMMAND,
    *ANY_READ,
    problems.NO_SUCH_VERSION,
    problems.TOO_MANY_DOCUMENTS,
    *UNDESCRIBED,
}


def command_answers(endpoint: CommandEndpoint, schemas: Schemas) -> dict[str, Any]:
    aggregate: AggregateManifest = endpoint.aggregate
    body = schemas.accepted(aggregate)
    answers = {"200": json_answer("Done; no events: nothing to do.", body, ("ETag", "IdempotencyReplayed"))}
    if endpoint.route.creates:
        answers["201"] = json_answer("Created.", body, ("ETag", "Location", "IdempotencyReplayed"))
    rejections: dict[int, dict[str, Schema]] = {}
    for kind in aggregate.rejections:
        rejections.setdefault(status_of(kind), {})[name_of(kind)] = schemas.rejection(kind)
    return with_problems(answers, (*ANY_REQUEST, *ANY_COMMAND), rejections)


def with_problems(
    answers: dict[str, Any],
    kinds: Sequence[ProblemType],
    rejections: Mapping[int, Mapping[str, Schema]] | None = None,
    replayed: bool = True,
) -> dict[str, Any]:
    """``answers`` and every problem that may come instead; ``rejections`` are by status and name, and may be
    ``replayed``."""
    rejections = rejections or {}
    for status in sorted({kind.status for kind in kinds} | set(rejections)):
        here = [kind for kind in kinds if kind.status == status]
        theirs = rejections.get(status, {})
        alternatives = [_own_problem(here)] if here else []
        alternatives += theirs.values()
        titles = [f"`{name}`" for name in (*(kind.name for kind in here), *theirs)]
        headers = (("RetryAfter",) if any(kind.retry for kind in here) else ()) + (
            ("IdempotencyReplayed",) if replayed and status in rejections else ()
        )
        schema = alternatives[0] if len(alternatives) == 1 else {"anyOf": alternatives}
        answers[str(status)] = {
            "description": "A problem: " + ", ".join(titles) + ".",
            "content": {"application/problem+json": {"schema": schema}},
        }
        if headers:
            answers[str(status)]["headers"] = headers_of(headers)
    return answers


def _own_problem(kinds: Sequence[ProblemType]) -> Schema:
    return {
        "allOf": [{"$ref": REFERENCE.format(name="Problem")}],
        "properties": {"type": {"enum": [kind.uri for kind in kinds]}},
    }


def json_answer(description: str, schema: Schema, headers: tuple[str, ...] = ()) -> dict[str, Any]:
    answer = {"description": description, "content": {"application/json": {"schema": schema}}}
    return {**answer, "headers": headers_of(headers)} if headers else answer
