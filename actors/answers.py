"""A worker's memory of its latest answers to keyed commands, so that a retry need not read the journal."""

from collections import OrderedDict

from actors.messages import Answer


class Answers:
    """At most ``limit`` answers by key, the least recently given forgotten first.

    Acceptances are found in the journal after that; a rejection is no effect and is decided anew."""

    __slots__ = ("_answers", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._answers: OrderedDict[bytes, tuple[bytes | None, Answer]] = OrderedDict()

    def find(self, key: bytes) -> tuple[bytes | None, Answer] | None:
        """The fingerprint and the answer of the command that used ``key``."""
        found = self._answers.get(key)
        if found is not None:
            self._answers.move_to_end(key)
        return found

    def remember(self, key: bytes, fingerprint: bytes | None, answer: Answer) -> None:
        """Keep the answer that was decided for ``key``."""
        self._answers[key] = (fingerprint, answer)
        if len(self._answers) > self.limit:
            self._answers.popitem(last=False)

    def forget(self, key: bytes | None) -> None:
        """The answer never came true."""
        if key is not None:
            self._answers.pop(key, None)
