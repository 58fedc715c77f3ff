"""Conditional requests (RFC 9110, section 13) on versions: an entity tag is the version in quotes."""

import re

from gateway.problems import INVALID_HEADER, PRECONDITION_FAILED, Refusal

_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_LIST = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"(?:[ \t]*,[ \t]*(?:W/)?"[\x21\x23-\x7e\x80-\xff]*")*')
_VERSION = re.compile(r"[1-9][0-9]{0,18}")

NEVER = -1
"""A version that no entity has: the tag is well-formed, but not one of ours."""


def expected_version(if_match: str | None, if_none_match: str | None) -> int | None:
    """The version on which a command insists; 0 for an entity that must not exist yet, None for any.

    ``If-Match`` compares strongly, so a weak or a foreign tag never matches; it insists on something being
    there, so together with ``If-None-Match: *`` nothing can pass. Raises Refusal.
    """
    if if_none_match is not None:
        if if_none_match.strip() != "*":
            raise Refusal(INVALID_HEADER, "A command takes If-None-Match only as '*'.")
        if if_match is not None:
            _versions("If-Match", if_match if not matches_anything(if_match) else '""', weak=False)
            return NEVER
        return 0
    if if_match is None or matches_anything(if_match):
        return None
    versions = set(_versions("If-Match", if_match, weak=False)) - {NEVER}
    if len(versions) > 1:
        raise Refusal(INVALID_HEADER, "A command takes If-Match with one version.")
    return versions.pop() if versions else NEVER


def matches_anything(if_match: str) -> bool:
    """``If-Match: *``: whatever version there is, but there is one."""
    return if_match.strip() == "*"


def not_modified(if_none_match: str | None, version: int) -> bool:
    """Whether a query answers 304; weak comparison. Raises Refusal when the header is malformed."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or version in _versions("If-None-Match", if_none_match, weak=True)


def check_match(if_match: str | None, version: int) -> None:
    """``If-Match`` on a query: raises Refusal with 412 when no tag is the version."""
    if if_match is None or matches_anything(if_match):
        return
    if version not in _versions("If-Match", if_match, weak=False):
        raise Refusal(PRECONDITION_FAILED, f"The version is {version}.")


def _versions(header: str, value: str, weak: bool) -> list[int]:
    value = value.strip()
    if _LIST.fullmatch(value) is None:
        raise Refusal(INVALID_HEADER, f'{header} must be an entity tag such as "3".')
    return [
        int(tag) if _VERSION.fullmatch(tag) and (weak or not weakly) else NEVER
        for weakly, tag in _TAG.findall(value)
    ]
