"""From a request's path to an endpoint and its parameters: exact, on the path as it was sent.

One path has one meaning. Whatever proxies and servers are known to read differently (dot segments, encoded
slashes, backslashes, ``;`` parameters, NUL, bytes that are no UTF-8) is refused instead of normalised, so
nothing that stands in front of the gateway can be talked past by spelling.
"""

import re
from typing import Generic, NamedTuple, TypeVar
from urllib.parse import unquote

from gateway.problems import INVALID_PATH, Refusal

E = TypeVar("E")

LONGEST_PARAMETER = 128
"""Characters of a path parameter, so of an entity's id."""

_PLAIN = re.compile(r"[A-Za-z0-9\-_~!$&'()*+,=:@/.%]*")
_ESCAPES = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class Match(NamedTuple, Generic[E]):
    """What lies at a path: its endpoints by method, and the values of its parameters in order."""

    endpoints: dict[str, E]
    parameters: tuple[str, ...]


class _Node(Generic[E]):
    __slots__ = ("children", "endpoints", "parameter")

    def __init__(self) -> None:
        self.children: dict[str, _Node[E]] = {}
        self.parameter: _Node[E] | None = None
        self.endpoints: dict[str, E] = {}


class Router(Generic[E]):
    """Routes in a tree of segments; a literal segment goes before a parameter."""

    def __init__(self) -> None:
        self._root: _Node[E] = _Node()
        self._literal: dict[str, Match[E]] = {}

    def add(self, method: str, template: str, endpoint: E) -> None:
        """Raises ValueError when the method is taken at a path of the same shape."""
        node = self._root
        for segment in template[1:].split("/"):
            if segment.startswith("{"):
                node.parameter = node.parameter or _Node()
                node = node.parameter
            else:
                node = node.children.setdefault(segment, _Node())
        if method in node.endpoints:
            raise ValueError(f"{method} {template} is declared twice")
        node.endpoints[method] = endpoint
        if "{" not in template:
            self._literal[template] = Match(node.endpoints, ())

    def find(self, path: str) -> Match[E] | None:
        """The match of a raw path; None when there is none; raises Refusal when it is not a clean path."""
        literal = self._literal.get(path)
        if literal is not None:
            return literal
        segments = split(path)
        return _walk(self._root, segments, 0, ())


def _walk(node: _Node[E], segments: list[str], at: int, parameters: tuple[str, ...]) -> Match[E] | None:
    if at == len(segments):
        return Match(node.endpoints, parameters) if node.endpoints else None
    segment = segments[at]
    child = node.children.get(segment)
    if child is not None:
        match = _walk(child, segments, at + 1, parameters)
        if match is not None:
            return match
    if node.parameter is not None and segment:
        return _walk(node.parameter, segments, at + 1, (*parameters, segment))
    return None


def split(path: str) -> list[str]:
    """The decoded segments of an absolute path; raises Refusal."""
    if not path.startswith("/") or _PLAIN.fullmatch(path) is None:
        raise Refusal(INVALID_PATH, "The path holds characters that must be percent-encoded.")
    segments = path[1:].split("/")
    if "%" in path:
        segments = [_decode(segment) if "%" in segment else segment for segment in segments]
    elif "/." not in path and len(path) <= LONGEST_PARAMETER:
        return segments
    for segment in segments:
        if segment in (".", ".."):
            raise Refusal(INVALID_PATH, "Dot segments are not resolved here.")
        if len(segment) > LONGEST_PARAMETER:
            raise Refusal(INVALID_PATH, f"A part of the path is longer than {LONGEST_PARAMETER} characters.")
    return segments


def _decode(segment: str) -> str:
    if _ESCAPES.search(segment):
        raise Refusal(INVALID_PATH, "The path holds a '%' that begins no escape.")
    try:
        decoded = unquote(segment, errors="strict")
    except UnicodeDecodeError:
        raise Refusal(INVALID_PATH, "The path's escapes are not UTF-8.") from None
    if "/" in decoded or "\\" in decoded:
        raise Refusal(INVALID_PATH, "The path holds an encoded slash or backslash.")
    if _CONTROLS.search(decoded):
        raise Refusal(INVALID_PATH, "The path holds a control character.")
    return decoded
