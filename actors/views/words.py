"""What search compares: words and texts without case and width, so that every store finds the same."""

from unicodedata import normalize


def folded(text: str) -> str:
    """Text without what search takes no account of: in NFKC and case-folded (Unicode 15, 3.13, D146)."""
    if text.isascii():
        return text.lower()
    # Folding can undo the normal form, as with U+0345.
    return normalize("NFKC", normalize("NFKC", text).casefold())


def words(search: str) -> list[str]:
    """The words that are searched for, each once."""
    return list(dict.fromkeys(map(folded, search.split())))
