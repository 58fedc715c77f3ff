"""``Idempotency-Key`` (draft-ietf-httpapi-idempotency-key-header): its value and its scope."""

import re
from hashlib import blake2b

import msgspec

from contexts.vocabulary import Command
from gateway.problems import INVALID_HEADER, Refusal

_STRING = re.compile(r'"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"')
_BARE = re.compile(r"[\x21\x23-\x2b\x2d-\x5b\x5d-\x7e]+")
_QUOTED = re.compile(r"\\(.)")

LONGEST = 255

_encode = msgspec.msgpack.Encoder().encode


def key_of(header: str) -> str:
    """The key in a header: a structured-field string, or a bare one as many clients send it; 1 to 255
    visible ASCII characters. Raises Refusal."""
    value = header.strip()
    string = _STRING.fullmatch(value)
    key = _QUOTED.sub(r"\1", string[1]) if string else value
    if string is None and _BARE.fullmatch(value) is None:
        raise Refusal(INVALID_HEADER, "Idempotency-Key must be a quoted string of visible ASCII.")
    if not 1 <= len(key) <= LONGEST:
        raise Refusal(INVALID_HEADER, f"Idempotency-Key must have 1 to {LONGEST} characters.")
    return key


def scoped(key: str, subject: str, method: str, template: str, parameters: tuple[str, ...]) -> bytes:
    """16 bytes for the key of one principal on one path: the same key elsewhere is another key."""
    return blake2b(_encode((subject, method, template, parameters, key)), digest_size=16).digest()


def fingerprint(command: Command) -> bytes:
    """8 bytes for the payload as it was understood: white space and the order of keys do not count."""
    return blake2b(_encode((type(command).__name__, command)), digest_size=8).digest()
