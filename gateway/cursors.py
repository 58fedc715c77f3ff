"""Cursors: where a page ended, told to the client as opaque text that fits only the query it came from."""

import base64
import binascii
from hashlib import blake2b

import msgspec

from actors.views.conditions import Stored
from actors.views.port import Column

LONGEST = 8_192
"""Characters; a key has 512 bytes at most, the rest is for text that was sorted by."""


class NoCursor(Exception):
    """A text is no cursor of this query."""


class _Cursor(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    value: str | int | float | None
    key: str
    check: str


def binding(*parts: object) -> bytes:
    """What makes a query the same as another: its route, filters, order and words."""
    return msgspec.json.encode(parts)


def cursor_of(bound: bytes, value: Stored, key: str) -> str:
    """The text for the place behind this document."""
    cursor = msgspec.json.encode(_Cursor(value, key, _check(bound, value, key)))
    return base64.urlsafe_b64encode(cursor).rstrip(b"=").decode()


def place_of(bound: bytes, text: str, column: Column | None) -> tuple[Stored, str]:
    """The sort value and key behind which to go on; the query sorts by ``column``. Raises NoCursor."""
    if not text.isascii() or len(text) > LONGEST:
        raise NoCursor
    try:
        decoded = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        cursor = msgspec.json.decode(decoded, type=_Cursor)
    except (binascii.Error, msgspec.DecodeError, UnicodeError) as error:
        raise NoCursor from error
    if cursor.check != _check(bound, cursor.value, cursor.key):
        raise NoCursor
    # The check is no secret: whoever makes up a cursor must not get further than a wrong page.
    if not _fits(cursor.value, column) or "\x00" in cursor.key:
        raise NoCursor
    return cursor.value, cursor.key


def _fits(value: Stored, column: Column | None) -> bool:
    if column is None:
        return value is None
    if value is None:
        return column.optional
    if column.kind in ("text", "date"):
        return isinstance(value, str) and "\x00" not in value
    if column.kind == "real":
        return isinstance(value, float | int)
    return isinstance(value, int) and -(2**63) <= value < 2**63


def _check(bound: bytes, value: Stored, key: str) -> str:
    return blake2b(msgspec.json.encode((bound, value, key)), digest_size=8).hexdigest()
