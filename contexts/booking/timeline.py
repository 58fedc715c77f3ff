"""A timeline keeps slots that never overlap in order, so that what a new slot meets is found at once."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import NamedTuple

from contexts.booking.slot import Slot

BLOCK = 512
"""Entries in a block at most. A list insert moves everything behind it: in one list of 100,000 that takes
longer than the rest of a command, in a block of 512 it cannot be measured."""


class Block(NamedTuple):
    """Three lists side by side: bisecting bare starts is faster than bisecting tuples."""

    starts: list[timedelta]
    ends: list[timedelta]
    ids: list[str]


class Timeline:
    """Slots by start, each with an id. As they are disjoint, their ends are in order too, and only the last
    ones that start before a slot's end can overlap it: finding them takes logarithmic time, however many
    there are and however long they last."""

    __slots__ = ("_blocks", "_firsts")

    def __init__(self, entries: Iterable[tuple[Slot, str]] = ()) -> None:
        ordered = sorted(entries, key=lambda entry: entry[0].start)
        pieces = [ordered[at : at + BLOCK] for at in range(0, len(ordered), BLOCK)]
        self._blocks = [
            Block([slot.start for slot, _ in piece], [slot.end for slot, _ in piece], [id for _, id in piece])
            for piece in pieces
        ]
        self._firsts = [block.starts[0] for block in self._blocks]

    def __iter__(self) -> Iterator[tuple[Slot, str]]:
        for starts, ends, ids in self._blocks:
            for start, end, id in zip(starts, ends, ids, strict=True):
                yield Slot(start, end), id

    def meeting(self, slot: Slot) -> Iterator[str]:
        """The ids of what overlaps ``slot``, latest first."""
        for block in range(bisect_left(self._firsts, slot.end) - 1, -1, -1):
            starts, ends, ids = self._blocks[block]
            for entry in range(bisect_left(starts, slot.end) - 1, -1, -1):
                if ends[entry] <= slot.start:
                    return
                yield ids[entry]

    def add(self, slot: Slot, id: str) -> None:
        """Put in a slot that meets nothing."""
        if self._blocks and slot.start >= self._blocks[-1].ends[-1]:
            # Behind all others, as most are in a history that is replayed.
            starts, ends, ids = self._blocks[-1]
            starts.append(slot.start)
            ends.append(slot.end)
            ids.append(id)
            if len(starts) > BLOCK:
                self._split(len(self._blocks) - 1)
            return
        if not self._blocks:
            self._insert_block(0, Block([], [], []), slot.start)
        at = max(bisect_right(self._firsts, slot.start) - 1, 0)
        block = self._blocks[at]
        entry = bisect_right(block.starts, slot.start)
        block.starts.insert(entry, slot.start)
        block.ends.insert(entry, slot.end)
        block.ids.insert(entry, id)
        self._firsts[at] = block.starts[0]
        if len(block.starts) > BLOCK:
            self._split(at)

    def remove(self, slot: Slot) -> None:
        """Take out a slot that is in."""
        at = bisect_right(self._firsts, slot.start) - 1
        block = self._blocks[at]
        entry = bisect_left(block.starts, slot.start)
        for column in block:
            del column[entry]
        if block.starts:
            self._firsts[at] = block.starts[0]
        else:
            del self._blocks[at], self._firsts[at]

    def _split(self, at: int) -> None:
        starts, ends, ids = self._blocks[at]
        # Most slots are added at the end: splitting off a short tail keeps the blocks before it full.
        middle = BLOCK if at == len(self._blocks) - 1 else BLOCK // 2
        tail = Block(starts[middle:], ends[middle:], ids[middle:])
        for column in self._blocks[at]:
            del column[middle:]
        self._insert_block(at + 1, tail, tail.starts[0])

    def _insert_block(self, at: int, block: Block, first: timedelta) -> None:
        self._blocks.insert(at, block)
        self._firsts.insert(at, first)
