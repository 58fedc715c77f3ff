"""An HTTP answer as bytes: the head is formatted here, once, and written together with the body."""

from http import HTTPStatus

import msgspec

JSON = b"application/json"
PROBLEM = b"application/problem+json"

STATUS_LINES = {s.value: b"HTTP/1.1 %d %s\r\n" % (s.value, s.phrase.encode()) for s in HTTPStatus}


class Response(msgspec.Struct, frozen=True, gc=False):
    """``head`` is the status line and the header lines, without ``Date``, ``Connection`` and the empty line:
    those are the connection's."""

    status: int
    head: bytes
    body: bytes = b""


def respond(
    status: int, body: bytes = b"", content_type: bytes = JSON, headers: tuple[tuple[str, str], ...] = ()
) -> Response:
    """Any answer. Header values must be latin-1 text without line breaks; ValueError otherwise."""
    lines = [STATUS_LINES[status]]
    if status not in (204, 304):
        lines.append(b"Content-Type: %s\r\nContent-Length: %d\r\n" % (content_type, len(body)))
    for name, value in headers:
        if "\r" in value or "\n" in value or "\0" in value:
            raise ValueError(f"header {name} cannot hold {value!r}")
        lines.append(f"{name}: {value}\r\n".encode("latin-1"))
    return Response(status, b"".join(lines), body)


def versioned(version: int, body: bytes) -> Response:
    """200 with JSON at a version; the answer of nearly every request, so it takes no detour."""
    return Response(
        200,
        b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nETag: "%d"\r\n'
        % (len(body), version),
        body,
    )
