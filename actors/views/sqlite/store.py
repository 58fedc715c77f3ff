"""The port of views on SQLite, for the loop: calls become jobs of the writer's or the reader's thread."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from actors.journal.port import JournalUnavailable
from actors.journal.sqlite.thread import Job, JobThread
from actors.views.port import (
    Done,
    Generation,
    Place,
    Reading,
    Shape,
    Standing,
    ViewsUnavailable,
    Wanted,
    Work,
)
from actors.views.sqlite.reader import Reader, ReadJob
from actors.views.sqlite.writer import ProjectJob, Writer

T = TypeVar("T")

_WRITES_WAITING = 1_024
_READS_WAITING = 8_192
_LOCK_SECONDS = 5.0


class SqliteViews:
    """See ``port.ViewStore`` for the methods. Made by ``open``; several processes of one host may have the
    file open."""

    def __init__(self, writer: Writer, reader: Reader, path: Path, lock_seconds: float) -> None:
        name = path.stem
        self._writer = writer
        self._reader = reader
        self._writing = JobThread(
            f"{name} writer",
            writer.work,
            limit=_WRITES_WAITING,
            patience=lock_seconds,
            serves="the store of views",
            rest=writer.rest,
            finish=writer.close,
        )
        self._reading = JobThread(
            f"{name} reader",
            reader.work,
            limit=_READS_WAITING,
            serves="the store of views",
            finish=reader.close,
        )

    @classmethod
    async def open(cls, path: Path, lock_seconds: float = _LOCK_SECONDS) -> "SqliteViews":
        """Open or make the file. Raises ``ViewsUnavailable``, or ``ViewsDamaged`` when it is of a later
        version or no such file."""

        def both() -> tuple[Writer, Reader]:
            writer = Writer(path, lock_seconds)
            try:
                return writer, Reader(path, lock_seconds)
            except BaseException:
                writer.close()
                raise

        return cls(*await asyncio.to_thread(both), path, lock_seconds)

    @property
    def dead(self) -> str:
        """See ``port.ViewStore.dead``."""
        return self._writing.dead or self._reading.dead

    async def prepare(self, shapes: Sequence[Shape]) -> None:
        """See ``port.ViewStore.prepare``."""
        await self._write(lambda: self._writer.prepare(shapes))

    async def rebuild(self, shape: Shape) -> Generation:
        """See ``port.ViewStore.rebuild``."""
        return await self._write(lambda: self._writer.rebuild(shape))

    async def generations(self) -> list[Generation]:
        """See ``port.ViewStore.generations``."""
        return await self._ask(self._reader.generations)

    async def places(self) -> dict[int, dict[int, Place]]:
        """See ``port.ViewStore.places``."""
        return await self._ask(self._reader.places)

    async def project(self, works: Sequence[Work]) -> list[Done]:
        """See ``port.ViewStore.project``."""
        done: list[Done] = await _outcome(self._writing, ProjectJob(works))
        return done

    async def switch(self, number: int, shards: int) -> bool:
        """See ``port.ViewStore.switch``."""
        return await self._write(lambda: self._writer.switch(number, shards))

    async def pause(self, view: str, paused: bool) -> None:
        """See ``port.ViewStore.pause``."""
        await self._write(lambda: self._writer.pause(view, paused))

    async def skip(self, number: int, shard: int, seq: int) -> bool:
        """See ``port.ViewStore.skip``."""
        return await self._write(lambda: self._writer.skip(number, shard, seq))

    async def read(self, wanted: Sequence[Wanted]) -> Reading:
        """See ``port.ViewStore.read``."""
        reading: Reading = await _outcome(self._reading, ReadJob(wanted))
        return reading

    async def standings(self, views: Sequence[str]) -> dict[str, Standing]:
        """See ``port.ViewStore.standings``."""
        return await self._ask(lambda: self._reader.standings(views))

    async def close(self) -> None:
        """See ``port.ViewStore.close``."""
        await self._reading.close()
        await self._writing.close()

    async def _write(self, run: Callable[[], T]) -> T:
        result: T = await _outcome(self._writing, Job(run))
        return result

    async def _ask(self, run: Callable[[], T]) -> T:
        result: T = await _outcome(self._reading, Job(run))
        return result


async def _outcome(thread: JobThread, job: Job) -> Any:
    try:
        return await thread.submit(job)
    except JournalUnavailable as error:
        raise ViewsUnavailable(str(error)) from error
