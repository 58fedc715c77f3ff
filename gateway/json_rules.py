"""The JSON this gateway takes, exactly: I-JSON (RFC 7493) with a bound on nesting.

msgspec decodes bodies into commands fast, but keeps the last of two equal keys, lets NUL through and reads
integers of any size. This is the slow and exact check that says what and where; ``body`` decides which
bodies need it.
"""

import json
import re
from typing import Any, NoReturn

from gateway.problems import INVALID_BODY, MALFORMED_JSON, NESTED_TOO_DEEPLY, FieldError, Refusal

INTEGERS = range(-(2**63), 2**63)
"""What the journal's MessagePack and every client's 64 bits hold."""

_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_BRACKETS = re.compile(rb"[\[\]{}]")
_SURROGATES = re.compile("[\ud800-\udfff]")


class _Members(list[tuple[str, Any]]):
    """An object's members as they were sent, repeated ones included."""


def check(body: bytes, nesting: int) -> None:
    """Raises Refusal when ``body`` is not JSON, nests deeper than ``nesting``, repeats a key or holds a
    string or an integer that cannot be kept."""
    check_nesting(body, nesting)
    try:
        document = json.loads(
            body.decode("utf-8"), object_pairs_hook=_Members, parse_constant=_no_constant, parse_int=_integer
        )
    except UnicodeDecodeError:
        raise Refusal(MALFORMED_JSON, "The body is not UTF-8.") from None
    except json.JSONDecodeError as error:
        raise Refusal(MALFORMED_JSON, f"{error.msg} at byte {_offset(error)}.") from None
    _check_values(document)


def check_nesting(body: bytes, nesting: int) -> None:
    """Raises Refusal when arrays and objects are nested deeper than ``nesting``; needs no stack itself."""
    depth = 0
    for bracket in _BRACKETS.findall(_STRINGS.sub(b"", body)):
        if bracket in b"[{":
            depth += 1
            if depth > nesting:
                raise Refusal(NESTED_TOO_DEEPLY, f"The body nests deeper than {nesting} levels.")
        else:
            depth -= 1


def _no_constant(text: str) -> NoReturn:
    raise json.JSONDecodeError(f"{text} is not JSON", "", 0)


def _integer(text: str) -> int:
    # int() refuses more than 4300 digits with a ValueError; 20 characters hold every 64-bit number.
    return int(text) if len(text) <= 20 else INTEGERS.stop


def _offset(error: json.JSONDecodeError) -> int:
    return len(error.doc[: error.pos].encode("utf-8", "surrogatepass"))


def _check_values(document: Any) -> None:
    """Walk the document without recursion, in the order of its text."""
    waiting: list[tuple[str, Any]] = [("", document)]
    while waiting:
        pointer, value = waiting.pop()
        if isinstance(value, str):
            _check_text(pointer, value)
        elif isinstance(value, int):
            if value not in INTEGERS:
                raise _invalid(pointer, "Expected an integer of 64 bits at most.")
        elif isinstance(value, _Members):
            seen: set[str] = set()
            for key, _ in value:
                if key in seen:
                    place = FieldError(_below(pointer, key), "The key is repeated.")
                    raise Refusal(MALFORMED_JSON, f"The key {key!r} is repeated.", [place])
                seen.add(key)
                _check_text(_below(pointer, key), key)
            waiting.extend((_below(pointer, key), item) for key, item in reversed(value))
        elif isinstance(value, list):
            waiting.extend((f"{pointer}/{at}", item) for at, item in reversed(list(enumerate(value))))


def _check_text(pointer: str, text: str) -> None:
    if "\0" in text:
        raise _invalid(pointer, "NUL is not allowed in text.")
    if _SURROGATES.search(text):
        raise _invalid(pointer, "A lone surrogate is not text.")


def _invalid(pointer: str, detail: str) -> Refusal:
    pointer = _SURROGATES.sub("\ufffd", pointer)
    return Refusal(INVALID_BODY, detail, [FieldError(pointer, detail)])


def _below(pointer: str, key: str) -> str:
    return f"{pointer}/{escape(key)}"


def escape(key: str) -> str:
    """A key as a reference token of a JSON Pointer (RFC 6901, section 3)."""
    return key.replace("~", "~0").replace("/", "~1")
