"""One transaction's folding: what several projectors have to fold, one after the other, over one set of
documents. The same for every store, which loads what is ``wanted`` before and writes what is left after."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from actors.views.folding import Folding, Touch, failure
from actors.views.port import Change, Done, Failure, Work


class Move(NamedTuple):
    """A position that goes forward."""

    generation: int
    shard: int
    before: int
    after: int
    complete: bool


class Batch:
    """First ``wanted``, then ``fold``, then ``changes``, ``moves`` and ``done``."""

    def __init__(self, works: Sequence[Work], positions: Mapping[tuple[int, int], int]) -> None:
        """``positions`` are the stored ones by (generation, shard), 0 where nothing is folded yet; of
        generations that do not exist there is none."""
        self.changes: dict[int, dict[str, Change]] = {}
        """By generation and key."""
        self.moves: list[Move] = []
        self.done: list[Done] = []
        """In the order of the works."""
        self._works = works
        self._touched: list[tuple[list[Touch], Failure | None]] = []
        self._taken: dict[tuple[int, int], int] = {}
        """Which work folds a shard into a generation; another of the same comes too late."""
        self._too_late: list[tuple[int, int]] = []
        for number, work in enumerate(works):
            place = (work.generation, work.shard)
            position = positions.get(place)
            if position is None:
                self.done.append(Done(0, gone=True))
            elif position != work.after or self._taken.setdefault(place, number) != number:
                self.done.append(Done(position, moved=True))
            else:
                self.done.append(Done(position))
                self._touched.append(work.folding.touches(work.rows))
                continue
            self._touched.append(([], None))

    def wanted(self) -> dict[int, list[str]]:
        """By generation: the keys of the documents to load, sorted."""
        keys: dict[int, set[str]] = {}
        for work, (touches, _) in zip(self._works, self._touched, strict=True):
            if touches:
                keys.setdefault(work.generation, set()).update(key for t in touches for key in t.keys)
        return {generation: sorted(of_one) for generation, of_one in keys.items()}

    def fold(self, documents: Mapping[int, Mapping[str, bytes]]) -> None:
        """``documents`` by generation and key, as they are stored; what is not there does not exist."""
        by_generation: dict[int, list[int]] = {}
        for number, (work, done) in enumerate(zip(self._works, self.done, strict=True)):
            if done.moved and (first := self._taken.get((work.generation, work.shard))) is not None:
                self._too_late.append((number, first))
            elif not done.gone and not done.moved:
                by_generation.setdefault(work.generation, []).append(number)
        for generation, numbers in by_generation.items():
            stored = documents.get(generation, {})
            if not self._fold_together(generation, numbers, stored):
                self._fold_singly(generation, numbers, stored)
        for number, first in self._too_late:
            self.done[number] = Done(self.done[first].seq, moved=True)

    def _fold_together(self, generation: int, numbers: list[int], stored: Mapping[str, bytes]) -> bool:
        """Fold works as if they were one; False, and nothing is done, if that fails. Each document is decoded
        and encoded once, however many works touch it."""
        folding = self._works[numbers[0]].folding
        if any(self._works[number].folding is not folding for number in numbers):
            return False
        present = _Present(folding, stored, {})
        touches = (touch for number in numbers for touch in self._touched[number][0])
        if present.fold(touches) is not None:
            return False
        self.changes[generation] = present.changed
        for number in numbers:
            self._folded(number, self._touched[number][1])
        return True

    def _fold_singly(self, generation: int, numbers: list[int], stored: Mapping[str, bytes]) -> None:
        """Fold works one after the other, each up to the event that cannot be folded."""
        changes = self.changes.setdefault(generation, {})
        for number in numbers:
            touches, failed = self._touched[number]
            folding = self._works[number].folding
            present = _Present(folding, stored, changes)
            stop = present.fold(touches)
            while stop is not None:
                # The failing fold may have changed in place what it was given: again, without it.
                failed = stop
                touches = [touch for touch in touches if touch.row.seq < failed.seq]
                present = _Present(folding, stored, changes)
                stop = present.fold(touches)
            changes.update(present.changed)
            self._folded(number, failed)

    def _folded(self, number: int, failed: Failure | None) -> None:
        work = self._works[number]
        last = work.rows[-1].seq if work.rows else work.after
        reached = last if failed is None else failed.seq - 1
        complete = work.complete and failed is None
        if reached != work.after or complete:
            self.moves.append(Move(work.generation, work.shard, work.after, reached, complete))
        self.done[number] = Done(reached, failed)


class _Present:
    """The documents as one work, or several that are folded as one, see and change them."""

    def __init__(self, folding: Folding, stored: Mapping[str, bytes], before: Mapping[str, Change]) -> None:
        """``before`` is what works before this one have changed in the same batch."""
        self._folding = folding
        self._stored = stored
        self._before = before
        self._documents: dict[str, Any] = {}
        self.changed: dict[str, Change] = {}

    def fold(self, touches: Iterable[Touch]) -> Failure | None:
        """Fold until one fails."""
        fold, documents = self._folding.fold, self._documents
        last: dict[str, Any] = {}
        touched: dict[str, Touch] = {}
        for touch in touches:
            # All of its documents or none: the first must not stay changed if the second fails.
            following: list[tuple[str, Any]] = []
            try:
                for key in touch.keys:
                    document = documents[key] if key in documents else self._load(key)
                    if document is not None:
                        last[key] = document
                    following.append((key, fold(document, touch, key)))
            except BaseException as error:  # noqa: BLE001 - an author's code must end no thread of ours
                return failure(touch.row, error)
            for key, document in following:
                documents[key] = document
                touched[key] = touch
        return self._keep(last, touched)

    def _keep(self, last: Mapping[str, Any], touched: Mapping[str, Touch]) -> Failure | None:
        self.changed = {}
        first: Failure | None = None
        for key, touch in touched.items():
            document = self._documents[key]
            if document is None and key not in last:
                continue  # neither was nor is there one
            try:
                self.changed[key] = self._folding.change(key, document, last.get(key))
            except BaseException as error:  # noqa: BLE001 - as above
                if first is None or touch.row.seq < first.seq:
                    first = failure(touch.row, error)
        return first

    def _load(self, key: str) -> Any:
        change = self._before.get(key)
        data = self._stored.get(key) if change is None else change.document
        return None if data is None else self._folding.decode(data)
