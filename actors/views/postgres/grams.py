"""Pairs of neighbouring characters, by which text is found that contains another."""

from array import array
from collections.abc import Iterable
from itertools import pairwise


def grams(texts: Iterable[str]) -> list[int]:
    """One number per pair of neighbours in any of the texts; and one per character beyond ASCII, because a
    word of one character is common in some languages."""
    found: set[int] = set()
    for text in texts:
        codes = array("I", text.encode("utf-32-le"))
        found.update([first << 21 | second for first, second in pairwise(codes)])
        if not text.isascii():
            found.update([code for code in codes if code > 127])
    return list(found)
