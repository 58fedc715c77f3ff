"""Conditional requests (RFC 9110, section 13) on documents: a tag is a hash of the bytes that are served."""

import re
from binascii import hexlify
from hashlib import blake2b

from gateway.exchange import Exchange
from gateway.header_names import IF_MATCH, IF_NONE_MATCH
from gateway.problems import INVALID_HEADER, PRECONDITION_FAILED, Refusal

_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_LIST = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"(?:[ \t]*,[ \t]*(?:W/)?"[\x21\x23-\x7e\x80-\xff]*")*')


def tag_of(body: bytes) -> bytes:
    """16 hexadecimal digits."""
    return hexlify(blake2b(body, digest_size=8).digest())


def unchanged(exchange: Exchange, known: bytes) -> bool:
    """Whether the client has what is tagged so, for which 304 is the answer; raises Refusal when it insists
    on something else, or says it wrongly."""
    tag = known.decode()
    headers = exchange.message.headers
    if IF_MATCH in headers:
        wanted = (exchange.header(IF_MATCH) or "").strip()
        if wanted != "*" and (False, tag) not in _tags("If-Match", wanted):
            raise Refusal(PRECONDITION_FAILED, f'The document\'s tag is "{tag}".')
    if IF_NONE_MATCH in headers:
        had = (exchange.header(IF_NONE_MATCH) or "").strip()
        return had == "*" or any(tag == one for _, one in _tags("If-None-Match", had))
    return False


def _tags(header: str, value: str) -> list[tuple[bool, str]]:
    """Each with whether it is weak."""
    if _LIST.fullmatch(value) is None:
        raise Refusal(INVALID_HEADER, f'{header} must be an entity tag such as "0123456789abcdef".')
    return [(bool(weakly), tag) for weakly, tag in _TAG.findall(value)]
